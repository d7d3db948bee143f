#pragma once

#include <torch/script.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "file/original.h"
#include "fusekit/inputs.h"

namespace fusekit::inputs {

/// forward's arguments, self left out.
using Sample = std::vector<c10::IValue>;

/// The k-th sample for explicit `options` (as resolve_inputs made them): the k-th of the file (modulo their number), or
/// random tensors drawn from seed `options.seed + k`. The same k gives the same bits.
Sample draw_sample(const InputOptions& options, std::uint64_t k);

/// draw_sample for callers that need many: a file is read once, as long as its samples are asked for in turn.
std::function<Sample(std::uint64_t k)> sampler(const InputOptions& options);

/// Gives the network again, in the state that its file has it in.
using Fresh = std::function<torch::jit::Module()>;

/// As fusekit::resolve_inputs, for the method of that name. The original stays as it is.
InputSummary resolve_inputs(const file::Original& original, const InputOptions& options,
                            const std::string& method = "forward");

/// The same for a module. Candidates, and rows of a file, run on `module` itself, which changes a network with state.
InputSummary resolve_inputs(const torch::jit::Module& module, const InputOptions& options,
                            const std::string& method = "forward");

}  // namespace fusekit::inputs
