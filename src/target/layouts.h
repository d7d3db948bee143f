#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <vector>

#include "inputs/observed_tensors.h"

namespace fusekit::target {

/// Does the operator give its output in the memory layout of its first input, element by element or channel by channel?
/// (Those of several tensors, arithmetic and concatenation, are not among them.)
bool keeps_layout(const torch::jit::Node* node);

/// Does the operator give other numbers for data that lies otherwise in memory? Random ones do: they are drawn in the order of
/// the memory.
bool tells_layouts_apart(const torch::jit::Node* node);

/// Can the graph tell how its data lies in memory, other than by raising? What keep_contiguous asks does
/// not count: that is of data that stays as it is.
bool looks_at_memory(torch::jit::Graph& graph);

/// How the data of a graph lies in memory after a change, value by value.
struct AnyLayout {
  using Question = std::function<bool(const torch::jit::Value*)>;

  Question may_lie_otherwise = [](const torch::jit::Value*) { return true; };
  /// Before the change; what was not is left as it is: the network asked for its layout.
  Question was_contiguous = [](const torch::jit::Value*) { return true; };
};

/// Lets operators that only take contiguous memory have it: a `view` becomes a `reshape`, which copies where it must;
/// operators of other libraries, and those that tell layouts apart, get contiguous tensors.
void read_any_layout(torch::jit::Graph& graph, const AnyLayout& data);

/// Does the node put its inputs into a tuple, list or dict?
bool makes_container(const torch::jit::Node* node);

/// Where the graph gives tensors out, be it in tuples, lists and dicts: the node that takes one, and its place there.
std::vector<torch::jit::Use> places_of_outputs(torch::jit::Graph& graph);

/// Lets the tensors at these places be contiguous, unless all of `sources` that are computed before are in channels_last (and
/// not contiguous as well): then they are left as they are. `sources`: tensors of the graph's own block. What was treated so
/// before stays.
void keep_contiguous(torch::jit::Graph& graph, const std::vector<torch::jit::Use>& places,
                     const std::vector<torch::jit::Value*>& sources);

}  // namespace fusekit::target
