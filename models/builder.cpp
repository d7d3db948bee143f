#include "models/builder.h"

#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include <sstream>

#include "models/functional.h"

namespace fusekit::models {
namespace {

constexpr const char* kFunctionalPrefix = "__torch__.torch.nn.functional";

/// What a method's free names mean: torch, prim, and the functions of torch.nn.functional in the same unit.
class UnitResolver : public torch::jit::Resolver {
 public:
  explicit UnitResolver(const std::shared_ptr<torch::jit::CompilationUnit>& unit) : unit_(unit) {}

  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction& /*caller*/,
                                                         const torch::jit::SourceRange& /*where*/) override {
    if (name == "torch") return std::make_shared<torch::jit::BuiltinModule>("aten");
    if (name == "prim") return std::make_shared<torch::jit::BuiltinModule>("prim");
    const c10::QualifiedName qualified(c10::QualifiedName(kFunctionalPrefix), name);
    const auto unit = unit_.lock();
    if (torch::jit::Function* function = unit ? unit->find_function(qualified) : nullptr)
      return std::make_shared<torch::jit::FunctionValue>(function);
    return nullptr;
  }

 private:
  std::weak_ptr<torch::jit::CompilationUnit> unit_;  // the unit's functions outlive no unit, and hold their resolver
};

std::string key_of(const ModuleSpec& spec) {
  std::ostringstream key;
  key << spec.class_name << '\n';
  for (const Slot& slot : spec.slots)
    key << slot.name << ':' << slot.type->annotation_str() << ':' << static_cast<int>(slot.kind) << '\n';
  for (const Constant& constant : spec.constants) key << constant.name << '=' << constant.value << '\n';
  key << spec.source;
  return key.str();
}

void fill(const torch::jit::Module& module, const ModuleSpec& spec) {
  for (const Slot& slot : spec.slots) module._ivalue()->setAttr(slot.name, slot.value);
  module._ivalue()->setAttr("training", false);
}

}  // namespace

Builder::Builder()
    : unit_(std::make_shared<torch::jit::CompilationUnit>()), resolver_(std::make_shared<UnitResolver>(unit_)) {
  unit_->define(c10::QualifiedName(kFunctionalPrefix), kFunctional, resolver_, /*self=*/nullptr);
}

torch::jit::Module Builder::make(const ModuleSpec& spec) {
  const std::string key = key_of(spec);
  const auto known = classes_.find(key);
  if (known == classes_.end()) {
    torch::jit::Module module = make_class(spec);
    classes_.emplace(key, module.type());
    return module;
  }
  const torch::jit::Module module(unit_, known->second);
  fill(module, spec);
  return module;
}

torch::jit::Module Builder::make_class(const ModuleSpec& spec) {
  torch::jit::Module module("__torch__." + spec.class_name, unit_, /*shouldMangle=*/true);
  const c10::ClassTypePtr type = module.type();
  const auto add = [&](const Slot& slot) {
    type->addAttribute(slot.name, slot.type, slot.kind == SlotKind::parameter, slot.kind == SlotKind::buffer);
  };
  // PyTorch's order: tensors, then training, then the rest.
  for (const Slot& slot : spec.slots)
    if (slot.kind != SlotKind::attribute) add(slot);
  type->addAttribute("training", c10::BoolType::get());
  type->addAttribute("_is_full_backward_hook", c10::OptionalType::create(c10::BoolType::get()));
  for (const Slot& slot : spec.slots)
    if (slot.kind == SlotKind::attribute) add(slot);
  for (const Constant& constant : spec.constants) type->addConstant(constant.name, constant.value);
  fill(module, spec);
  module.define(spec.source, resolver_);
  return module;
}

}  // namespace fusekit::models
