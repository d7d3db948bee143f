#include "ir/operators/output_rank.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/api/include/torch/version.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "ir/constants.h"
#include "ir/operators/activation.h"
#include "ir/operators/batch_norm.h"
#include "ir/operators/convolution.h"
#include "ir/operators/pool.h"

namespace fusekit::ir {
namespace {

using Rank = std::optional<std::int64_t>;
using Names = std::unordered_set<std::string>;

bool is_tensor_list(const Value* value) { return *value->type() == *c10::ListType::ofTensors(); }

std::vector<const Value*> tensor_inputs(const Node* node) {
  std::vector<const Value*> tensors;
  for (const Value* input : node->inputs())
    if (is_tensor(input)) tensors.push_back(input);
  return tensors;
}

/// Operators of which every tensor, or list of tensors, that they give has the rank of their first input.
const Names& rank_keepers() {
  static const Names names = {"aten::instance_norm",
                              "aten::group_norm",
                              "aten::layer_norm",
                              "aten::rms_norm",
                              "aten::local_response_norm",
                              "aten::softmax",
                              "aten::log_softmax",
                              "aten::_weight_norm",
                              "aten::glu",
                              "aten::prelu",
                              "aten::rrelu",
                              "aten::threshold",
                              "aten::reflection_pad1d",
                              "aten::reflection_pad2d",
                              "aten::reflection_pad3d",
                              "aten::replication_pad1d",
                              "aten::replication_pad2d",
                              "aten::replication_pad3d",
                              "aten::pad",
                              "aten::constant_pad_nd",
                              "aten::contiguous",
                              "aten::clone",
                              "aten::detach",
                              "aten::alias",
                              "aten::dropout",
                              "aten::alpha_dropout",
                              "aten::feature_dropout",
                              "aten::feature_alpha_dropout",
                              "aten::to",
                              "aten::type_as",
                              "aten::t",
                              "aten::transpose",
                              "aten::swapaxes",
                              "aten::swapdims",
                              "aten::movedim",
                              "aten::moveaxis",
                              "aten::mT",
                              "aten::channel_shuffle",
                              "aten::pixel_shuffle",
                              "aten::pixel_unshuffle",
                              "aten::slice",
                              "aten::narrow",
                              "aten::flip",
                              "aten::fliplr",
                              "aten::flipud",
                              "aten::rot90",
                              "aten::roll",
                              "aten::tril",
                              "aten::triu",
                              "aten::cumsum",
                              "aten::cumprod",
                              "aten::sort",
                              "aten::argsort",
                              "aten::topk",
                              "aten::renorm",
                              "aten::index_select",
                              "aten::index_add",
                              "aten::index_copy",
                              "aten::index_fill",
                              "aten::index_put",
                              "aten::scatter",
                              "aten::scatter_add",
                              "aten::zeros_like",
                              "aten::ones_like",
                              "aten::full_like",
                              "aten::rand_like",
                              "aten::randn_like",
                              "aten::empty_like",
                              "aten::grid_sampler",
                              "aten::max_pool1d_with_indices",
                              "aten::max_pool2d_with_indices",
                              "aten::max_pool3d_with_indices",
                              "aten::lp_pool2d",
                              "aten::scaled_dot_product_attention",
                              "aten::_transformer_encoder_layer_fwd",
                              "aten::chunk",
                              "aten::split",
                              "aten::split_with_sizes",
                              "aten::tensor_split",
                              "aten::unsafe_chunk",
                              "aten::unsafe_split",
                              "aten::unsafe_split_with_sizes",
                              "aten::quantize_per_tensor",
                              "aten::dequantize",
                              "prim::ListUnpack",
                              "prim::unchecked_cast",
                              "prim::unchecked_unwrap_optional",
                              "aten::__getitem__"};
  return names;
}

/// Operators that give several values, of which the first has the rank of their first input.
const Names& first_output_keepers() {
  static const Names names = {"aten::native_batch_norm", "aten::_batch_norm_impl_index", "aten::native_group_norm",
                              "aten::_native_multi_head_attention"};
  return names;
}

/// A recurrent layer on a padded batch: its states have as many dimensions as its data.
bool is_recurrent_on_batch(const Node* node) {
  return is_operator(node, {"aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"}) &&
         node->schema().overload_name() == "input";
}

/// A linear whose weight is a matrix; a vector would take a dimension away.
bool is_matrix_linear(Node* node) {
  if (!is_operator(node, {"aten::linear"})) return false;
  const auto weight = constant(argument(node, "weight"));
  return weight && weight->isTensor() && weight->toTensor().dim() == 2;
}

bool all_outputs_keep(Node* node) {
  return rank_keepers().count(node->kind().toQualString()) > 0 || as_convolution(node) || as_batch_norm(node) ||
         is_matrix_linear(node) || as_pool(node) || as_upsample(node) || is_recurrent_on_batch(node);
}

/// Element by element, as LibTorch itself says of the operator (2.0 and later), or one of the common ones.
bool is_pointwise(const Node* node) {
  static const Names common = {
      "aten::add",         "aten::sub",          "aten::mul",        "aten::div",         "aten::rsub",
      "aten::pow",         "aten::eq",           "aten::ne",         "aten::lt",          "aten::le",
      "aten::gt",          "aten::ge",           "aten::neg",        "aten::exp",         "aten::log",
      "aten::sqrt",        "aten::rsqrt",        "aten::abs",        "aten::sin",         "aten::cos",
      "aten::erf",         "aten::floor",        "aten::ceil",       "aten::round",       "aten::max",
      "aten::maximum",     "aten::min",          "aten::minimum",    "aten::logical_not", "aten::logical_and",
      "aten::lerp",        "aten::addcmul",      "aten::addcdiv",    "aten::remainder",   "aten::logical_or",
      "aten::masked_fill", "aten::floor_divide", "aten::reciprocal", "aten::square",      "aten::log1p",
      "aten::expm1",       "aten::where"};
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr || !node->kind().is_aten() || node->outputs().size() != 1) return false;
  if (schema->argumentIndexWithName("dim")) return false;  // max and min of one tensor along a dimension
#if TORCH_VERSION_MAJOR >= 2
  const auto op = c10::Dispatcher::singleton().findSchema(schema->operator_name());
  if (op && op->hasTag(at::Tag::pointwise)) return true;
#endif
  const bool of_one =
      node->kind() == c10::aten::max || node->kind() == c10::aten::min || node->kind() == c10::Symbol::aten("where");
  return common.count(node->kind().toQualString()) > 0 && (!of_one || tensor_inputs(node).size() > 1);
}

/// Does it write into its first input? What changes a tensor's rank where it stands is RankFacts' matter.
bool writes_its_first_input(const Node* node) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  return schema != nullptr && !schema->arguments().empty() && schema->arguments()[0].alias_info() != nullptr &&
         schema->arguments()[0].alias_info()->isWrite();
}

