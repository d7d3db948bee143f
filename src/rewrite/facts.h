#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/aliases.h"
#include "ir/program.h"
#include "ir/ranks.h"

namespace fusekit::rewrite {

using ir::Graph;
using ir::Node;
using ir::Value;

/// Numbers of dimensions; nullopt: not known.
using Ranks = std::vector<std::optional<std::int64_t>>;

/// What rules may ask about one method of a program while it is being rewritten.
class Facts {
 public:
  /// `promised`: ranks of the method's inputs (self is input 0) by what the user said; may be shorter than the inputs.
  Facts(ir::Program& program, Graph& graph, const Ranks& promised)
      : program(program), graph(graph), promised_inputs_(promised) {}

  ir::Program& program;
  Graph& graph;

  /// The rank that `value` certainly has when `at` runs.
  std::optional<std::int64_t> rank(const Value* value, const Node* at);
  /// The same if the user's inputs are typical of all.
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
  const Ranks& promised_inputs_;
  std::optional<ir::RankFacts> proven_;  ///< made when the first rule asks
  std::optional<ir::RankFacts> promised_;
  std::optional<ir::Aliases> aliases_;
  std::optional<bool> has_autocast_;
};

}  // namespace fusekit::rewrite
