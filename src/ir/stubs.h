#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <string>

// QuantStub and DeQuantStub: modules that compute nothing and by which an author marks where int8 is to begin and to end
// (torch.ao.quantization.stubs). There is no operator to tell them by, so these alone are told by their class's name;
// a trace, which has no modules that compute nothing, holds no sign of them.

namespace fusekit::ir {

/// What a call of a stub becomes while a graph is flattened, until mark_outside_of_stubs; nullptr for any other class,
/// or one of that name that computes something. `call` is replaced.
torch::jit::Node* replace_stub_call(torch::jit::Node* call, const std::string& class_name,
                                    const torch::jit::Graph& callee);

/// Marks every operator that reads nothing that comes from a QuantStub, or only past a DeQuantStub, and removes what
/// replace_stub_call left. A graph without a QuantStub gets no marks.
void mark_outside_of_stubs(torch::jit::Graph& graph);

/// Was the operator marked? The mark is part of the node's scope, which copies and rewrites pass on.
bool is_outside_of_stubs(const torch::jit::Node* node);

/// The scope without the mark, and with it.
torch::jit::ScopePtr without_mark(const torch::jit::ScopePtr& scope);
torch::jit::ScopePtr with_mark(const torch::jit::ScopePtr& scope);

}  // namespace fusekit::ir
