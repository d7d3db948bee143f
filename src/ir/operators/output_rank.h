#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

// How the numbers of dimensions of what an operator gives follow from those of what it is given. A list of tensors has
// the rank that all its elements have.

using RankOf = std::function<std::optional<std::int64_t>(const Value*)>;

/// The outputs of `node` that have the rank of its first input, whatever that is.
std::vector<Value*> outputs_of_first_rank(Node* node);

/// The tensors that an operator works on element by element, broadcast against each other: the rank of its output is the
/// largest of theirs. Empty for other operators, and where one of them may be None.
std::vector<Value*> broadcast_inputs(Node* node);

/// The rank of `output`, which is none of the above; `rank` tells those of the inputs. nullopt: not known, or not certain
/// for every tensor of these ranks.
std::optional<std::int64_t> output_rank(const Value* output, const RankOf& rank);

}  // namespace fusekit::ir
