#include "bench/layer_paths.h"

#include <ATen/native/quantized/PackedParams.h>
#include <torch/csrc/jit/runtime/interpreter.h>

namespace fusekit::bench {
namespace {

/// The address of its storage or object. Tensors in oneDNN's own formats have no storage.
const void* identity_of(const c10::IValue& value) {
  if (value.isTensor() && value.toTensor().defined()) {
    const at::Tensor& tensor = value.toTensor();
    if (tensor.has_storage()) return tensor.storage().unsafeGetStorageImpl();
    return tensor.unsafeGetTensorImpl();
  }
  if (value.isObject())
    return value.toObjectRef().slots().empty() ? nullptr : identity_of(value.toObjectRef().slots()[0]);
  return value.isCapsule() ? value.toCapsule().get() : nullptr;
}

/// PyTorch's own int8 modules keep what they packed in a module of that name.
std::string without_packed_params(const std::string& path) {
  const std::string name = "_packed_params";
  if (path == name) return "";
  return path.ends_with("." + name) ? path.substr(0, path.size() - name.size() - 1) : path;
}

std::string parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return without_packed_params(dot == std::string::npos ? "" : path.substr(0, dot));
}

double bytes_of(const at::Tensor& tensor) {
  return static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size());
}

template <typename Params>
bool unpack_as(const c10::IValue& value, OwnedWeight& weight) {
  try {
    const auto [plain, bias] = value.toCustomClass<Params>()->unpack();
    weight.sizes = plain.sizes().vec();
    weight.bytes = bytes_of(plain) + (bias && bias->defined() ? bytes_of(*bias) : 0);
    return true;
  } catch (const std::exception&) {  // packed for another kind of layer, or for an engine that this LibTorch lacks
    return false;
  }
}

OwnedWeight weight_from(const c10::IValue& value, std::string path) {
  OwnedWeight weight{std::move(path), {}, 0};
  if (value.isTensor()) {
    weight.sizes = value.toTensor().sizes().vec();
    weight.bytes = bytes_of(value.toTensor());
  } else if (value.isObject()) {
    unpack_as<LinearPackedParamsBase>(value, weight) || unpack_as<ConvPackedParamsBase<2>>(value, weight) ||
        unpack_as<ConvPackedParamsBase<3>>(value, weight);
  }
  return weight;
}

bool has_call(const torch::jit::Block* block) {
  for (const torch::jit::Node* node : block->nodes()) {
    if (node->kind() == c10::prim::CallMethod) return true;
    for (const torch::jit::Block* inner : node->blocks())
      if (has_call(inner)) return true;
  }
  return false;
}

}  // namespace

Weights::Weights(const torch::jit::Module& module) {
  for (const auto& attribute : module.named_attributes(/*recurse=*/true)) {
    if (attribute.value.isModule()) continue;
    const void* identity = identity_of(attribute.value);
    if (identity != nullptr && by_identity_.count(identity) == 0)
      by_identity_.emplace(identity, weight_from(attribute.value, parent_of(attribute.name)));
  }
}

const OwnedWeight* Weights::find(const c10::IValue& value) const {
  const auto found = by_identity_.find(identity_of(value));
  return found == by_identity_.end() ? nullptr : &found->second;
}

const OwnedWeight* Weights::find_in(const c10::IValue& value) const {
  if (!value.isTensorList()) return find(value);
  for (const at::Tensor& tensor : value.toTensorVector())
    if (const OwnedWeight* weight = find(tensor)) return weight;
  return nullptr;
}

std::string path_in_hierarchy(const std::string& hierarchy) {
  std::string path;
  std::size_t at = 0;
  while (at < hierarchy.size()) {
    const std::size_t type = hierarchy.find('(', at);
    if (type == std::string::npos) break;
    std::string name = hierarchy.substr(at, type - at);  // behind functions of no module, "::relu."
    name.erase(0, name.rfind('.') + 1);
    const std::size_t end = hierarchy.find(')', type);
    if (end == std::string::npos) break;
    if (name.find("UNKNOWN") != std::string::npos) break;
    if (name != "SELF" && name != "TOP") path += (path.empty() ? "" : ".") + name;
    const std::size_t next = hierarchy.find('.', end);
    if (next == std::string::npos) break;
    at = next + 1;
  }
  return path;
}

bool calls_modules(const torch::jit::Module& module) {
  const auto forward = module.find_method("forward");
  return forward && has_call(forward->graph()->block());
}

std::string calling_module() {
  std::string hierarchy;
  for (const std::string& frame : torch::jit::currentModuleHierarchy()) hierarchy += frame + ".";
  return path_in_hierarchy(hierarchy);
}

}  // namespace fusekit::bench