/// The length of a list that is built where it stands or is a constant.
Rank list_length(const Value* value) {
  if (value == nullptr) return std::nullopt;
  if (value->node()->kind() == c10::prim::ListConstruct) return value->node()->inputs().size();
  const auto stored = constant(value);
  return stored && stored->isList() ? Rank(stored->toListRef().size()) : std::nullopt;
}

/// The first of these arguments that the operator has.
const Value* first_argument(const Node* node, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const Value* value = argument(node, name)) return value;
  return nullptr;
}

/// `dim` as counted from the front of `rank` dimensions.
Rank wrapped(Rank dim, std::int64_t rank) {
  if (!dim || *dim < -rank || *dim >= rank) return std::nullopt;
  return *dim < 0 ? *dim + rank : *dim;
}

// Reductions, known by their arguments: dim (one, several, or None for all) and keepdim.

struct Reduction {
  const Value* input = nullptr;
  const Value* dim = nullptr;
  bool keeps = false;
};

std::optional<Reduction> as_reduction(const Node* node) {
  const Value* dim = argument(node, "dim");
  const auto keeps = constant_bool(argument(node, "keepdim"));
  if (!node->kind().is_aten() || dim == nullptr || !keeps || tensor_inputs(node).size() != 1) return std::nullopt;
  return Reduction{node->input(0), dim, *keeps};
}

