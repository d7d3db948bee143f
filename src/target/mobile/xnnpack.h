#pragma once

#include <torch/script.h>

#include "ir/program.h"
#include "target/target.h"

namespace fusekit::target {

/// Turns convolutions and linears, with the clamp after them, into XNNPACK's operators with packed weights, by LibTorch's
/// optimizeForMobile without its folding of BatchNorms (which is wrong where a convolution is called twice or has no bias:
/// pytorch issues 76807, 104593). That freezes the tree: weights become constants of forward. The tree stays as it is, with
/// a word in `remarks`, where this LibTorch has no XNNPACK, forward writes state that freezing would lose, `training`
/// counts, or LibTorch can't do it. Quantized operators are left to the engine qnnpack.
torch::jit::Module pack_for_xnnpack(const torch::jit::Module& tree, const ir::Program& program, Remarks& remarks);

}  // namespace fusekit::target
