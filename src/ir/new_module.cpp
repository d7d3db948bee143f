#include "ir/new_module.h"

#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/schema_matching.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include <algorithm>

#include "fusekit/error.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

using torch::jit::GraphFunction;
using torch::jit::SourceRange;
using torch::jit::SugaredValue;

constexpr const char* kNewClasses = "__torch__.fusekit";
const c10::Symbol kModuleKey = c10::Symbol::attr("fusekit_module");

/// `ops` in a source: ops.NAMESPACE.OPERATOR, as in the code of TorchScript files.
class OperatorNamespaces : public SugaredValue {
 public:
  [[nodiscard]] std::string kind() const override { return "ops"; }
  std::shared_ptr<SugaredValue> attr(const SourceRange& /*range*/, GraphFunction& /*method*/,
                                     const std::string& name) override {
    return std::make_shared<torch::jit::BuiltinModule>(name);
  }
};

/// What the methods of a new module may name.
class SourceNames : public torch::jit::Resolver {
 public:
  explicit SourceNames(const NewModule& module) {
    for (const NewAttribute& attribute : module.attributes) add_types(attribute.type);
  }

  std::shared_ptr<SugaredValue> resolveValue(const std::string& name, GraphFunction& /*method*/,
                                             const SourceRange& /*range*/) override {
    if (name == "torch") return std::make_shared<torch::jit::BuiltinModule>("aten");
    if (name == "ops") return std::make_shared<OperatorNamespaces>();
    if (name == "annotate") return torch::jit::SpecialFormValue::create(c10::prim::annotate);
    return nullptr;
  }

  c10::TypePtr resolveType(const std::string& name, const SourceRange& /*range*/) override {
    const auto found = types_.find(name);
    return found == types_.end() ? nullptr : found->second;
  }

 private:
  /// Classes go by their qualified names, e.g. __torch__.torch.classes.quantized.Conv2dPackedParamsBase.
  void add_types(const c10::TypePtr& type) {
    if (type->kind() == c10::TypeKind::ClassType) types_.emplace(type->annotation_str(), type);
    for (const c10::TypePtr& part : type->containedTypes()) add_types(part);
  }

  std::map<std::string, c10::TypePtr> types_;
};

bool is_saved(const NewAttribute& attribute) { return attribute.role != AttributeRole::packed; }

bool has_packed(const NewModule& module) {
  return !std::all_of(module.attributes.begin(), module.attributes.end(), is_saved);
}

/// The methods that save and restore everything but what `pack` computes.
std::string state_methods(const NewModule& module) {
  std::string types;
  std::string values;
  std::string assignments;
  std::size_t index = 0;
  for (const NewAttribute& attribute : module.attributes) {
    if (!is_saved(attribute)) continue;
    types += (index == 0 ? "" : ", ") + attribute.type->annotation_str();
    values += fmt::format("self.{}, ", attribute.name);
    assignments += fmt::format("    self.{} = state[{}]\n", attribute.name, index++);
  }
  return fmt::format(
      "\ndef __getstate__(self) -> Tuple[{0}]:\n    return ({1})\n"
      "\ndef __setstate__(self, state: Tuple[{0}]) -> None:\n{2}    self.pack()\n",
      types, values, assignments);
}

Error new_module_error(const NewModule& module, const char* what, const std::exception& error) {
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  return {ErrorKind::model, fmt::format("the new module {} can't be {}: {}", module.class_name, what,
                                        of_torch != nullptr ? of_torch->what_without_backtrace() : error.what())};
}

void add_training(NewModule& module) {
  const auto is_training = [](const NewAttribute& attribute) { return attribute.name == "training"; };
  if (std::none_of(module.attributes.begin(), module.attributes.end(), is_training))
    module.attributes.push_back({"training", c10::BoolType::get(), false});
}

c10::QualifiedName free_class_name(const NewClasses& classes, const NewModule& module) {
  const c10::QualifiedName name = class_name_of(module);
  return classes.has(module) || classes.unit()->get_type(name) == nullptr ? name : classes.unit()->mangle(name);
}

/// An object of the class with its attributes' values, packed.
c10::intrusive_ptr<c10::ivalue::Object> make_object(NewClasses& classes, const NewModule& module) {
  const c10::ClassTypePtr type = classes.of(module, free_class_name(classes, module));
  auto object = c10::ivalue::Object::create(c10::StrongTypePtr(classes.unit(), type), type->numAttributes());
  for (const NewAttribute& attribute : module.attributes)
    if (is_saved(attribute)) object->setAttr(attribute.name, attribute.value);
  if (!has_packed(module)) return object;
  try {
    const torch::NoGradGuard no_grad;
    type->getMethod("pack")({c10::IValue(object)});
  } catch (const std::exception& error) {
    throw new_module_error(module, "packed", error);
  }
  return object;
}

}  // namespace