Rank rank_of_reduction(const Reduction& reduction, const RankOf& rank) {
  const Rank before = rank(reduction.input);
  if (is_none(reduction.dim)) return reduction.keeps ? std::nullopt : Rank(0);
  if (reduction.keeps) return before;
  const bool one = reduction.dim->type()->kind() == c10::TypeKind::IntType;
  const Rank count = one ? Rank(1) : list_length(reduction.dim);
  if (!before || !count || *count == 0) return std::nullopt;  // what an empty list means depends on the operator
  return std::max<std::int64_t>(0, *before - *count);
}

/// Of one tensor to one number: "aten::sum(x)".
bool reduces_to_scalar(const Node* node) {
  static const Names names = {
      "aten::sum",    "aten::mean",        "aten::prod",          "aten::max",           "aten::min",  "aten::std",
      "aten::var",    "aten::norm",        "aten::any",           "aten::all",           "aten::dot",  "aten::vdot",
      "aten::median", "prim::NumToTensor", "aten::scalar_tensor", "aten::count_nonzero", "aten::trace"};
  const bool of_two = is_operator(node, {"aten::dot", "aten::vdot"});
  return names.count(node->kind().toQualString()) > 0 && argument(node, "dim") == nullptr &&
         (of_two || tensor_inputs(node).size() <= 1);
}

// A dimension of size 1, which squeeze takes away.

bool has_size_one(const Value* value, std::int64_t dim, std::int64_t rank, const RankOf& rank_of);

/// Do the operators of `has_size_one` pass on the sizes of their first input?
bool keeps_sizes(Node* node) {
  return as_activation(node) || as_batch_norm(node) ||
         is_operator(node, {"aten::dropout", "aten::feature_dropout", "aten::contiguous", "aten::clone", "aten::detach",
                            "aten::to", "aten::softmax", "aten::layer_norm"}) ||
         (is_pointwise(node) && tensor_inputs(node).size() == 1);
}

bool pool_has_size_one(const Pool& pool, std::int64_t dim, std::int64_t rank, const RankOf& rank_of) {
  const std::int64_t first = rank - pool.spatial;
  if (dim < first) return has_size_one(pool.input, dim, rank, rank_of);
  const auto sizes = constant_ints(argument(pool.node, "output_size"), static_cast<std::size_t>(pool.spatial));
  return pool.is_adaptive && sizes && (*sizes)[static_cast<std::size_t>(dim - first)] == 1;
}

bool reduction_has_size_one(const Reduction& reduction, std::int64_t dim, std::int64_t rank, const RankOf& rank_of) {
  const auto dims = constant_ints(reduction.dim);
  if (!reduction.keeps || !dims) return false;
  const auto is_ours = [&](std::int64_t each) { return wrapped(each, rank) == dim; };
  return std::any_of(dims->begin(), dims->end(), is_ours) || has_size_one(reduction.input, dim, rank, rank_of);
}

bool has_size_one(const Value* value, std::int64_t dim, std::int64_t rank, const RankOf& rank_of) {
  Node* node = const_cast<Node*>(value->node());
  if (const auto pool = as_pool(node)) return pool_has_size_one(*pool, dim, rank, rank_of);
  if (const auto reduction = as_reduction(node)) return reduction_has_size_one(*reduction, dim, rank, rank_of);
  if (keeps_sizes(node)) return has_size_one(node->input(0), dim, rank, rank_of);
  if (is_operator(node, {"aten::unsqueeze"})) {
    const Rank added = wrapped(constant_int(node->input(1)), rank);
    if (!added || *added == dim) return added.has_value();
    return has_size_one(node->input(0), dim > *added ? dim - 1 : dim, rank - 1, rank_of);
  }
  if (is_operator(node, {"aten::squeeze"}) && node->inputs().size() == 2) {
    const Rank before = rank_of(node->input(0));
    if (before != rank + 1) return false;
    const Rank removed = wrapped(constant_int(node->input(1)), *before);
    return removed && has_size_one(node->input(0), dim >= *removed ? dim + 1 : dim, *before, rank_of);
  }
  return false;
}

// One function for each further operator. Its argument is the node.

Rank of_list(const Node* node, const RankOf&) {
  return list_length(first_argument(node, {"size", "shape", "dims", "repeats"}));
}

