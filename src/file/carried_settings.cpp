#include "file/carried_settings.h"

#include <algorithm>

#include "file/free_names.h"
#include "ir/flatten.h"
#include "ir/value_names.h"

namespace fusekit::file {
namespace {

/// Data whose type the generated methods can name.
bool is_data(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::BoolType:
    case c10::TypeKind::IntType:
    case c10::TypeKind::FloatType:
    case c10::TypeKind::StringType:
    case c10::TypeKind::NoneType:
    case c10::TypeKind::TensorType:
      return true;
    case c10::TypeKind::OptionalType:
    case c10::TypeKind::ListType:
    case c10::TypeKind::TupleType:
    case c10::TypeKind::DictType: {
      const auto parts = type.containedTypes();
      return std::all_of(parts.begin(), parts.end(), [](const c10::TypePtr& part) { return is_data(*part); });
    }
    default:
      return false;
  }
}

using Attributes = std::vector<ir::NewAttribute>;

const ir::NewAttribute* find(const Attributes& attributes, const std::string& name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const ir::NewAttribute& attribute) { return attribute.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

/// Can a class with this source have the attribute, and save it?
bool can_hold(const std::string& source, const ir::NewAttribute& attribute) {
  return ir::identifier(attribute.name) == attribute.name && is_data(*attribute.type) &&
         source.find("def " + attribute.name + "(") == std::string::npos;
}

ir::AttributeRole role_of(const c10::ClassType& type, std::size_t slot) {
  if (type.is_parameter(slot)) return ir::AttributeRole::parameter;
  return type.is_buffer(slot) ? ir::AttributeRole::buffer : ir::AttributeRole::plain;
}

}  // namespace

ir::NewModule with_settings_of(const torch::jit::Module& original, const std::string& path, const ir::Program& program,
                               const TreePlan& plan, ir::NewModule module) {
  const c10::ClassType& type = *original.type();
  Attributes attributes;
  const auto carry = [&](const ir::NewAttribute& old) {
    const ir::NewAttribute* own = find(module.attributes, old.name);
    if (own == nullptr && !can_hold(module.source, old)) return;
    attributes.push_back(own != nullptr ? *own : old);
    if (old.name == "training" && old.value.isBool()) attributes.back().value = old.value;
  };
  for (std::size_t i = 0; i < type.numAttributes(); ++i) {
    const std::string& name = type.getAttributeName(i);
    const c10::IValue value = original.attr(name);
    if (find(module.attributes, name) != nullptr || stays(program, plan, ir::join_path(path, name), value))
      carry({name, type.getAttribute(i), value, role_of(type, i)});
  }
  for (std::size_t i = 0; i < type.numConstants(); ++i)
    if (find(attributes, type.getConstantName(i)) == nullptr)
      carry({type.getConstantName(i), type.getConstant(i).type(), type.getConstant(i)});
  for (const ir::NewAttribute& own : module.attributes)
    if (find(attributes, own.name) == nullptr) attributes.push_back(own);
  module.attributes = std::move(attributes);
  return module;
}

}  // namespace fusekit::file
