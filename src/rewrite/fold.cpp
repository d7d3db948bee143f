#include "rewrite/fold.h"

#include <torch/csrc/jit/ir/constants.h>

#include <cmath>
#include <utility>

#include "model/flatten.h"
#include "rewrite/match.h"

namespace fusekit::rewrite {
namespace {

/// What a convolution and a linear have in common here.
struct Affine {
  Value* weight = nullptr;
  Value* bias = nullptr;
  std::int64_t groups = 1;
  bool transposed = false;
};

Affine affine_of(Node* node) {
  if (const auto convolution = as_convolution(node))
    return {convolution->weight, convolution->bias, convolution->groups, convolution->transposed};
  const auto linear = as_linear(node);
  return {linear->weight, linear->bias, 1, false};
}

std::int64_t output_channels(const at::Tensor& weight, const Affine& affine) {
  return affine.transposed ? weight.size(1) * affine.groups : weight.size(0);
}

/// s and shift of y = s x + shift, in double, of shape (C).
struct ScaleAndShift {
  at::Tensor scale;
  at::Tensor shift;
};

ScaleAndShift scale_and_shift(const BatchNorm& bn, const model::Program& program) {
  const at::Tensor mean = model::constant_tensor(program, bn.mean)->to(at::kDouble);
  const at::Tensor var = model::constant_tensor(program, bn.var)->to(at::kDouble);
  at::Tensor scale = (var + *bn.eps).rsqrt();
  if (!model::is_none(bn.gamma)) scale = scale * model::constant_tensor(program, bn.gamma)->to(at::kDouble);
  at::Tensor shift = -mean * scale;
  if (!model::is_none(bn.beta)) shift = shift + model::constant_tensor(program, bn.beta)->to(at::kDouble);
  return {scale, shift};
}

/// The scale along the output channels of a weight: dimension 0, or for a transposed convolution dimension 1 within
/// each group of dimension 0.
at::Tensor scaled(const at::Tensor& weight, const at::Tensor& scale, const Affine& affine) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  const at::Tensor wide = weight.to(at::kDouble);
  if (!affine.transposed) {
    shape[0] = scale.numel();
    return wide * scale.view(shape);
  }
  std::vector<std::int64_t> grouped = weight.sizes().vec();
  grouped[0] /= affine.groups;
  grouped.insert(grouped.begin(), affine.groups);
  shape.insert(shape.begin(), affine.groups);
  shape[2] = weight.size(1);
  return (wide.reshape(grouped) * scale.view(shape)).reshape(weight.sizes());
}

Folded fold(const Affine& affine, const BatchNorm& bn, const model::Program& program) {
  const at::NoGradGuard no_grad;
  const at::Tensor weight = *model::constant_tensor(program, affine.weight);
  const auto [scale, shift] = scale_and_shift(bn, program);
  at::Tensor bias = shift;
  if (!model::is_none(affine.bias)) bias = bias + scale * model::constant_tensor(program, affine.bias)->to(at::kDouble);
  return {scaled(weight, scale, affine).to(weight.scalar_type()).contiguous(weight.suggest_memory_format()),
          bias.to(weight.scalar_type())};
}

bool is_plain(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && tensor.device().is_cpu() && !tensor.is_quantized() &&
         at::isFloatingType(tensor.scalar_type());
}

/// Why a value is not a constant tensor that a fold can use.
WhyNot not_constant(const Value* value, const std::string& what, const Context& context) {
  const auto tensor = model::constant_tensor(context.program, value);
  if (tensor) {
    if (!is_plain(*tensor)) return fmt::format("its {} is not a dense floating-point tensor", what);
    return std::nullopt;
  }
  const Node* node = value->node();
  if (node->kind() == c10::prim::GetAttr)
    return fmt::format("its {} {} is written by a method", what, node->s(c10::attr::name));
  if (node->kind() == c10::prim::Param) return fmt::format("its {} is an input", what);
  return fmt::format("its {} is computed by {}", what, node->kind().toQualString());
}

WhyNot not_constant_or_none(const Value* value, const std::string& what, const Context& context) {
  return model::is_none(value) ? std::nullopt : not_constant(value, what, context);
}

WhyNot other_sizes(const Affine& affine, const BatchNorm& bn, const Context& context) {
  const auto size = [&](const Value* value) { return model::constant_tensor(context.program, value)->numel(); };
  const at::Tensor weight = *model::constant_tensor(context.program, affine.weight);
  if (weight.dim() < 2) return "its weight has fewer than two dimensions";
  const std::int64_t channels = output_channels(weight, affine);
  for (const Value* value : {bn.mean, bn.var, bn.gamma, bn.beta, affine.bias})
    if (!model::is_none(value) && size(value) != channels)
      return fmt::format("it has {} output channels and the BatchNorm {}", channels, size(value));
  return std::nullopt;
}

std::int64_t expected_rank(Node* node, const Context& context) {
  if (is_linear(node)) return 2;
  return model::constant_tensor(context.program, affine_of(node).weight)->dim();
}

/// Does this operator itself raise on data of another rank?
bool insists_on_rank(Node* node) {
  if (const auto linear = as_linear(node)) return linear->is_addmm;
  return node->kind() == c10::aten::_convolution || node->kind() == c10::aten::convolution ||
         node->kind() == c10::Symbol::aten("_convolution_mode");
}

/// The rank of what goes into the BatchNorm, where it is certain.
std::optional<std::int64_t> rank_at(Node* node, Node* batch_norm, Context& context) {
  if (insists_on_rank(node)) return expected_rank(node, context);
  return context.rank(data_input(batch_norm), batch_norm);
}

/// One name for what is folded, so that a fold at two places makes one pair of tensors.
std::string fold_key(const Affine& affine, const BatchNorm& bn) {
  std::string key = fmt::format("{}|{}|{}", affine.groups, affine.transposed, *bn.eps);
  for (const Value* value : {affine.weight, affine.bias, bn.mean, bn.var, bn.gamma, bn.beta}) {
    const auto name = model::weight_key(value);
    if (!name && !model::is_none(value)) return "";
    key += "|" + name.value_or("None");
  }
  return key;
}

/// The module in which the folded tensors live, "" with no name for anonymous weights.
std::string sibling(const model::Weight* weight, const std::string& name) {
  const auto dot = weight->path.rfind('.');
  return dot == std::string::npos ? name : model::join_path(weight->path.substr(0, dot), name);
}

std::size_t argument_index(const Node* node, const std::string& name) {
  return static_cast<std::size_t>(*node->schema().argumentIndexWithName(name));
}

struct NewWeights {
  Value* weight = nullptr;
  Value* bias = nullptr;
};

NewWeights add_folded(Node* node, const Affine& affine, const BatchNorm& bn, Context& context) {
  model::Program& program = context.program;
  const std::string key = fold_key(affine, bn);
  if (const auto known = program.folds.find(key); !key.empty() && known != program.folds.end())
    return {model::insert_weight(program, node, known->second.first),
            model::insert_weight(program, node, known->second.second)};
  const Folded folded = context.folded ? *std::exchange(context.folded, {}) : fold(affine, bn, program);
  const model::Weight* weight = model::weight_of(program, affine.weight);
  const model::Weight* bias = model::weight_of(program, affine.bias);
  const std::string weight_path = weight != nullptr ? weight->path : "";
  const std::string bias_path = bias != nullptr ? bias->path : weight != nullptr ? sibling(weight, "bias") : "";
  const NewWeights added{model::add_weight(program, node, weight_path, folded.weight, weight),
                         model::add_weight(program, node, bias_path, folded.bias, bias != nullptr ? bias : weight)};
  if (!key.empty()) program.folds[key] = {*model::weight_key(added.weight), *model::weight_key(added.bias)};
  return added;
}

/// The same operator on other weights.
Node* with_weights(Node* node, const NewWeights& weights, Context& context) {
  const auto linear = as_linear(node);
  const bool is_addmm = linear && linear->is_addmm;
  const torch::jit::WithInsertPoint guard(node);
  Value* weight = is_addmm ? context.graph.insert(c10::aten::t, {weights.weight}) : weights.weight;
  node->replaceInput(argument_index(node, is_addmm ? "mat2" : "weight"), weight);
  node->replaceInput(argument_index(node, is_addmm ? "self" : "bias"), weights.bias);
  return node;
}

/// The operator that computes the same on batched data and raises on any other: aten::_convolution (with string padding
/// aten::_convolution_mode) for a convolution, aten::addmm for a linear.
Node* strict_with_weights(Node* node, const NewWeights& weights, Context& context) {
  torch::jit::Graph& graph = context.graph;
  const torch::jit::WithInsertPoint guard(node);
  Value* output = nullptr;
  if (const auto linear = as_linear(node)) {
    output =
        graph.insert(c10::aten::addmm, {weights.bias, linear->input, graph.insert(c10::aten::t, {weights.weight})});
  } else {
    const auto argument = [&](const char* name) { return torch::jit::NamedValue(node->namedInput(name)); };
    const Convolution convolution = *as_convolution(node);
    const bool named_padding = node->namedInput("padding")->type()->isSubtypeOf(*c10::StringType::get());
    if (named_padding) {
      output = graph.insert(c10::Symbol::aten("_convolution_mode"),
                            {convolution.input, weights.weight, weights.bias, argument("stride"), argument("padding"),
                             argument("dilation"), convolution.groups});
    } else {
      const std::vector<std::int64_t> no_padding(static_cast<std::size_t>(expected_rank(node, context) - 2), 0);
      const torch::jit::NamedValue output_padding =
          convolution.transposed ? argument("output_padding") : torch::jit::NamedValue(no_padding);
      output =
          graph.insert(c10::aten::_convolution, {convolution.input, weights.weight, weights.bias, argument("stride"),
                                                 argument("padding"), argument("dilation"), convolution.transposed,
                                                 output_padding, convolution.groups, /*benchmark=*/false,
                                                 /*deterministic=*/false, /*cudnn_enabled=*/true, /*allow_tf32=*/true});
    }
  }
  output->node()->copyMetadata(node);
  output->node()->setScope(node->scope());
  return output->node();
}

}  // namespace

