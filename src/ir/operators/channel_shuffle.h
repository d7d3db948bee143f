#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// A channel shuffle written out: x.view(N, groups, C / groups, H, W).transpose(1, 2).contiguous().view(N, C, H, W).
struct ChannelShuffle {
  Node* node = nullptr;    ///< the last view
  Value* input = nullptr;  ///< x
  Node* split = nullptr;   ///< the first view

  /// The groups, where the sizes that x is viewed with say that it is a shuffle whatever these are. `has_rank_4`: x is known
  /// to have; else the third has to say so, too.
  [[nodiscard]] std::optional<std::int64_t> groups(bool has_rank_4) const;
};

std::optional<ChannelShuffle> as_channel_shuffle(Node* node);

}  // namespace fusekit::ir
