#include "file/copy_module.h"

#include <unordered_map>

#include "ir/flatten.h"
#include "ir/written_attributes.h"

namespace fusekit::file {
namespace {

/// Holds no memory but its own: a list, tuple or dict of numbers and strings.
bool is_plain_container(const c10::IValue& value) {
  const auto plain = [](const c10::IValue& part) { return ir::is_plain_value(part) || is_plain_container(part); };
  if (value.isList()) return std::ranges::all_of(value.toListRef(), plain);
  if (value.isTuple()) return std::ranges::all_of(value.toTupleRef().elements().vec(), plain);
  if (!value.isGenericDict()) return false;
  for (const auto& entry : value.toGenericDict())
    if (!plain(entry.key()) || !plain(entry.value())) return false;
  return true;
}

bool has_plain_memory(const at::Tensor& tensor) {
  return tensor.has_storage() && tensor.layout() == at::kStrided && !tensor.is_quantized() &&
         tensor.device().is_cpu() && !tensor.is_conj() && !tensor.is_neg();
}

class Copier {
 public:
  Copier(const torch::jit::Module& root, const Shares& shares) : shares_(shares), paths_(ir::first_paths(root)) {}

  std::optional<c10::intrusive_ptr<c10::ivalue::Object>> copy(const torch::jit::Module& module) {
    const auto original = module._ivalue();
    if (const auto known = objects_.find(original.get()); known != objects_.end()) return known->second;
    if (ir::is_opaque(module)) return std::nullopt;
    auto object = c10::ivalue::Object::create(c10::StrongTypePtr(original->compilation_unit(), module.type()),
                                              original->slots().size());
    objects_.emplace(original.get(), object);
    for (std::size_t slot = 0; slot < original->slots().size(); ++slot) {
      const std::string path = ir::join_path(paths_.at(original.get()), module.type()->getAttributeName(slot));
      auto value = copy(path, original->getSlot(slot));
      if (!value) return std::nullopt;
      object->setSlot(slot, std::move(*value));
    }
    return object;
  }

 private:
  std::optional<c10::IValue> copy(const std::string& path, const c10::IValue& value) {
    if (value.isModule()) {
      auto child = copy(value.toModule());
      return child ? std::optional<c10::IValue>(std::move(*child)) : std::nullopt;
    }
    if (ir::is_plain_value(value) || shares_(path, value)) return value;
    if (value.isTensor()) return copy(value.toTensor());
    if (!is_plain_container(value)) return std::nullopt;
    return containers_.try_emplace(value.internalToPointer(), value.deepcopy()).first->second;
  }

  std::optional<c10::IValue> copy(const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    if (!has_plain_memory(tensor)) return std::nullopt;
    const auto [known, is_new] = tensors_.try_emplace(tensor.unsafeGetTensorImpl());
    if (is_new) {
      at::Tensor view = at::empty({0}, tensor.options());
      view.set_(storage_of(tensor), tensor.storage_offset(), tensor.sizes(), tensor.strides());
      view.set_requires_grad(tensor.requires_grad());
      known->second = view;
    }
    return known->second;
  }

  c10::Storage storage_of(const at::Tensor& tensor) {
    const auto [known, is_new] = storages_.try_emplace(tensor.storage().unsafeGetStorageImpl());
    if (is_new) {
      const auto bytes = static_cast<std::int64_t>(tensor.storage().nbytes());
      at::Tensor all = at::empty({0}, at::kByte);
      all.set_(tensor.storage(), 0, {bytes}, {1});
      known->second = all.clone();
    }
    return known->second.storage();
  }

  const Shares& shares_;
  std::unordered_map<c10::ivalue::Object*, std::string> paths_;
  std::unordered_map<c10::ivalue::Object*, c10::intrusive_ptr<c10::ivalue::Object>> objects_;
  std::unordered_map<c10::TensorImpl*, at::Tensor> tensors_;
  std::unordered_map<c10::StorageImpl*, at::Tensor> storages_;
  std::unordered_map<const void*, c10::IValue> containers_;
};

}  // namespace

std::optional<torch::jit::Module> copy_module(const torch::jit::Module& module, const Shares& shares) {
  const torch::NoGradGuard no_grad;
  auto object = Copier(module, shares).copy(module);
  return object ? std::optional(torch::jit::Module(std::move(*object))) : std::nullopt;
}

}  // namespace fusekit::file
