#pragma once

#include "inputs/observed_tensors.h"
#include "ir/program.h"
#include "target/cpu/int8/packed_int8.h"

namespace fusekit::target {

/// Turns the quantized layers of `graph` into oneDNN's operators on plain uint8 tensors (onednn::qconv2d_pointwise,
/// onednn::qlinear_pointwise), and what only moves numbers between them with them. Other operators get quint8 tensors, as
/// before. `observed`: what the graph's tensors are; what takes the place of others is noted there.
void write_onednn_int8(ir::Program& program, ir::Graph& graph, inputs::ObservedTensors& observed, PackedInt8& packed);

}  // namespace fusekit::target
