#pragma once

#include <map>
#include <set>
#include <vector>

#include "inputs/observed_tensors.h"

namespace fusekit::target {

/// Which tensors of a graph lie in channels_last, and the conversions to it.
class ChannelsLast {
 public:
  using Value = torch::jit::Value;
  using Node = torch::jit::Node;

  /// `observed` has to outlive this object; it may grow.
  ChannelsLast(torch::jit::Graph& graph, const inputs::ObservedTensors& observed);

  /// Is the value 4-D, and certainly dense in that layout?
  [[nodiscard]] bool has(const Value* value) const { return values_.count(value) > 0; }
  void add(const Value* value) { values_.insert(value); }

  /// Does the operator give such a tensor because it is given one?
  [[nodiscard]] bool is_kept_by(Node* node) const;

  /// The value in that layout, for a reader in front of `before`.
  Value* of(Value* value, Node* before);

  /// Lets what the graph gives out lie in memory as it did when it was observed: contiguous, unless the first 4-D argument is
  /// in channels_last.
  void keep_outputs();

 private:
  Value* converted_picture(Value* value);

  torch::jit::Graph& graph_;
  const inputs::ObservedTensors& observed_;
  bool writes_;  ///< does anything in the graph write into memory?
  std::set<const Value*> values_;
  std::map<const Value*, Value*> converted_;
};

}  // namespace fusekit::target