WhyNot batch_norm_is_not_constant(Node* node, const Context& context) {
  const BatchNorm bn = *as_batch_norm(node);
  if (model::is_none(bn.mean) || model::is_none(bn.var)) return "its BatchNorm has no running statistics";
  if (!bn.training) return "whether its BatchNorm uses batch statistics is decided at run time";
  if (*bn.training) return "its BatchNorm uses batch statistics (it was saved in training mode)";
  if (!bn.eps) return "the BatchNorm's eps is computed";
  const WhyNot reason = first_of({not_constant(bn.mean, "BatchNorm's running mean", context),
                                  not_constant(bn.var, "BatchNorm's running variance", context),
                                  not_constant_or_none(bn.gamma, "BatchNorm's weight", context),
                                  not_constant_or_none(bn.beta, "BatchNorm's bias", context)});
  if (reason) return reason;
  const at::Tensor var = model::constant_tensor(context.program, bn.var)->to(at::kDouble) + *bn.eps;
  if (!at::logical_and(var > 0, at::isfinite(var)).all().item<bool>())
    return "the BatchNorm's var + eps is not positive and finite";
  return std::nullopt;
}

WhyNot weight_is_not_constant(Node* node, const Context& context) {
  const Affine affine = affine_of(node);
  return first_of({not_constant(affine.weight, "weight", context), not_constant_or_none(affine.bias, "bias", context)});
}

