#pragma once

#include <set>
#include <vector>

#include "inputs/observed_tensors.h"
#include "target/cpu/int8/packed_int8.h"
#include "target/cpu/post_op.h"

namespace fusekit::target {

/// A quantized layer with what oneDNN's operator on plain uint8 tensors does at once: a residual sum or an activation
/// behind it, and giving its result as float where nothing reads it as int8.
struct Int8Layer {
  std::vector<torch::jit::Node*> nodes;  ///< the quantized operator first; the last one's output is that of all
  Int8Weights weights;
  Levels input;
  std::vector<std::int64_t> input_sizes;
  torch::jit::Value* other = nullptr;  ///< of a sum
  Levels other_levels;
  std::string activation = "none";  ///< oneDNN's name
  std::optional<Levels> output{};   ///< nullopt: float

  [[nodiscard]] torch::jit::Node* first() const { return nodes.front(); }
  [[nodiscard]] torch::jit::Node* last() const { return nodes.back(); }
  [[nodiscard]] torch::jit::Value* x() const { return nodes.front()->input(0); }
};

/// The layer whose quantized operator is `node`, without what is `taken` by others; nullopt: it is none, or oneDNN's
/// operators don't compute it.
std::optional<Int8Layer> as_int8_layer(torch::jit::Node* node, const ir::Program& program,
                                       const inputs::ObservedTensors& observed,
                                       const std::set<const torch::jit::Node*>& taken);

}  // namespace fusekit::target