Rank one_more(const Node* node, const RankOf& rank) {
  const Rank before = rank(node->input(0));
  return before ? Rank(*before + 1) : std::nullopt;
}

Rank one_less(const Node* node, const RankOf& rank) {
  if (!is_tensor(node->input(0))) return std::nullopt;  // of a list: its element
  const Rank before = rank(node->input(0));
  return before && *before > 0 ? Rank(*before - 1) : std::nullopt;
}

Rank of_squeeze(const Node* node, const RankOf& rank) {
  const Rank before = rank(node->input(0));
  if (!before || node->inputs().size() != 2) return std::nullopt;
  const auto dims = constant_ints(node->input(1));
  if (!dims) return std::nullopt;
  for (const std::int64_t dim : *dims) {
    const Rank front = wrapped(dim, *before);
    if (!front || !has_size_one(node->input(0), *front, *before, rank)) return std::nullopt;
  }
  return *before - static_cast<std::int64_t>(dims->size());
}

Rank of_flatten(const Node* node, const RankOf& rank) {
  if (node->inputs().size() != 3) return std::nullopt;
  const auto first = constant_int(node->input(1));
  const auto last = constant_int(node->input(2));
  // flatten(1, -1) raises on fewer than two dimensions, so that what it returns has two.
  if (first == 1 && last == -1) return 2;
  if (first == 0 && last == -1) return 1;
  const Rank before = rank(node->input(0));
  if (!before) return std::nullopt;
  const Rank from = wrapped(first, *before);
  const Rank to = wrapped(last, *before);
  return from && to && *from <= *to ? Rank(*before - (*to - *from)) : std::nullopt;
}

Rank of_unflatten(const Node* node, const RankOf& rank) {
  const Rank before = rank(node->input(0));
  const Rank sizes = list_length(argument(node, "sizes"));
  return before && sizes ? Rank(*before + *sizes - 1) : std::nullopt;
}

Rank of_matmul(const Node* node, const RankOf& rank) {
  const Rank a = rank(node->input(0));
  const Rank b = rank(node->input(1));
  if (!a || !b || *a == 0 || *b == 0) return std::nullopt;
  const std::int64_t vectors = (*a == 1 ? 1 : 0) + (*b == 1 ? 1 : 0);
  return vectors == 2 ? 0 : std::max(*a, *b) - vectors;
}

Rank of_einsum(const Node* node, const RankOf&) {
  const auto equation = constant_string(node->input(0));
  if (!equation) return std::nullopt;
  const auto arrow = equation->find("->");
  if (arrow == std::string::npos || equation->find('.', arrow) != std::string::npos) return std::nullopt;
  return std::count_if(equation->begin() + static_cast<std::ptrdiff_t>(arrow) + 2, equation->end(),
                       [](unsigned char letter) { return std::isalpha(letter) != 0; });
}

Rank of_embedding(const Node* node, const RankOf& rank) {
  const Rank indices = rank(argument(node, "indices"));
  return indices ? Rank(*indices + 1) : std::nullopt;
}

Rank of_gather(const Node* node, const RankOf& rank) { return rank(argument(node, "index")); }

/// cat ignores empty tensors of one dimension: only where all have one is its output certain to have one.
Rank of_cat(const Node* node, const RankOf& rank) {
  const Node* list = node->input(0)->node();
  if (list->kind() != c10::prim::ListConstruct) return rank(node->input(0));
  Rank known;
  for (const Value* part : list->inputs()) {
    const Rank own = rank(part);
    if (own && *own != 1) return own;
    if (!own) return std::nullopt;
    known = own;
  }
  return known;
}

Rank of_same_elements(const Node* node, const RankOf& rank) {
  Rank known;
  for (const Value* element : node->inputs()) {
    const Rank own = rank(element);
    if (!own || (known && known != own)) return std::nullopt;
    known = own;
  }
  return known;
}

Rank of_constant(const Node* node, const RankOf&) {
  const auto stored = constant(node->output());
  return stored && stored->isTensor() && stored->toTensor().defined() ? Rank(stored->toTensor().dim()) : std::nullopt;
}

template <std::int64_t kRank>
Rank always(const Node*, const RankOf&) {
  return kRank;
}

