#include <array>
#include <cmath>

#include "rewrite/match.h"
#include "rewrite/rules.h"

// y = _transformer_encoder_layer_fwd(x, ...)       x: (N, L, E), without a mask: what traces of
//                                                  torch.nn.TransformerEncoderLayer under no_grad have
// ->
// a = [layer_norm](x);  q, k, v = linear(a), with heads as a dimension of their own
// s = x + linear(scaled_dot_product_attention(q, k, v));  [layer_norm]
// y = s + linear(activation(linear([layer_norm](s))));    [layer_norm]
//
// y, _ = _native_multi_head_attention(x, x, x, ...)  is the attention alone.
// Source: ATen/native/transformers/{transformer,attention}.cpp of LibTorch 2.13.

namespace fusekit::rewrite {
namespace {

using torch::jit::NamedValue;

/// The weight and bias of one of the layers inside.
struct Affine {
  Value* weight = nullptr;
  Value* bias = nullptr;
};

struct Attention {
  std::int64_t width = 0;  ///< E
  std::int64_t heads = 0;
  Affine in;  ///< of queries, keys and values: (3 E, E)
  Affine out;
};

/// The attention of either operator; nullopt: its settings are computed at run time.
std::optional<Attention> attention_of(Node* node, const char* heads_name) {
  const auto width = ir::constant_int(ir::argument(node, "embed_dim"));
  const auto heads = ir::constant_int(ir::argument(node, heads_name));
  if (!width || !heads || *heads < 1 || *width % *heads != 0) return std::nullopt;
  const auto affine = [&](const char* weight, const char* bias) {
    return Affine{ir::argument(node, weight), ir::argument(node, bias)};
  };
  return Attention{*width, *heads, affine("qkv_weight", "qkv_bias"), affine("proj_weight", "proj_bias")};
}

/// Writes operators in front of a node, each under the path of the module whose weight it has.
class Writer {
 public:
  explicit Writer(Node* before) : before_(before), guard_(before) {}

  Value* insert(const char* op, const std::vector<NamedValue>& arguments, const Value* weight = nullptr) {
    Value* value = before_->owningGraph()->insert(c10::Symbol::fromQualString(op), arguments);
    value->node()->copyMetadata(before_);
    const auto key = weight != nullptr ? ir::weight_key(weight) : std::nullopt;
    if (key) ir::set_scope(value->node(), key->find('.') == key->npos ? "" : key->substr(0, key->rfind('.')));
    return value;
  }

  Value* linear(Value* input, const Affine& layer) {
    return insert("aten::linear", {input, layer.weight, layer.bias}, layer.weight);
  }

  Value* layer_norm(Value* input, const Affine& norm, std::int64_t width, double eps) {
    return insert("aten::layer_norm", {input, std::vector<std::int64_t>{width}, norm.weight, norm.bias, eps, true},
                  norm.weight);
  }

  /// Queries (0), keys (1) or values (2): (N, heads, L, E / heads).
  Value* heads_of(Value* projected, const Attention& attention, std::int64_t part) {
    const std::int64_t width = attention.width;
    Value* own = insert("aten::slice", {projected, 2, part * width, (part + 1) * width, 1}, attention.in.weight);
    Value* split =
        insert("aten::unflatten", {own, 2, std::vector<std::int64_t>{attention.heads, width / attention.heads}},
               attention.in.weight);
    return insert("aten::transpose", {split, 1, 2}, attention.in.weight);
  }

  Value* attend(Value* input, const Attention& attention) {
    Value* projected = linear(input, attention.in);
    std::array<Value*, 3> parts{};
    for (std::int64_t part = 0; part < 3; ++part)
      parts.at(static_cast<std::size_t>(part)) = heads_of(projected, attention, part);
    const Value* scope = attention.in.weight;
    Value* seen = weighted(parts[0], parts[1], parts[2], attention);
    Value* joined = insert("aten::flatten", {insert("aten::transpose", {seen, 1, 2}, scope), 2, 3}, scope);
    return linear(joined, attention.out);
  }

 private:
  Value* weighted(Value* query, Value* key, Value* value, const Attention& attention) {
    const Value* scope = attention.in.weight;
    const char* fused = "aten::scaled_dot_product_attention";  // LibTorch 2.0 and later
    if (!torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(fused)).empty())
      return insert(fused, {query, key, value}, scope);
    const double scale = 1 / std::sqrt(static_cast<double>(attention.width / attention.heads));
    Value* scores =
        insert("aten::matmul",
               {insert("aten::mul", {query, scale}, scope), insert("aten::transpose", {key, -2, -1}, scope)}, scope);
    Value* shares = insert("aten::softmax", {scores, -1}, scope);
    return insert("aten::matmul", {shares, value}, scope);
  }

