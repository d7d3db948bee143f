#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "fusekit/reason.h"
#include "ir/operators.h"
#include "rewrite/facts.h"

namespace fusekit::rewrite {

/// A kind of operator, in any of its spellings.
struct Family {
  std::string name;
  std::function<bool(Node*)> matches;
};

Family convolution();  ///< not transposed
Family transposed_convolution();
Family linear();
Family batch_norm();
Family zero_pad();
Family permutation();
Family activation(const ir::ActivationKind& kind);

/// Operators of these families, each fed by the one before.
using Pattern = std::vector<Family>;

/// The nodes at which a pattern stands, in its order.
struct Site {
  std::vector<Node*> nodes;

  [[nodiscard]] Node* front() const { return nodes.front(); }
  [[nodiscard]] Node* back() const { return nodes.back(); }
};

/// What is to be done at a site, with all that it needs.
struct Rewrite {
  /// Changes the graph, and returns the nodes that one operator of a target may run together, in their order; none where
  /// the rule makes no group.
  std::function<std::vector<Node*>(Facts&)> apply;
  Reason note{};          ///< what the user should know of the site when it is done
  bool as_found = false;  ///< the graph is as the rule would have it already
};

/// Why not, or what is to be done.
using Decision = std::variant<Reason, Rewrite>;

struct Rule {
  std::string name;     ///< e.g. "conv+bn"
  std::string summary;  ///< one line
  Pattern pattern;
  std::function<Decision(const Site&, Facts&)> decide;
  bool takes_apart = false;  ///< runs only with FuseOptions::take_apart
  double tolerance = 0;      ///< largest relative error that rounding may bring in float32; 0: the same bits
};

}  // namespace fusekit::rewrite