using Rule = Rank (*)(const Node*, const RankOf&);

/// By name. Of an operator with several outputs the first is meant, unless all are told alike.
const std::unordered_map<std::string, Rule>& rules_by_name() {
  static const std::unordered_map<std::string, Rule> rules = {
      {"aten::view", of_list},
      {"aten::reshape", of_list},
      {"aten::_unsafe_view", of_list},
      {"aten::permute", of_list},
      {"aten::expand", of_list},
      {"aten::broadcast_to", of_list},
      {"aten::as_strided", of_list},
      {"aten::repeat", of_list},
      {"aten::zeros", of_list},
      {"aten::ones", of_list},
      {"aten::full", of_list},
      {"aten::empty", of_list},
      {"aten::rand", of_list},
      {"aten::randn", of_list},
      {"aten::new_zeros", of_list},
      {"aten::new_ones", of_list},
      {"aten::new_full", of_list},
      {"aten::new_empty", of_list},
      {"aten::affine_grid_generator", of_list},
      {"aten::arange", always<1>},
      {"aten::linspace", always<1>},
      {"aten::eye", always<2>},
      {"aten::unsqueeze", one_more},
      {"aten::unfold", one_more},
      {"aten::one_hot", one_more},
      {"aten::diag_embed", one_more},
      {"aten::stack", one_more},
      {"aten::col2im", one_more},
      {"aten::im2col", one_less},
      {"aten::select", one_less},
      {"aten::unbind", one_less},
      {"aten::diagonal", one_less},
      {"aten::squeeze", of_squeeze},
      {"aten::flatten", of_flatten},
      {"aten::unflatten", of_unflatten},
      {"aten::matmul", of_matmul},
      {"aten::bmm", always<3>},
      {"aten::baddbmm", always<3>},
      {"aten::mm", always<2>},
      {"aten::addmm", always<2>},
      {"aten::mv", always<1>},
      {"aten::addmv", always<1>},
      {"aten::outer", always<2>},
      {"aten::nonzero", always<2>},
      {"aten::einsum", of_einsum},
      {"aten::embedding", of_embedding},
      {"aten::embedding_bag", always<2>},
      {"aten::gather", of_gather},
      {"aten::take", of_gather},
      {"aten::cat", of_cat},
      {"aten::concat", of_cat},
      {"aten::concatenate", of_cat},
      {"prim::ListConstruct", of_same_elements},
      {"prim::Constant", of_constant},
  };
  return rules;
}

}  // namespace

std::vector<Value*> outputs_of_first_rank(Node* node) {
  std::vector<Value*> outputs;
  if (node->inputs().empty() || !(is_tensor(node->input(0)) || is_tensor_list(node->input(0)))) return outputs;
  const bool all = all_outputs_keep(node) || (is_tensor(node->input(0)) && writes_its_first_input(node));
  for (Value* output : node->outputs())
    if (is_tensor(output) || is_tensor_list(output)) outputs.push_back(output);
  if (!all && first_output_keepers().count(node->kind().toQualString()) == 0) return {};
  if (!all) outputs.resize(std::min<std::size_t>(outputs.size(), 1));
  return outputs;
}

std::vector<Value*> broadcast_inputs(Node* node) {
  const auto activation = as_activation(node);
  if (!activation && !is_pointwise(node)) return {};
  std::vector<Value*> tensors;
  for (Value* input : node->inputs()) {
    if (is_tensor(input)) tensors.push_back(input);
    // An Optional[Tensor] may hold one.
    const bool may_hold_tensor = c10::TensorType::get()->isSubtypeOf(*input->type()) && !is_tensor(input);
    if (may_hold_tensor && !is_none(input)) return {};
  }
  return tensors;
}

std::optional<std::int64_t> output_rank(const Value* output, const RankOf& rank) {
  const Node* node = output->node();
  if (const auto reduction = as_reduction(node)) return rank_of_reduction(*reduction, rank);
  if (reduces_to_scalar(node) && is_tensor(output)) return 0;
  const auto rule = rules_by_name().find(node->kind().toQualString());
  return rule != rules_by_name().end() && output == node->outputs()[0] ? rule->second(node, rank) : std::nullopt;
}

}  // namespace fusekit::ir
