#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace fusekit::ir {

using torch::jit::Graph;

// Between the rooms a graph is functional: an operator gives a new tensor and changes none. What works in place and can
// be seen by others (a buffer that is updated, an input that is written to) stays as it is.

/// Replaces in-place operators (relu_, add_, hardtanh_) by their out-of-place forms where nothing can tell them apart:
/// what they write was computed in the same block, by a node whose output is no view, and no view of it is read. The
/// new nodes are marked (marks.h, was_in_place).
void make_functional(Graph& graph);

/// The way back, for a finished graph: operators that worked in place, and the activation at the end of each fused group,
/// work in place where what they write is memory of its own that nothing reads afterwards.
void make_in_place(Graph& graph);

/// Replaces `list.append(x)` by a new, longer list where everything that uses the list stands in one block and only reads
/// it or appends to it, as scripted DenseNets collect their features.
void unroll_appends(Graph& graph);

/// Replaces `a, b = list` by list[0], list[1]: one tensor a node.
void pick_list_elements(Graph& graph);

}  // namespace fusekit::ir
