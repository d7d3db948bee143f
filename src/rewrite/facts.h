#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inputs/observed_ranks.h"
#include "ir/aliases.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "ir/ranks.h"

namespace fusekit::rewrite {

using ir::Graph;
using ir::Node;
using ir::Value;

/// The user's inputs, as typical of all: the numbers of dimensions that they promise. Made when a rule first asks.
class Promise {
 public:
  /// Both outlive the promise. Without inputs that are given it promises nothing.
  Promise(const ModelParts& parts, const InputOptions& inputs) : parts_(parts), inputs_(inputs) {}

  [[nodiscard]] bool given() const { return inputs_.given(); }
  /// Of forward's inputs, self left out; nullopt: no tensor.
  const std::vector<std::optional<std::int64_t>>& input_ranks();
  /// What a run of forward on them shows. Error{input}: they don't fit forward's arguments.
  inputs::ObservedRanks observe(Graph& forward);

 private:
  const inputs::Sample& sample();

  const ModelParts& parts_;
  const InputOptions& inputs_;
  std::optional<inputs::Sample> sample_;
  std::optional<std::vector<std::optional<std::int64_t>>> input_ranks_;
};

/// What rules may ask about one method of a program while it is being rewritten.
class Facts {
 public:
  /// `promise`: of forward's inputs; nullptr for another method.
  Facts(ir::Program& program, Graph& graph, Promise* promise) : program(program), graph(graph), promise_(promise) {}

  ir::Program& program;
  Graph& graph;

  /// The rank that `value` certainly has when `at` runs.
  std::optional<std::int64_t> rank(const Value* value, const Node* at);
  /// The same if the user's inputs are typical of all: by the ranks of forward's inputs, or as a run on them shows.
  std::optional<std::int64_t> promised_rank(const Value* value, const Node* at);
  /// From `since` on `value` has this rank.
  void learn_rank(const Value* value, std::int64_t rank, const Node* since);

  /// May anything write into the memory of `value`?
  bool is_written(const Value* value);

  /// Does LibTorch cast what the node reads, its weights too, to a smaller dtype when it runs?
  bool is_under_autocast(const Node* node);

  /// To be called after the graph was changed.
  void forget_aliases() { aliases_.reset(); }

 private:
  Promise* promise_;
  std::optional<ir::RankFacts> proven_;  ///< made when the first rule asks
  std::optional<ir::RankFacts> promised_;
  std::optional<inputs::ObservedRanks> observed_;
  std::optional<ir::Aliases> aliases_;
  std::optional<bool> has_autocast_;
};

}  // namespace fusekit::rewrite
