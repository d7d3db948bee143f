#include "ir/operators/permutation.h"

#include <numeric>

#include "ir/constants.h"

namespace fusekit::ir {
namespace {

std::optional<std::int64_t> from_front(std::int64_t dim, std::int64_t rank) {
  if (dim < -rank || dim >= rank) return std::nullopt;
  return dim < 0 ? dim + rank : dim;
}

}  // namespace

std::optional<std::vector<std::int64_t>> Permutation::order(std::int64_t rank) const {
  std::vector<std::int64_t> wrapped;
  for (const std::int64_t dim : dims) {
    const auto front = from_front(dim, rank);
    if (!front) return std::nullopt;
    wrapped.push_back(*front);
  }
  if (!swaps) return static_cast<std::int64_t>(wrapped.size()) == rank ? std::optional(wrapped) : std::nullopt;
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(wrapped[0])], order[static_cast<std::size_t>(wrapped[1])]);
  return order;
}

std::optional<Permutation> as_permutation(Node* node) {
  if (is_operator(node, {"aten::t"})) return Permutation{node, node->input(0), false, {1, 0}};
  if (is_operator(node, {"aten::permute"})) {
    const auto dims = constant_ints(argument(node, "dims"));
    return dims ? std::optional(Permutation{node, node->input(0), false, *dims}) : std::nullopt;
  }
  if (!is_operator(node, {"aten::transpose", "aten::swapaxes", "aten::swapdims"})) return std::nullopt;
  const auto a = constant_int(node->input(1));
  const auto b = constant_int(node->input(2));
  return a && b ? std::optional(Permutation{node, node->input(0), true, {*a, *b}}) : std::nullopt;
}

}  // namespace fusekit::ir
