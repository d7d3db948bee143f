#pragma once

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/builder.h"

namespace fusekit::models {

/// The scale of a residual branch's last BatchNorm: many sums in a row stay of one magnitude.
inline constexpr double kBranchScale = 0.5;

/// Variance that a layer's weights keep (He et al. 2015, "Delving Deep into Rectifiers"): 2 behind a ReLU, which halves
/// the second moment, 1 behind anything linear.
inline constexpr double kBehindRelu = 2;
inline constexpr double kBehindLinear = 1;

struct Conv2dOptions {
  std::int64_t in = 0;
  std::int64_t out = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;
  double gain = kBehindRelu;
};

/// A submodule under its name.
using Child = std::pair<std::string, torch::jit::Module>;

/// PyTorch's layers with weights drawn from one seed, in the order of the calls. Values are uniform rather than normal:
/// LibTorch draws those bit for bit alike on every CPU.
class Layers {
 public:
  explicit Layers(std::uint64_t seed);

  /// Without a bias, as in front of a BatchNorm.
  torch::jit::Module conv2d(const Conv2dOptions& options);
  /// `scale`: what the affine weight is about; below 1 for the last one of a residual branch, whose sums would grow.
  torch::jit::Module batch_norm2d(std::int64_t channels, double scale = 1);
  torch::jit::Module linear(std::int64_t in, std::int64_t out);
  torch::jit::Module relu();
  torch::jit::Module relu6();
  torch::jit::Module dropout(double p);
  torch::jit::Module max_pool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding);
  torch::jit::Module adaptive_avg_pool2d();
  /// QuantStub or DeQuantStub of a model that is not quantized: gives its input back.
  torch::jit::Module stub(const std::string& class_name);
  /// torch.nn.Sequential or a class derived from it; `attributes` are the derived class's own.
  torch::jit::Module sequential(const std::vector<torch::jit::Module>& children,
                                const std::string& class_name = "torch.nn.modules.container.Sequential",
                                std::vector<Slot> attributes = {});
  /// A class of the network's own: plain attributes, children, methods.
  torch::jit::Module network(const std::string& class_name, std::vector<Slot> attributes,
                             const std::vector<Child>& children, const std::string& source);

 private:
  at::Tensor uniform(at::IntArrayRef shape, double low, double high);

  Builder builder_;
  at::Generator generator_;
};

Slot integer(const std::string& name, std::int64_t value);
Slot boolean(const std::string& name, bool value);

}  // namespace fusekit::models
