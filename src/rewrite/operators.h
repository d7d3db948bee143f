#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>

namespace fusekit::rewrite {

using torch::jit::Node;
using torch::jit::Value;

/// A convolution in any of aten's spellings (conv1d/2d/3d, conv_transpose1d/2d/3d, _convolution, convolution,
/// _convolution_mode, string padding), its settings known constants.
struct Convolution {
  Node* node = nullptr;
  Value* input = nullptr;   ///< (N, C_in, ...) or, unbatched, (C_in, ...)
  Value* weight = nullptr;  ///< (C_out, C_in/groups, ...), transposed: (C_in, C_out/groups, ...)
  Value* bias = nullptr;    ///< (C_out) or None
  std::int64_t groups = 1;
  bool transposed = false;
};

std::optional<Convolution> as_convolution(Node* node);

/// aten::linear, or aten::addmm of a bias, an input and a transposed weight, as traces of old have it.
struct Linear {
  Node* node = nullptr;
  Value* input = nullptr;   ///< (..., in_features)
  Value* weight = nullptr;  ///< (out_features, in_features)
  Value* bias = nullptr;    ///< (out_features) or None
  bool is_addmm = false;    ///< its input is 2-D for certain
};

std::optional<Linear> as_linear(Node* node);

/// aten::batch_norm.
struct BatchNorm {
  Node* node = nullptr;
  Value* input = nullptr;        ///< (N, C, ...)
  Value* gamma = nullptr;        ///< (C) or None
  Value* beta = nullptr;         ///< (C) or None
  Value* mean = nullptr;         ///< (C) or None
  Value* var = nullptr;          ///< (C) or None
  std::optional<bool> training;  ///< nullopt: decided at run time
  std::optional<double> eps;
};

std::optional<BatchNorm> as_batch_norm(Node* node);

bool is_convolution(Node* node);  ///< not transposed
bool is_transposed_convolution(Node* node);
bool is_linear(Node* node);
bool is_batch_norm(Node* node);
bool is_relu(Node* node);  ///< aten::relu or aten::relu_

/// The value that a node of one of these families transforms; nullptr for others.
Value* data_input(Node* node);

}  // namespace fusekit::rewrite
