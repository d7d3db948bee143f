#pragma once

#include <set>

#include "fusekit/lower.h"
#include "ir/program.h"

namespace fusekit::target {

/// Does LowerOptions::memory_format ask for it? Error{unsupported}: it is neither that nor "preserve".
bool wants_channels_last(const LowerOptions& options);

/// What of a method's graph may lie in memory otherwise than it did, because its convolutions work in channels_last.
using InChannelsLast = std::set<const ir::Value*>;

/// What int8 convolutions give, and what follows on it: they work in that layout whatever they are given.
InChannelsLast made_by_int8_convolutions(ir::Graph& graph);

/// Stores the weights of the method's 2-D convolutions in channels_last: LibTorch's convolutions then work in that layout and
/// give their results so, where they else copy all data into a layout of oneDNN's and back. Weights that anything else
/// reads stay as they are. Empty, and nothing is changed, where
/// - weights are so already: then the network gives its results so,
/// - it does not pay: no convolution follows on another, or most are followed by an operator that goes back to contiguous
///   memory,
/// - the graph might do something else for it: it asks how data lies in memory, draws random numbers in its order, or
///   writes into it.
InChannelsLast put_weights_in_channels_last(ir::Program& program, const ir::Method& method);

/// Lets the graph of that method run on such data, and what it gives out, and the state that it keeps, lie in memory as
/// before: contiguous, unless the first tensor that it is given is in channels_last.
void run_in_channels_last(ir::Graph& graph, const InChannelsLast& values);

}  // namespace fusekit::target
