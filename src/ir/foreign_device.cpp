#include "ir/foreign_device.h"

#include "fusekit/error.h"
#include "ir/cleanup.h"
#include "ir/constants.h"
#include "ir/flatten.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

/// A device that is a constant of the graph, or an attribute of a module.
std::optional<c10::Device> known_device(const Value* value, const FlatGraph& flat) {
  const Node* node = value->node();
  if (const auto stored = constant(value)) return stored->isDevice() ? std::optional(stored->toDevice()) : std::nullopt;
  if (node->kind() != c10::prim::GetAttr) return std::nullopt;
  const auto owner = flat.modules.find(node->input());
  if (owner == flat.modules.end()) return std::nullopt;
  const c10::IValue attribute = owner->second.module.attr(node->s(c10::attr::name));
  return attribute.isDevice() ? std::optional(attribute.toDevice()) : std::nullopt;
}

/// "CUDA" in what LibTorch says of the device.
bool is_named_in(const std::string& problem, const c10::Device& device) {
  const std::string upper = c10::DeviceTypeName(device.type());
  return problem.find(upper) != std::string::npos || problem.find(device.str()) != std::string::npos;
}

}  // namespace

std::string foreign_device_in(const torch::jit::Module& module, const std::string& method, const std::string& problem) {
  try {
    FlatGraph flat = flatten(module, method);
    propagate_constants(*flat.graph);  // torch.device("cuda:0")
    forget_removed_modules(flat);
    for (const Node* node : all_nodes(*flat.graph))
      for (const Value* input : node->inputs()) {
        const auto device = known_device(input, flat);
        if (!device || device->is_cpu() || !is_named_in(problem, *device)) continue;
        const std::string scope = scope_of(node);
        return fmt::format("{}{} works on {}, which is not here", node->kind().toQualString(),
                           scope.empty() ? "" : " in " + scope, device->str());
      }
  } catch (const Error&) {
    return "";  // it can't be followed
  }
  return "";
}

}  // namespace fusekit::ir