  Node* before_;
  torch::jit::WithInsertPoint guard_;
};

Reason has_mask(const Node* node) {
  return ir::is_none(ir::argument(node, "mask")) ? Reason() : Reason(ReasonCode::masked_attention);
}

/// Both operators also take nested tensors, which only operators of that name make.
Reason may_be_nested(const Graph& graph) {
  for (const Node* node : ir::all_nodes(graph))
    if (std::string_view(node->kind().toUnqualString()).find("nested") != std::string_view::npos)
      return ReasonCode::nested_tensors;
  return {};
}

Reason attends_to_others(const Node* node) {
  const bool self = node->input(0) == node->input(1) && node->input(1) == node->input(2);
  return self ? Reason() : Reason(ReasonCode::attends_to_others);
}

struct EncoderLayer {
  Node* node = nullptr;
  Attention attention;
  std::array<Affine, 2> norms;
  std::array<Affine, 2> linears;
  bool gelu = false;
  bool norm_first = false;
  double eps = 0;
};

std::optional<EncoderLayer> encoder_layer_of(Node* node) {
  const auto attention = attention_of(node, "num_heads");
  const auto gelu = ir::constant_bool(ir::argument(node, "use_gelu"));
  const auto norm_first = ir::constant_bool(ir::argument(node, "norm_first"));
  const auto eps = ir::constant_number(ir::argument(node, "eps"));
  if (!attention || !gelu || !norm_first || !eps) return std::nullopt;
  const auto affine = [&](const char* kind, int index) {
    return Affine{ir::argument(node, fmt::format("{}_weight_{}", kind, index)),
                  ir::argument(node, fmt::format("{}_bias_{}", kind, index))};
  };
  return EncoderLayer{
      node,        *attention, {affine("norm", 1), affine("norm", 2)}, {affine("ffn", 1), affine("ffn", 2)}, *gelu,
      *norm_first, *eps};
}

Value* write(const EncoderLayer& layer) {
  Writer writer(layer.node);
  Value* input = layer.node->input(0);
  const auto norm = [&](Value* value, std::size_t index) {
    return writer.layer_norm(value, layer.norms.at(index), layer.attention.width, layer.eps);
  };
  Value* attended = writer.attend(layer.norm_first ? norm(input, 0) : input, layer.attention);
  Value* sum = writer.insert("aten::add", {attended, input});
  if (!layer.norm_first) sum = norm(sum, 0);
  Value* hidden = writer.linear(layer.norm_first ? norm(sum, 1) : sum, layer.linears[0]);
  hidden = layer.gelu ? writer.insert("aten::gelu", {hidden}) : writer.insert("aten::relu", {hidden});
  Value* output = writer.insert("aten::add", {writer.linear(hidden, layer.linears[1]), sum});
  return layer.norm_first ? output : norm(output, 1);
}

Decision decide_encoder_layer(const Site& site, Facts& facts) {
  if (facts.is_under_autocast(site.front())) return Reason(ReasonCode::under_autocast);
  const auto layer = encoder_layer_of(site.front());
  if (!layer) return Reason(ReasonCode::settings_computed);
  if (Reason reason = first_of({may_be_nested(facts.graph), has_mask(layer->node)})) return reason;
  return Rewrite{.apply = [layer = *layer](Facts&) {
    layer.node->output()->replaceAllUsesWith(write(layer));
    return std::vector<Node*>{};
  }};
}

Decision decide_self_attention(const Site& site, Facts& facts) {
  Node* node = site.front();
  if (facts.is_under_autocast(node)) return Reason(ReasonCode::under_autocast);
  const auto attention = attention_of(node, "num_head");
  if (!attention) return Reason(ReasonCode::settings_computed);
  if (Reason reason = first_of({may_be_nested(facts.graph), has_mask(node), attends_to_others(node)})) return reason;
  if (node->outputs()[1]->hasUses()) return Reason(ReasonCode::weights_are_read);
  return Rewrite{.apply = [node, attention = *attention](Facts&) {
    Writer writer(node);
    node->outputs()[0]->replaceAllUsesWith(writer.attend(node->input(0), attention));
    return std::vector<Node*>{};
  }};
}

Family operator_called(const char* op) {
  return {op, [op](Node* node) { return ir::is_operator(node, {op}); }};
}

}  // namespace

Rule encoder_layer() {
  return {.name = "encoder_layer",
          .summary = "quantize: TransformerEncoderLayer as one operator: taken apart into linears and attention",
          .pattern = {operator_called("aten::_transformer_encoder_layer_fwd")},
          .decide = decide_encoder_layer,
          .takes_apart = true,
          .tolerance = 1e-5};
}

Rule self_attention() {
  return {.name = "self_attention",
          .summary = "quantize: MultiheadAttention as one operator: taken apart into linears and attention",
          .pattern = {operator_called("aten::_native_multi_head_attention")},
          .decide = decide_self_attention,
          .takes_apart = true,
          .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
