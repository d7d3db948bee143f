#pragma once

#include "target/cpu/packed_layer.h"

namespace fusekit::target {

/// How the product of `rows` rows with a linear's or 1x1 convolution's weight runs fastest on this kind of CPU: as one
/// of Packing's last three.
Packing packing_of_product(const at::Tensor& weight, std::int64_t rows);

}  // namespace fusekit::target
