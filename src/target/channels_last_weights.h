#pragma once

#include <set>
#include <vector>

#include "fusekit/lower.h"
#include "ir/program.h"

namespace fusekit::target {

/// Does LowerOptions::memory_format ask for it? Error{unsupported}: it is neither that nor "preserve".
bool wants_channels_last(const LowerOptions& options);

/// What of a method's graph may lie in memory otherwise than it did, because its convolutions work in channels_last.
struct InChannelsLast {
  std::set<const ir::Value*> values;
  std::vector<torch::jit::Use>
      places;                       ///< where tensors of these are given out, kept, or put where the graph can't follow
  std::vector<ir::Value*> sources;  ///< what the convolutions are given that are given none of these
};

/// Stores the weights of the methods' 2-D convolutions in channels_last: LibTorch's convolutions then work in that layout and
/// give their results so, where they else copy all data into a layout of oneDNN's and back. Weights that anything else
/// reads or shares memory with stay as they are. One for each method; all are empty, and nothing is changed, where
/// - weights are so already: then the network gives its results so,
/// - it does not pay: no convolution follows on another, or most are followed by an operator that goes back to contiguous
///   memory,
/// - a graph might do something else for it: it asks how data lies in memory, draws random numbers in its order, or
///   writes into it or into what may be another name for it.
std::vector<InChannelsLast> put_weights_in_channels_last(ir::Program& program);

/// Lets the graph of a method run on such data, and what it gives out, and the state that it keeps, lie in memory as before:
/// contiguous, unless the data that its convolutions are given is in channels_last.
void run_in_channels_last(ir::Graph& graph, const InChannelsLast& data);

/// The same for an int8 graph, whose convolutions and BatchNorms work in channels_last whatever they are given. Where the graph might do
/// something else for it, data is contiguous as soon as it is float.
void keep_layouts_of_int8(ir::Graph& graph);

}  // namespace fusekit::target
