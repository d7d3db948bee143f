#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/tree.h"
#include "fusekit/write.h"

namespace torch::jit {
struct Module;
}

namespace fusekit {

/// "conv_bn_relu", "resnet18", "mobilenet_v2".
std::vector<std::string> example_names();

/// One of the examples in eval(), as torch.jit.script would have made it from PyTorch's and torchvision's classes: the
/// same class names, parameter names, constants and checks. All take one float tensor [N,3,H,W]. Weights are drawn from
/// `seed`; BatchNorm's statistics and affine are not the defaults, and activations keep their scale through the depth.
/// Error{usage} for an unknown name.
torch::jit::Module make_example(const std::string& name, std::uint64_t seed = 0);

/// Writes make_example(name, seed) to `output` as it is, and returns its tree. Error as `write`.
ModuleTree write_example(const std::string& name, std::uint64_t seed, const std::filesystem::path& output,
                         const WriteOptions& options = {});

}  // namespace fusekit