WhyNot weight_cannot_take(Node* node, Node* batch_norm, Context& context) {
  context.folded.reset();
  const Affine affine = affine_of(node);
  const BatchNorm bn = *as_batch_norm(batch_norm);
  if (const WhyNot sizes = other_sizes(affine, bn, context)) return sizes;
  Folded folded = fold(affine, bn, context.program);
  // A NaN or an infinity anywhere shows in the extremes, in one pass.
  const auto finite = [](const at::Tensor& tensor) {
    const bool half = tensor.scalar_type() == at::kHalf;  // LibTorch 1.13 has no aminmax of it
    const auto [low, high] = at::aminmax(half ? tensor.to(at::kFloat) : tensor);
    return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
  };
  if (!finite(folded.weight) || !finite(folded.bias))
    return fmt::format("the folded weights leave the finite range of {}", c10::toString(folded.weight.scalar_type()));
  context.folded = std::move(folded);
  return std::nullopt;
}

WhyNot convolution_is_not_batched(Node* node, Node* batch_norm, Context& context) {
  const auto rank = rank_at(node, batch_norm, context);
  if (!rank || *rank == expected_rank(node, context)) return std::nullopt;
  return fmt::format("its data has {} dimensions, no batch among them", *rank);
}

WhyNot linear_is_not_two_dimensional(Node* node, Node* batch_norm, Context& context) {
  const auto rank = rank_at(node, batch_norm, context);
  if (rank == 2) return std::nullopt;
  if (rank) return fmt::format("its data has {} dimensions: BatchNorm normalizes dimension 1, not the features", *rank);
  const auto promised = context.promised_rank(data_input(batch_norm), batch_norm);
  if (promised == 2) return std::nullopt;
  if (promised) return fmt::format("its data has {} dimensions by the inputs that were given", *promised);
  return "its data is not known to have two dimensions (--input_dims tells)";
}

