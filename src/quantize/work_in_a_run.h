#pragma once

#include <utility>
#include <vector>

#include "ir/operators.h"
#include "quantize/lower/build.h"

namespace fusekit::quantize {

/// Everything that multiplies and adds, in the graph's order, with the multiply-adds of all times that it ran for the first
/// sample.
std::vector<std::pair<ir::Work, double>> work_in_a_run(const Observed& observed);

/// Elements of all tensors that `value` stood for in that run; 0 where its shapes are not known.
double elements_in_a_run(const Value* value, const Observed& observed);

}  // namespace fusekit::quantize
