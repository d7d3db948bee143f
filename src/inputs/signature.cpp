#include "inputs/signature.h"

#include "fusekit/error.h"

namespace fusekit::inputs {
namespace {

c10::TypePtr without_optional(const c10::TypePtr& type) {
  const auto optional = type->cast<c10::OptionalType>();
  return optional ? optional->getElementType() : type;
}

}  // namespace

std::vector<c10::Argument> arguments_of(const torch::jit::Module& module, const std::string& method) {
  const auto& all = module.get_method(method).function().getSchema().arguments();
  return {all.begin() + 1, all.end()};
}

std::string signature_text(const torch::jit::Module& module, const std::string& method) {
  std::string text = method + "(";
  for (const c10::Argument& argument : arguments_of(module, method)) {
    if (!text.ends_with('(')) text += ", ";
    text += argument.name() + ": " + argument.type()->annotation_str();
    if (argument.default_value()) text += " = " + c10::str(*argument.default_value());
  }
  return text + ")";
}

bool takes_tensor(const c10::Argument& argument) {
  return without_optional(argument.type())->kind() == c10::TypeKind::TensorType;
}

bool takes_tensor_list(const c10::Argument& argument) {
  const auto list = without_optional(argument.type())->cast<c10::ListType>();
  return list && list->getElementType()->kind() == c10::TypeKind::TensorType;
}

std::string literal_for(const c10::Argument& argument) {
  switch (argument.type()->kind()) {
    case c10::TypeKind::OptionalType:
    case c10::TypeKind::NoneType:
      return "=None";
    case c10::TypeKind::IntType:
    case c10::TypeKind::NumberType:
      return "=1";
    case c10::TypeKind::FloatType:
      return "=1.0";
    case c10::TypeKind::BoolType:
      return "=false";
    default:
      break;
  }
  throw Error(ErrorKind::input,
              fmt::format("FuseKit can't make up the argument \"{}\" of type {}", argument.name(),
                          argument.type()->annotation_str()),
              "save example arguments in Python, torch.save((arg1, arg2), \"inputs.pt\"), and give InputOptions::file "
              "= inputs.pt");
}

}  // namespace fusekit::inputs
