#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// A convolution in any of its spellings: aten::conv{1,2,3}d, aten::conv_transpose{1,2,3}d, and what traces have,
/// aten::_convolution, aten::convolution and aten::_convolution_mode.
struct Convolution {
  Node* node = nullptr;
  Value* input = nullptr;   ///< (N, C_in, ...), in some spellings also without N
  Value* weight = nullptr;  ///< (C_out, C_in / groups, ...), transposed: (C_in, C_out / groups, ...)
  Value* bias = nullptr;    ///< (C_out) or None
  std::int64_t groups = 1;
  bool transposed = false;
  bool checks_rank = false;  ///< raises on data of another rank than the weight's
};

/// nullopt: `node` is no convolution, or its groups or direction are computed at run time.
std::optional<Convolution> as_convolution(Node* node);

/// A convolution's settings, one number for each spatial dimension (1 to 3).
struct Geometry {
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> padding;      ///< zeros in front of the first element
  std::vector<std::int64_t> padding_end;  ///< zeros behind the last one: others than in front only with padding="same"
  std::vector<std::int64_t> dilation;
  std::vector<std::int64_t> output_padding;  ///< of a transposed convolution, else zeros

  [[nodiscard]] std::size_t spatial() const { return stride.size(); }
};

/// `weight`: the convolution's own. nullopt: a setting is computed at run time, or the weight has no spatial dimension.
std::optional<Geometry> geometry_of(const Convolution& convolution, const at::Tensor& weight);

/// The channels that a convolution with this weight takes.
std::int64_t input_channels(const Convolution& convolution, const at::Tensor& weight);

}  // namespace fusekit::ir
