#pragma once

#include <gtest/gtest.h>
#include <torch/csrc/jit/testing/file_check.h>
#include <torch/script.h>

#include <map>
#include <string>
#include <vector>

#include "fusekit/fuse.h"

namespace fusekit::test {

using Tensors = std::map<std::string, at::Tensor>;

/// Weight (and bias) of a layer at `path`, drawn from N(0, 1).
Tensors layer(const std::string& path, at::IntArrayRef weight_shape, bool bias = true);
/// A BatchNorm at `path` whose statistics and affine parameters are far from the defaults.
Tensors batch_norm(const std::string& path, std::int64_t channels);
Tensors operator+(Tensors a, const Tensors& b);

/// "torch.batch_norm(INPUT, self.PATH.weight, ..., False, ...)".
std::string batch_norm_call(const std::string& input, const std::string& path, const std::string& training = "False");

/// Forward's body: `conv_call`, a BatchNorm, and a sigmoid, so that nothing but conv+bn fits.
std::string conv_bn(const std::string& conv_call);

/// A 3x3 convolution of x with padding, "self.conv".
inline constexpr const char* kConv2d = "torch.conv2d(x, self.conv.weight, self.conv.bias, [1, 1], [1, 1], [1, 1], 1)";

/// A network before and after `fuse`, both as they come back from disk.
class Fused {
 public:
  Fused(const Tensors& tensors, const std::string& body, const FuseOptions& options = {});
  Fused(const torch::jit::Module& module, const FuseOptions& options = {});

  /// How often a rule fired; all rules where `rule` is empty.
  [[nodiscard]] int fired(const std::string& rule = "") const;
  /// The reasons of all declined sites, one a line.
  [[nodiscard]] std::string reasons() const;
  /// Was a site declined for this reason?
  [[nodiscard]] bool declined_for(ReasonCode code) const;
  /// Forward's graph after a reload, without the locations in its source.
  [[nodiscard]] std::string graph() const;
  /// Forward's graph in the Program before and after fuse.
  [[nodiscard]] bool is_unchanged() const { return before_ == after_; }
  /// Parameters and buffers, sorted.
  [[nodiscard]] std::vector<std::string> state_dict_names() const;

  /// Runs both three times on each of three inputs of this shape; the largest error relative to the largest output.
  double error(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat);

  torch::jit::Module original;
  torch::jit::Module module;
  FusionReport fusion;
  /// The operators of each group after `fuse`.
  std::vector<std::vector<std::string>> groups;

 private:
  std::string before_;
  std::string after_;
};

/// Checks a graph's text.
using torch::jit::testing::FileCheck;

}  // namespace fusekit::test
