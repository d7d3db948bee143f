#include "target/mobile/xnnpack.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/csrc/jit/passes/xnnpack_rewrite.h>

#include <set>

#include "fusekit/runtime.h"
#include "ir/operators/layer.h"

namespace fusekit::target {
namespace {

struct LayerCounts {
  std::size_t packed = 0;
  std::size_t plain = 0;
};

void count(torch::jit::Block* block, LayerCounts& counts) {
  static const std::set<std::string> packed = {"prepacked::conv2d_clamp_run", "prepacked::conv2d_transpose_clamp_run",
                                               "prepacked::linear_clamp_run"};
  for (torch::jit::Node* node : block->nodes()) {
    if (packed.count(node->kind().toQualString()) > 0) ++counts.packed;
    if (ir::as_layer(node)) ++counts.plain;
    for (torch::jit::Block* inner : node->blocks()) count(inner, counts);
  }
}

LayerCounts layers_of(const torch::jit::Module& module) {
  LayerCounts counts;
  for (const torch::jit::Method& method : module.get_methods()) count(method.graph()->block(), counts);
  return counts;
}

std::vector<std::string> other_methods(const ir::Program& program) {
  std::vector<std::string> names;
  for (const ir::Method& method : program.methods)
    if (method.name != "forward") names.push_back(method.name);
  return names;
}

/// Why the tree can't be frozen; empty where it can.
std::string obstacle(const ir::Program& program) {
  if (!program.written.empty()) return "its methods write state (" + *program.written.begin() + ")";
  if (program.asks_for_mode) return "parts of it are in training mode";
  if (program.methods.front().name != "forward") return "it has no forward";
  return {};
}

}  // namespace

torch::jit::Module pack_for_xnnpack(const torch::jit::Module& tree, const ir::Program& program, Remarks& remarks) {
  const LayerCounts before = layers_of(tree);
  if (before.plain == 0) return tree;
  if (!at::globalContext().isXNNPACKAvailable()) {
    remarks.warnings.emplace_back(
        "this LibTorch has no XNNPACK: float layers keep their plain operators, which are slow on phones; a FuseKit "
        "built "
        "with Debian's LibTorch 1.13.1 (the preset debian) packs them");
    return tree;
  }
  if (const std::string reason = obstacle(program); !reason.empty()) {
    remarks.warnings.push_back("nothing is packed for XNNPACK: " + reason);
    return tree;
  }
  using namespace torch::jit;  // where LibTorch 1.13 has MobileOptimizerType; 2.13's is global
  try {
    const Module packed =
        optimizeForMobile(tree, std::set{MobileOptimizerType::CONV_BN_FUSION}, other_methods(program));
    const LayerCounts after = layers_of(packed);
    const std::size_t layers = after.packed + after.plain;
    remarks.notes.push_back(fmt::format("packed for XNNPACK: {} of {} float convolutions and linears ({:.0f} %)",
                                        after.packed, layers,
                                        100.0 * static_cast<double>(after.packed) / static_cast<double>(layers)));
    return packed;
  } catch (const std::exception& error) {
    remarks.warnings.push_back("nothing is packed for XNNPACK: " + reason_of(error));
    return tree;
  }
}

}  // namespace fusekit::target
