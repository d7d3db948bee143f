#pragma once

#include <torch/script.h>

#include <cstdint>

namespace fusekit::models {

/// The recipe's AnnotatedConvBnReLUModel (shared recipe: PyTorch's "Fuse Modules Recipe").
torch::jit::Module conv_bn_relu(std::uint64_t seed);

/// torchvision.models.resnet18 (He et al. 2016, "Deep Residual Learning for Image Recognition").
torch::jit::Module resnet18(std::uint64_t seed);

/// torchvision.models.mobilenet_v2 (Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks").
torch::jit::Module mobilenet_v2(std::uint64_t seed);

}  // namespace fusekit::models
