#pragma once

#include <ATen/core/function_schema.h>

#include "bench/layer_paths.h"
#include "bench/roofline.h"

namespace fusekit::bench {

/// One call of an operator.
struct OperatorCall {
  const c10::FunctionSchema& schema;
  c10::ArrayRef<c10::IValue> inputs;
  c10::ArrayRef<c10::IValue> outputs;
};

/// The operations of what multiplies and adds: convolutions (transposed and packed ones too), linear layers, products of
/// matrices, attention. By the shapes of what it was given and gave. nullopt: no such operator.
std::optional<double> flops_of_products(const OperatorCall& call, const Weights& weights);

/// What a call computes and moves. An operator without a formula of its own counts what the operators that it called
/// multiplied and added (`inner_flops`), or one operation an element.
OperatorWork work_of(const OperatorCall& call, const Weights& weights, double inner_flops);

}  // namespace fusekit::bench
