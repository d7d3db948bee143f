#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

namespace fusekit::file {

/// As Model::modules_in_training, for a module; none where it can't be followed.
std::vector<std::string> modules_in_training(const torch::jit::Module& root);

/// "bn1, layer1.bn2, layer1.bn3, layer2.bn1 and 16 more"; the root is "the root module".
std::string listed(const std::vector<std::string>& modules);

}  // namespace fusekit::file
