#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <string>

namespace fusekit::ir {

using torch::jit::Graph;
using torch::jit::Node;

// What FuseKit notes on nodes, as attributes: copies of a graph have them too. A rebuilt module has none.

/// The key into Program::weights of a prim::Constant that stands for a weight.
std::optional<std::string> weight_mark(const Node* node);
void set_weight_mark(Node* node, const std::string& key);

/// The group (a key of Program::groups) that the operator belongs to.
std::optional<std::int64_t> group_of(const Node* node);
void set_group(Node* node, std::int64_t group);

/// Did the operator work in place in the file, before the graph was made functional?
bool was_in_place(const Node* node);
void set_was_in_place(Node* node);
void forget_in_place(Node* node);

/// `to` belongs to the group that `from` belongs to.
void copy_group(const Node* from, Node* to);

/// Removes all marks but those of weights.
void remove_operator_marks(Graph& graph);

}  // namespace fusekit::ir
