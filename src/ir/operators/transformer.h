#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <array>
#include <cstdint>
#include <optional>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

// The operators that run a whole part of a transformer at once; traces and scripts of torch.nn's modules have them.

/// The weight and bias of one of the layers inside.
struct Affine {
  Value* weight = nullptr;
  Value* bias = nullptr;
};

/// The attention of either operator.
struct HeadedAttention {
  std::int64_t width = 0;  ///< E
  std::int64_t heads = 0;
  Affine in;  ///< of queries, keys and values: (3 E, E)
  Affine out;
};

/// aten::_native_multi_head_attention. nullopt: something else, or its settings are computed at run time.
std::optional<HeadedAttention> as_headed_attention(Node* node);

/// aten::_transformer_encoder_layer_fwd.
struct EncoderLayer {
  Node* node = nullptr;
  HeadedAttention attention;
  std::array<Affine, 2> norms;
  std::array<Affine, 2> linears;
  bool gelu = false;
  bool norm_first = false;
  double eps = 0;
};

std::optional<EncoderLayer> as_encoder_layer(Node* node);

/// Writes an attention of `input` to itself, without a mask, as linears and scaled_dot_product_attention in front of
/// `before`, each under the path of the module whose weight it has.
Value* write_self_attention(const HeadedAttention& attention, Value* input, Node* before);

/// The same for a whole layer, without a mask.
Value* write_encoder_layer(const EncoderLayer& layer);

}  // namespace fusekit::ir
