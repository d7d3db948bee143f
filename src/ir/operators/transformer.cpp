#include "ir/operators/transformer.h"

#include <fmt/format.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "ir/constants.h"
#include "ir/program.h"

// Source: ATen/native/transformers/{transformer,attention}.cpp of LibTorch 2.13.

namespace fusekit::ir {
namespace {

using torch::jit::NamedValue;

std::optional<HeadedAttention> attention_inside(Node* node, const char* heads_name) {
  const auto width = constant_int(argument(node, "embed_dim"));
  const auto heads = constant_int(argument(node, heads_name));
  if (!width || !heads || *heads < 1 || *width % *heads != 0) return std::nullopt;
  const auto affine = [&](const char* weight, const char* bias) {
    return Affine{argument(node, weight), argument(node, bias)};
  };
  return HeadedAttention{*width, *heads, affine("qkv_weight", "qkv_bias"), affine("proj_weight", "proj_bias")};
}

/// Writes operators in front of a node, each under the path of the module whose weight it has.
class Writer {
 public:
  explicit Writer(Node* before) : before_(before), guard_(before) {}

  Value* insert(const char* op, const std::vector<NamedValue>& arguments, const Value* weight = nullptr) {
    Value* value = before_->owningGraph()->insert(c10::Symbol::fromQualString(op), arguments);
    value->node()->copyMetadata(before_);
    const auto key = weight != nullptr ? weight_key(weight) : std::nullopt;
    if (key) set_scope(value->node(), key->find('.') == key->npos ? "" : key->substr(0, key->rfind('.')));
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
  Value* heads_of(Value* projected, const HeadedAttention& attention, std::int64_t part) {
    const std::int64_t width = attention.width;
    Value* own = insert("aten::slice", {projected, 2, part * width, (part + 1) * width, 1}, attention.in.weight);
    Value* split =
        insert("aten::unflatten", {own, 2, std::vector<std::int64_t>{attention.heads, width / attention.heads}},
               attention.in.weight);
    return insert("aten::transpose", {split, 1, 2}, attention.in.weight);
  }

  Value* attend(Value* input, const HeadedAttention& attention) {
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
  Value* weighted(Value* query, Value* key, Value* value, const HeadedAttention& attention) {
    const Value* scope = attention.in.weight;
    const char* fused = "aten::scaled_dot_product_attention";  // LibTorch 2.0 and later
    if (!torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(fused)).empty())
      return insert(fused, {query, key, value}, scope);
    const std::int64_t width_of_head = attention.width / attention.heads;
    const double scale = 1 / std::sqrt(static_cast<double>(width_of_head));
    Value* scores =
        insert("aten::matmul",
               {insert("aten::mul", {query, scale}, scope), insert("aten::transpose", {key, -2, -1}, scope)}, scope);
    Value* shares = insert("aten::softmax", {scores, -1}, scope);
    return insert("aten::matmul", {shares, value}, scope);
  }

  Node* before_;
  torch::jit::WithInsertPoint guard_;
};

}  // namespace

std::optional<HeadedAttention> as_headed_attention(Node* node) {
  if (!is_operator(node, {"aten::_native_multi_head_attention"})) return std::nullopt;
  return attention_inside(node, "num_head");
}

std::optional<EncoderLayer> as_encoder_layer(Node* node) {
  if (!is_operator(node, {"aten::_transformer_encoder_layer_fwd"})) return std::nullopt;
  const auto attention = attention_inside(node, "num_heads");
  const auto gelu = constant_bool(argument(node, "use_gelu"));
  const auto norm_first = constant_bool(argument(node, "norm_first"));
  const auto eps = constant_number(argument(node, "eps"));
  if (!attention || !gelu || !norm_first || !eps) return std::nullopt;
  const auto affine = [&](const char* kind, int index) {
    return Affine{argument(node, fmt::format("{}_weight_{}", kind, index)),
                  argument(node, fmt::format("{}_bias_{}", kind, index))};
  };
  return EncoderLayer{
      node,        *attention, {affine("norm", 1), affine("norm", 2)}, {affine("ffn", 1), affine("ffn", 2)}, *gelu,
      *norm_first, *eps};
}

Value* write_self_attention(const HeadedAttention& attention, Value* input, Node* before) {
  return Writer(before).attend(input, attention);
}

Value* write_encoder_layer(const EncoderLayer& layer) {
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

}  // namespace fusekit::ir
