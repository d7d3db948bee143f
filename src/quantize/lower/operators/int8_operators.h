#pragma once

#include "ir/memory_layout.h"
#include "quantize/lower/clamps.h"
#include "quantize/lower/emitter.h"

namespace fusekit::quantize {

// Each file of this folder defines one of these.
Conversion convolution();
Conversion transposed_convolution();
Conversion linear();
Conversion batch_norm();
Conversion addition();
Conversion multiplication();
Conversion concatenation();
std::vector<Conversion> activations();
std::vector<Conversion> same_scale();

/// scale and zero point as the last arguments of an operator.
inline std::vector<torch::jit::NamedValue> with_qparams(std::vector<torch::jit::NamedValue> arguments,
                                                        QParams qparams) {
  arguments.emplace_back(qparams.scale);
  arguments.emplace_back(qparams.zero_point);
  return arguments;
}

/// How many channels the step's output of `channels` is to have, for the sake of the max_pool2d that alone reads it.
std::int64_t width_for_pool(const Step& step, std::int64_t channels, const Emitter& emitter);

// What several of them share.
inline Reason nothing_against(Node*, const ir::Program&) { return {}; }
inline std::vector<Value*> first_input(Node* node) { return {node->input(0)}; }
inline std::vector<std::int64_t> any_batched_rank(Node*, const ir::Program&) { return {2, 3, 4, 5}; }
inline bool ends_in_relu(const Step& step) { return step.clamp && step.clamp->low == 0; }

/// The value, dense in channels_last.
inline Value* in_channels_last(Value* value, const Step& step) {
  const torch::jit::WithInsertPoint guard(step.front());
  Value* copy = ir::write_contiguous(value, at::MemoryFormat::ChannelsLast);
  copy->node()->copyMetadata(step.front());
  return copy;
}

/// aten's own kernel takes int8 as it is.
inline Value* emit_itself(const Step& step, Emitter& emitter) {
  emitter.int8(step.inputs[0]);
  return emitter.clone(step, step.front())->output();
}

}  // namespace fusekit::quantize
