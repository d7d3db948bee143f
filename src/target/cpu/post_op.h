#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <string>
#include <vector>

namespace fusekit::target {

/// What oneDNN does to an operator's result before it is stored, as the `attr`, `scalars` and `algorithm` of
/// mkldnn::_convolution_pointwise and mkldnn::_linear_pointwise (PyTorch: aten/src/ATen/native/mkldnn/Utils.cpp).
struct PostOp {
  std::string name = "none";
  std::vector<double> scalars;
  std::optional<std::string> algorithm;
};

/// The post-op that computes what the activation `node` computes; nullopt: there is none, or `node` is none.
std::optional<PostOp> post_op_of(torch::jit::Node* node);

}  // namespace fusekit::target
