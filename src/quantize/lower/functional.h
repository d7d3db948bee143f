#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace fusekit::quantize {

/// Replaces in-place operators (relu_, add_, hardtanh_) by their out-of-place forms where nothing can tell them apart:
/// what they write was computed in the same block, by a node whose output is no view, and no view of it is read.
void make_functional(torch::jit::Graph& graph);

/// Does this operator no more with a list that it is given than look at it?
bool only_reads_list(const torch::jit::Node* node);

/// Replaces `list.append(x)` by a new, longer list where everything that uses the list stands in one block and only reads
/// it or appends to it, as scripted DenseNets collect their features.
void unroll_appends(torch::jit::Graph& graph);

/// Replaces `a, b = list` by list[0], list[1]: one tensor a node.
void pick_list_elements(torch::jit::Graph& graph);

}  // namespace fusekit::quantize
