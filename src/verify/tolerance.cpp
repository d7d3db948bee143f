#include "verify/tolerance.h"

#include <algorithm>

namespace fusekit::gate {
namespace {

double tolerance_of(at::ScalarType dtype) {
  if (dtype == at::kBFloat16) return 1e-1;
  if (dtype == at::kHalf) return 2e-2;
  return 1e-5;
}

/// A frozen file has its weights as constants of the graph.
double of_constants(const torch::jit::Block& block) {
  double tolerance = 0;
  for (const torch::jit::Node* node : block.nodes()) {
    if (node->kind() == c10::prim::Constant && node->output()->type()->cast<c10::TensorType>() &&
        node->hasAttribute(c10::attr::value))
      tolerance = std::max(tolerance, tolerance_of(node->t(c10::attr::value).scalar_type()));
    for (const torch::jit::Block* inner : node->blocks()) tolerance = std::max(tolerance, of_constants(*inner));
  }
  return tolerance;
}

}  // namespace

double default_tolerance(const torch::jit::Module& module) {
  double tolerance = tolerance_of(at::kFloat);
  for (const at::Tensor& tensor : module.parameters())
    tolerance = std::max(tolerance, tolerance_of(tensor.scalar_type()));
  for (const at::Tensor& tensor : module.buffers()) tolerance = std::max(tolerance, tolerance_of(tensor.scalar_type()));
  for (const torch::jit::Method& method : module.get_methods())
    tolerance = std::max(tolerance, of_constants(*method.graph()->block()));
  return tolerance;
}

}  // namespace fusekit::gate
