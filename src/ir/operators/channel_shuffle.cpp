#include "ir/operators/channel_shuffle.h"

#include "ir/constants.h"

namespace fusekit::ir {
namespace {

bool is_view(const Node* node) { return is_operator(node, {"aten::view", "aten::reshape"}); }

/// What a number is worked out from, past the tensors that stand for numbers in traces.
const Node* maker_of(const Value* number) {
  const Node* node = number->node();
  if (node->kind() == c10::aten::Int) node = node->input(0)->node();
  return node->kind() == c10::prim::NumToTensor ? node->input(0)->node() : node;
}

/// Is `number` the size of `x` (of rank 4) in this dimension?
bool is_size(const Value* number, const Value* x, std::int64_t dim) {
  const Node* node = maker_of(number);
  const bool is_direct = is_operator(node, {"aten::size"}) && node->inputs().size() == 2;
  if (!is_direct && !is_operator(node, {"aten::__getitem__"})) return false;
  const Node* size = is_direct ? node : node->input(0)->node();
  const auto which = constant_int(node->input(1));
  return is_operator(size, {"aten::size"}) && size->input(0) == x && which && (*which == dim || *which + 4 == dim);
}

/// Is `number` size(x, 1) / groups?
bool is_share_of_channels(const Value* number, const Value* x, std::int64_t groups) {
  const Node* node = maker_of(number);
  return is_operator(node, {"aten::floordiv", "aten::floor_divide"}) && is_size(node->input(0), x, 1) &&
         constant_number(node->input(1)) == static_cast<double>(groups);
}

}  // namespace

std::optional<std::int64_t> ChannelShuffle::groups(bool has_rank_4) const {
  const Node* list = split->input(1)->node();
  if (list->kind() != c10::prim::ListConstruct || list->inputs().size() != 5) return std::nullopt;
  const auto count = constant_int(list->input(1));
  const bool keeps_rest =
      is_size(list->input(0), input, 0) && is_size(list->input(3), input, 2) && is_size(list->input(4), input, 3);
  if (!count || !keeps_rest) return std::nullopt;
  // Of four dimensions the third can be but C / groups.
  return has_rank_4 || is_share_of_channels(list->input(2), input, *count) ? count : std::nullopt;
}

std::optional<ChannelShuffle> as_channel_shuffle(Node* node) {
  if (!is_view(node)) return std::nullopt;
  Node* inner = node->input(0)->node();
  if (inner->kind() == c10::aten::contiguous && constant_int(inner->input(1)) == 0) inner = inner->input(0)->node();
  if (!is_operator(inner, {"aten::transpose"}) || constant_int(inner->input(1)) != 1 ||
      constant_int(inner->input(2)) != 2)
    return std::nullopt;
  Node* split = inner->input(0)->node();
  return is_view(split) ? std::optional(ChannelShuffle{node, split->input(0), split}) : std::nullopt;
}

}  // namespace fusekit::ir
