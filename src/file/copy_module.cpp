#include "file/copy_module.h"

#include <unordered_map>

#include "fusekit/error.h"
#include "ir/flatten.h"
#include "ir/written_attributes.h"

namespace fusekit::file {
namespace {

/// A value that nothing can write to.
bool is_immutable(const c10::IValue& value) {
  return ir::is_plain_value(value) || value.isComplexDouble() || value.isEnum();
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
    if (is_immutable(value)) return value;
    if (value.isTensor()) return shares_(path, value) ? std::optional(value) : copy(value.toTensor());
    if (value.isCustomClass()) return shares_(path, value) ? std::optional(value) : std::nullopt;
    const auto known = containers_.find(value.internalToPointer());
    if (known != containers_.end()) return known->second;
    auto container = copy_container(path, value);
    if (container) containers_.emplace(value.internalToPointer(), *container);
    return container;
  }

  std::optional<c10::IValue> copy_container(const std::string& path, const c10::IValue& value) {
    if (value.isTuple()) return copy_tuple(path, value);
    if (value.isList()) {
      c10::impl::GenericList list(value.toList().elementType());
      for (const c10::IValue& element : value.toListRef()) {
        auto part = copy(path, element);
        if (!part) return std::nullopt;
        list.push_back(*part);
      }
      return c10::IValue(std::move(list));
    }
    if (value.isGenericDict()) {
      const auto entries = value.toGenericDict();
      c10::impl::GenericDict dict(entries.keyType(), entries.valueType());
      for (const auto& entry : entries) {
        auto part = copy(path, entry.value());
        if (!part || !is_immutable(entry.key())) return std::nullopt;
        dict.insert(entry.key(), *part);
      }
      return c10::IValue(std::move(dict));
    }
    return value.isObject() ? copy_object(path, *value.toObject()) : std::nullopt;
  }

  std::optional<c10::IValue> copy_tuple(const std::string& path, const c10::IValue& value) {
    std::vector<c10::IValue> parts;
    for (const c10::IValue& element : value.toTupleRef().elements().vec()) {
      auto part = copy(path, element);
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
    const auto type = value.type()->cast<c10::TupleType>();
    if (type && type->schema())
      return c10::IValue(c10::ivalue::Tuple::createNamed(std::move(parts), c10::TypePtr(type)));
    return c10::IValue(c10::ivalue::Tuple::create(std::move(parts)));
  }

  /// Of a TorchScript class that is no module.
  std::optional<c10::IValue> copy_object(const std::string& path, c10::ivalue::Object& original) {
    auto object = c10::ivalue::Object::create(c10::StrongTypePtr(original.compilation_unit(), original.type()),
                                              original.slots().size());
    for (std::size_t slot = 0; slot < original.slots().size(); ++slot) {
      auto part = copy(path, original.getSlot(slot));
      if (!part) return std::nullopt;
      object->setSlot(slot, std::move(*part));
    }
    return c10::IValue(std::move(object));
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

torch::jit::Module copy_with_own_state(const torch::jit::Module& module, const std::set<std::string>& written) {
  const auto shares = [&](const std::string& path, const c10::IValue& value) {
    return value.isCustomClass() || written.count(path) == 0;
  };
  auto copy = copy_module(module, shares);
  if (!copy)
    throw Error(ErrorKind::model,
                "the network writes to an attribute that can't be copied: it can't be run without changing it",
                "the tensors that its methods write have to be dense ones on the CPU");
  return std::move(*copy);
}

}  // namespace fusekit::file
