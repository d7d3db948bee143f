#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

// Who reads a value, and how.

/// Does this operator read no more of a tensor than its shape? An int8 tensor answers it as well as a float one.
bool reads_only_shape(const Node* node);

/// Does it read no more than shape, dtype, device and layout: what a rewrite of float operators leaves as it was?
bool reads_only_metadata(const Node* node);

/// The one node that has `value` among its inputs, once; nullptr where there are none or several.
Node* only_user(const Value* value);

/// The one node that reads more of `value` than its shape; nullptr where there are none or several.
Node* only_reader(const Value* value);

/// Does this operator write into one of its inputs?
bool writes_in_place(const Node* node);

/// Does the node, or anything in its blocks, write into a tensor or set an attribute?
bool has_writes(const Node* node);

/// Does this operator no more with a list that it is given than look at it?
bool only_reads_list(const Node* node);

/// Is this value memory of its own, not a view of another tensor, as far as the operator's schema says?
bool has_own_memory(const Value* value);

/// Might this use keep the memory of the value under another name?
bool makes_alias(const torch::jit::Use& use);

/// Does nothing need what `reader` reads of `value` from there on, views of it looked through?
bool is_last_reader(const Value* value, const Node* reader);

}  // namespace fusekit::ir
