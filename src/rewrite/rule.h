#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/program.h"
#include "rewrite/operators.h"
#include "rewrite/ranks.h"

namespace fusekit::rewrite {

/// A kind of operator, in any of its spellings.
struct Family {
  std::string_view name;
  bool (*matches)(Node*);
};

inline constexpr Family convolution{"convolution", is_convolution};
inline constexpr Family transposed_convolution{"transposed convolution", is_transposed_convolution};
inline constexpr Family linear{"linear", is_linear};
inline constexpr Family batch_norm{"BatchNorm", is_batch_norm};
inline constexpr Family relu{"ReLU", is_relu};

/// Operators of these families, each fed by the one before.
using Pattern = std::vector<Family>;

/// The nodes at which a pattern stands, in its order.
struct Site {
  std::vector<Node*> nodes;

  [[nodiscard]] Node* front() const { return nodes.front(); }
  [[nodiscard]] Node* back() const { return nodes.back(); }
};

/// Why a site can't be fused, as a clause for the user; nullopt where nothing stands against it.
using WhyNot = std::optional<std::string>;

/// A weight and a bias that came of a fold, in the weight's dtype.
struct Folded {
  at::Tensor weight;
  at::Tensor bias;
};

/// What the rules share while one of them works on one method.
class Context {
 public:
  /// `promised`: ranks of the method's inputs (self is input 0) by what the user said; may be shorter than the inputs.
  Context(ir::Program& program, torch::jit::Graph& graph, const std::vector<std::optional<std::int64_t>>& promised)
      : program(program), graph(graph), promised_inputs_(promised) {}

  ir::Program& program;
  torch::jit::Graph& graph;
  /// The result of the fold that a predicate computed last, for the rewrite that follows it.
  std::optional<Folded> folded;
  /// What the user should know of the site that was fused last.
  std::string note;
  /// Was that site only noted, because its graph was as the rule would have it?
  bool as_found = false;

  /// The rank that `value` certainly has when `at` runs.
  std::optional<std::int64_t> rank(const Value* value, const Node* at);
  /// The same if the user's inputs are typical of all.
  std::optional<std::int64_t> promised_rank(const Value* value, const Node* at);
  /// From `since` on `value` has this rank.
  void learn_rank(const Value* value, std::int64_t rank, const Node* since);

 private:
  const std::vector<std::optional<std::int64_t>>& promised_inputs_;
  std::optional<RankFacts> proven_;  ///< made when the first rule asks
  std::optional<RankFacts> promised_;
};

struct Rule {
  std::string_view name;     ///< e.g. "conv+bn"
  std::string_view summary;  ///< one line
  Pattern pattern;
  WhyNot (*why_not)(const Site&, Context&);
  void (*rewrite)(const Site&, Context&);
  double tolerance = 0;  ///< largest relative error that rounding may bring in float32; 0: the same bits
};

/// A rule's name as a template argument.
template <std::size_t N>
struct RuleName {
  constexpr RuleName(const char (&text)[N]) { std::copy_n(text, N, name); }
  char name[N]{};
};

/// The rule of this name. Each file of rewrite/rules defines one; pipelines.cpp lists them.
template <RuleName name>
Rule rule();

}  // namespace fusekit::rewrite