c10::QualifiedName class_name_of(const NewModule& module) {
  return c10::QualifiedName(c10::QualifiedName(kNewClasses), module.class_name);
}

bool is_new_module_class(const c10::ClassType& type) {
  return type.name() && (type.name()->prefix() + ".").rfind(std::string(kNewClasses) + ".", 0) == 0 &&
         type.findMethod("__setstate__") != nullptr;
}

std::string NewClasses::signature(const NewModule& module) {
  std::string text = module.class_name;
  for (const NewAttribute& attribute : module.attributes)
    text +=
        fmt::format("|{}:{}:{}", attribute.name, attribute.type->annotation_str(), static_cast<int>(attribute.role));
  return text + "|" + module.source;
}

c10::ClassTypePtr NewClasses::of(const NewModule& module, const c10::QualifiedName& name) {
  const std::string known_by = signature(module);
  if (const auto known = types_.find(known_by); known != types_.end()) return known->second;
  const c10::ClassTypePtr type = c10::ClassType::create(name, unit_, are_modules_);
  for (const NewAttribute& attribute : module.attributes)
    type->addAttribute(attribute.name, attribute.type, are_modules_ && attribute.role == AttributeRole::parameter,
                       are_modules_ && attribute.role == AttributeRole::buffer);
  unit_->register_type(type);
  const torch::jit::SimpleSelf self(type);
  const std::string source = has_packed(module) ? module.source + state_methods(module) : module.source;
  try {
    unit_->define(name, source, std::make_shared<SourceNames>(module), &self);
  } catch (const std::exception& error) {
    throw new_module_error(module, "compiled", error);
  }
  types_.emplace(known_by, type);
  return type;
}

torch::jit::Value* add_module(Program& program, Node* before, const std::string& wanted, NewModule module) {
  const std::string path = wanted.empty() ? module.class_name : wanted;
  add_training(module);
  if (!program.new_classes)
    program.new_classes =
        std::make_shared<NewClasses>(std::make_shared<torch::jit::CompilationUnit>(), /*are_modules=*/false);
  auto object = make_object(*program.new_classes, module);
  std::string key = path;
  for (int copy = 1; program.modules.count(key) > 0; ++copy) key = fmt::format("{}#{}", path, copy);
  program.modules.emplace(key, OwnedModule{std::move(module), path, std::move(object)});
  return insert_module(program, before, key);
}

torch::jit::Value* insert_module(const Program& program, Node* before, const std::string& key) {
  const OwnedModule& owned = program.modules.at(key);
  // Not insertConstant: it takes no object that keeps its compilation unit alive. This one's unit holds no such graph.
  Node* constant = before->owningGraph()->create(c10::prim::Constant);
  constant->ival_(c10::attr::value, owned.object);
  constant->s_(kModuleKey, key);
  constant->output()->setType(owned.object->type());
  constant->insertBefore(before);
  constant->copyMetadata(before);
  return constant->output();
}

std::optional<std::string> module_key(const Value* value) {
  const Node* node = value->node();
  if (node->kind() != c10::prim::Constant || !node->hasAttribute(kModuleKey)) return std::nullopt;
  return node->s(kModuleKey);
}

torch::jit::Value* call_module(Node* before, Value* module, const std::string& method,
                               const std::vector<torch::jit::NamedValue>& arguments) {
  Graph& graph = *before->owningGraph();
  const torch::jit::WithInsertPoint guard(before);
  const auto type = module->type()->expect<c10::ClassType>();
  try {
    const auto matched = torch::jit::matchSchema(type->getMethod(method).getSchema(), before->sourceRange(), graph,
                                                 arguments, {}, torch::jit::NamedValue("self", module));
    Value* result = graph.insertMethodCall(method, matched);
    result->node()->copyMetadata(before);
    return result;
  } catch (const std::exception& error) {
    throw Error(ErrorKind::model,
                fmt::format("{}.{} can't be called so: {}", type->name()->name(), method, error.what()));
  }
}

torch::jit::Value* read_module(Node* before, Value* module, const std::string& attribute) {
  Graph& graph = *before->owningGraph();
  const torch::jit::WithInsertPoint guard(before);
  Node* read = graph.insertNode(graph.createGetAttr(module, attribute));
  read->copyMetadata(before);
  return read->output();
}

}  // namespace fusekit::ir
