#pragma once

#include <torch/script.h>

#include <cstdint>
#include <vector>

#include "file/original.h"
#include "fusekit/inputs.h"

namespace fusekit::inputs {

/// forward's arguments, self left out.
using Sample = std::vector<c10::IValue>;

/// The k-th sample for explicit `options` (as resolve_inputs made them): the k-th of the file (modulo their number), or
/// random tensors drawn from seed `options.seed + k`. The same k gives the same bits.
Sample draw_sample(const InputOptions& options, std::uint64_t k);

/// All samples of the file of `options`. For callers that need many samples: draw_sample reads the file each time.
std::vector<Sample> read_samples(const InputOptions& options);

/// As fusekit::resolve_inputs, for the method of that name. The original stays as it is.
InputSummary resolve_inputs(const file::Original& original, const InputOptions& options,
                            const std::string& method = "forward");

/// The same for a module. Candidates run on `module` itself, which changes a network with state.
InputSummary resolve_inputs(const torch::jit::Module& module, const InputOptions& options,
                            const std::string& method = "forward");

}  // namespace fusekit::inputs
