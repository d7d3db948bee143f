#pragma once

#include <torch/csrc/jit/ir/alias_analysis.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/program.h"

namespace fusekit::ir {

/// The tensors that `node` writes although its schema does not say so: running statistics.
std::vector<const Value*> hidden_targets(const Node* node);

/// Who writes into whose memory in one graph of a program. Not to outlive the graph, nor a change of it.
/// An attribute shares memory with an input only where a caller can have it: where the method gives it out.
class Aliases {
 public:
  Aliases(Graph& graph, const Program& program);
  ~Aliases();
  Aliases(const Aliases&) = delete;
  Aliases& operator=(const Aliases&) = delete;

  /// May anything write into the memory of `value`?
  [[nodiscard]] bool is_written(const Value* value) const;

 private:
  /// Values that hold one attribute's tensor (or list of tensors), by any of its names, now or later.
  using Holders = std::vector<Value*>;

  void analyze(Graph& graph);
  void find_writes_and_holders(Graph& graph, const Program& program);
  [[nodiscard]] bool may_hold(Value* holder, Value* value) const;
  [[nodiscard]] bool is_any_written(const Holders& holders) const;
  [[nodiscard]] bool is_given_out(Graph& graph, const Holders& holders) const;

  Value* inputs_;  ///< stands for all tensors that the method is given: they may share memory, and no other memory
  std::unique_ptr<torch::jit::AliasDb> db_;    ///< to which each read of an attribute is memory of its own
  std::vector<Value*> written_;                ///< tensors that operators write
  std::map<std::string, Holders> attributes_;  ///< by name; only those that are written in place
};

}  // namespace fusekit::ir
