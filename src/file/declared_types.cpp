#include "file/declared_types.h"

#include <algorithm>
#include <set>

namespace fusekit::file {
namespace {

using c10::IValue;
using c10::TypeKind;
using c10::TypePtr;

bool matches(const IValue& value, const TypePtr& type);

bool list_matches(const IValue& value, const TypePtr& element) {
  return value.isList() &&
         std::ranges::all_of(value.toListRef(), [&](const IValue& each) { return matches(each, element); });
}

bool tuple_matches(const IValue& value, at::ArrayRef<TypePtr> types) {
  if (!value.isTuple()) return false;
  const auto& elements = value.toTupleRef().elements();
  if (elements.size() != types.size()) return false;
  for (std::size_t k = 0; k < types.size(); ++k)
    if (!matches(elements[k], types[k])) return false;
  return true;
}

bool dict_matches(const IValue& value, const c10::DictType& type) {
  if (!value.isGenericDict()) return false;
  for (const auto& entry : value.toGenericDict())
    if (!matches(entry.key(), type.getKeyType()) || !matches(entry.value(), type.getValueType())) return false;
  return true;
}

/// Only for types whose values have a layout that code relies on: LibTorch itself looks whether a value is a number, a text or a
/// tensor, whenever it takes it for one.
bool matches(const IValue& value, const TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::ClassType:
      return (value.isObject() && value.type()->isSubtypeOf(*type)) || value.isCapsule();
    case TypeKind::InterfaceType:
      return value.isObject() && value.type()->isSubtypeOf(*type);
    case TypeKind::OptionalType:
      return value.isNone() || matches(value, type->expectRef<c10::OptionalType>().getElementType());
    case TypeKind::ListType:
      return list_matches(value, type->expectRef<c10::ListType>().getElementType());
    case TypeKind::TupleType:
      return tuple_matches(value, type->expectRef<c10::TupleType>().elements());
    case TypeKind::DictType:
      return dict_matches(value, type->expectRef<c10::DictType>());
    default:
      return true;
  }
}

class Objects {
 public:
  std::string first_mistyped(const IValue& value) {
    if (value.isObject()) return in_object(value.toObjectRef());
    std::string found;
    if (value.isList()) {
      for (const IValue& element : value.toListRef())
        if (found.empty()) found = first_mistyped(element);
    } else if (value.isTuple()) {
      for (const IValue& element : value.toTupleRef().elements())
        if (found.empty()) found = first_mistyped(element);
    } else if (value.isGenericDict()) {
      for (const auto& entry : value.toGenericDict())
        if (found.empty()) found = first_mistyped(entry.value());
    }
    return found;
  }

 private:
  std::string in_object(const c10::ivalue::Object& object) {
    if (!seen_.insert(&object).second) return "";
    const c10::ClassTypePtr type = object.type();
    for (std::size_t k = 0; k < type->numAttributes(); ++k) {
      const bool is_there = k < object.slots().size();
      if (!is_there || !matches(object.slots()[k], type->getAttribute(k)))
        return type->name()->qualifiedName() + "." + type->getAttributeName(k);
      if (std::string found = first_mistyped(object.slots()[k]); !found.empty()) return found;
    }
    return "";
  }

  std::set<const void*> seen_;
};

}  // namespace

std::string mistyped_attribute(const torch::jit::Module& module) { return Objects().first_mistyped(module._ivalue()); }

}  // namespace fusekit::file
