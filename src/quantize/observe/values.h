#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "ir/program.h"
#include "quantize/observe/observer.h"

namespace fusekit::quantize {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

/// Numbers for the values of a graph that are the same in each copy of it.
class Numbering {
 public:
  explicit Numbering(Graph& graph);
  [[nodiscard]] int of(const Value* value) const { return numbers_.at(value); }
  [[nodiscard]] Value* value(int number) const { return values_.at(static_cast<std::size_t>(number)); }

 private:
  void add(Value* value);

  std::unordered_map<const Value*, int> numbers_;
  std::vector<Value*> values_;
};

/// What calibration learned of one float tensor of the network.
struct Fact {
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> sizes;  ///< in the first sample
  Range range;                      ///< smallest and largest value
  QParams qparams;                  ///< chosen by the observer
};

/// By the value's number. A value that no sample reached has none.
using Facts = std::map<int, Fact>;

}  // namespace fusekit::quantize