WhyNot convolution_cannot_take_batch_norm(const Site& site, Context& context) {
  Node* convolution = site.nodes[0];
  Node* batch_norm = site.nodes[1];
  if (const WhyNot reason = stands_in_several_blocks(site)) return reason;
  if (const WhyNot reason = something_else_reads(site, 0)) return reason;
  if (const WhyNot reason = batch_norm_is_not_constant(batch_norm, context)) return reason;
  if (const WhyNot reason = weight_is_not_constant(convolution, context)) return reason;
  if (const WhyNot reason = convolution_is_not_batched(convolution, batch_norm, context)) return reason;
  return weight_cannot_take(convolution, batch_norm, context);
}

WhyNot relu_cannot_work_in_place(const Site& site, Context&) {
  if (const WhyNot reason = stands_in_several_blocks(site)) return reason;
  return something_else_reads(site, site.nodes.size() - 2);
}

Node* fold_batch_norm(const Site& site, Context& context) {
  Node* node = site.nodes.at(0);
  Node* batch_norm = site.nodes.at(1);
  const bool proven = rank_at(node, batch_norm, context).has_value();
  const NewWeights added = add_folded(node, affine_of(node), *as_batch_norm(batch_norm), context);
  Node* folded = proven ? with_weights(node, added, context) : strict_with_weights(node, added, context);
  if (!proven) context.learn_rank(node->output(), expected_rank(folded, context), folded);
  batch_norm->output()->replaceAllUsesWith(folded->output());
  batch_norm->destroy();
  if (folded != node) {
    node->output()->replaceAllUsesWith(folded->output());
    node->destroy();
    context.note = fmt::format("it now insists on {}-D data", expected_rank(folded, context));
  }
  return folded;
}

void group_with_relu(const Site& site, std::string_view rule, Context& context) {
  Node* activation = site.back();
  std::vector<Node*> group(site.nodes.begin(), site.nodes.end());
  if (activation->kind() == c10::aten::relu) {
    const torch::jit::WithInsertPoint guard(activation);
    Node* in_place = context.graph.insertNode(
        context.graph.create(c10::Symbol::fromQualString("aten::relu_"), {activation->input()}));
    in_place->copyMetadata(activation);
    activation->output()->replaceAllUsesWith(in_place->output());
    activation->destroy();
    group.back() = in_place;
  }
  context.program.groups.push_back({std::string(rule), std::move(group)});
}

}  // namespace fusekit::rewrite
