#pragma once

#include <optional>

#include "inputs/observed_tensors.h"
#include "target/cpu/packed_layer.h"
#include "target/cpu/product_times.h"

namespace fusekit::target {

/// The product that a linear computes, or a 1x1 convolution of each pixel; nullopt: the layer is none, its weight is
/// computed or neither float32 nor bfloat16, or its data was not seen.
std::optional<Product> as_product(const ir::Layer& layer, const ir::Program& program,
                                  const inputs::ObservedTensors& observed);

/// How the product runs fastest, as one of Packing's last three: by its measured times, or where there are none, by what
/// was found on this kind of CPU.
Packing packing_of(const Product& product, const ProductTimes* times = nullptr);

/// Would bfloat16 cost more than it saves? A product of few rows with a small weight, as in squeeze-and-excitation, has
/// no operator in bfloat16 whose call takes less than its arithmetic.
bool is_faster_in_float(const Product& product);

}  // namespace fusekit::target
