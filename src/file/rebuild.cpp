#include "file/rebuild.h"

#include <algorithm>

#include "file/carried_settings.h"
#include "file/copy_module.h"
#include "file/free_names.h"
#include "file/tree_plan.h"
#include "file/whole_floats.h"
#include "ir/flatten.h"
#include "ir/marks.h"
#include "ir/value_names.h"

namespace fusekit::file {
namespace {

constexpr const char* kMangle = "___torch_mangle_";

/// One attribute of a module that is being built.
struct Slot {
  std::string name;
  c10::TypePtr type;
  c10::IValue value;
  bool is_parameter = false;
  bool is_buffer = false;
};

/// The qualified name without the atoms that LibTorch adds to tell classes of one name apart.
std::vector<std::string> plain_atoms(const c10::QualifiedName& name) {
  std::vector<std::string> atoms;
  for (const std::string& atom : name.atoms())
    if (!atom.starts_with(kMangle)) atoms.push_back(atom);
  return atoms;
}

class Builder {
 public:
  explicit Builder(const ir::Program& program)
      : program_(program),
        plan_(plan_tree(program)),
        unit_(std::make_shared<torch::jit::CompilationUnit>()),
        new_classes_(unit_, /*are_modules=*/true) {
    for (const auto& [path, planned] : plan_.modules)
      if (ir::is_opaque(planned.original)) note_class_names(planned.original);
  }

  torch::jit::Module run() {
    build("");
    for (const ir::Method& method : program_.methods) define(method);
    return built_.at("");
  }

 private:
  /// Modules that are kept as they are bring their classes along.
  void note_class_names(const torch::jit::Module& kept) {
    for (const torch::jit::Module& module : kept.modules())
      kept_class_names_.insert(module.type()->name()->qualifiedName());
  }

  const torch::jit::Module& build(const std::string& path) {
    const PlannedModule& planned = plan_.modules.at(path);
    if (ir::is_opaque(planned.original)) return built_.emplace(path, planned.original).first->second;
    const std::vector<Slot> slots = slots_of(planned);
    torch::jit::Module module(unit_, type_for(planned, slots));
    for (const Slot& slot : slots) module._ivalue()->setAttr(slot.name, slot.value);
    return built_.emplace(path, std::move(module)).first->second;
  }

  /// A module of the program's own, in the place of the original one where there is one of that name.
  const torch::jit::Module& build_new(const PlannedModule& parent, const std::string& name, const std::string& key) {
    const ir::OwnedModule& owned = program_.modules.at(key);
    const std::string path = ir::join_path(parent.path, name);
    const bool replaces = parent.original.hasattr(name) && parent.original.attr(name).isModule();
    const ir::NewModule recipe =
        replaces ? with_settings_of(parent.original.attr(name).toModule(), path, program_, plan_, owned.module)
                 : owned.module;
    torch::jit::Module module(unit_, new_classes_.of(recipe, free_class_name(ir::class_name_of(recipe).atoms(), path)));
    for (const ir::NewAttribute& attribute : recipe.attributes)
      module._ivalue()->setAttr(attribute.name, attribute.role == ir::AttributeRole::packed
                                                    ? owned.object->getAttr(attribute.name)
                                                    : attribute.value);
    return built_.emplace(path, std::move(module)).first->second;
  }

  Slot new_module_slot(const PlannedModule& parent, const std::string& name, const std::string& key) {
    const torch::jit::Module& module = build_new(parent, name, key);
    return {name, module.type(), module._ivalue()};
  }

  /// The original's attributes in their order, as far as they are kept, then new ones.
  std::vector<Slot> slots_of(const PlannedModule& planned) {
    std::vector<Slot> slots;
    std::map<std::string, std::string> new_modules = planned.new_modules;
    std::map<std::string, std::string> weights = planned.weights;
    const c10::ClassType& type = *planned.original.type();
    for (std::size_t i = 0; i < type.numAttributes(); ++i) {
      const std::string& name = type.getAttributeName(i);
      if (const auto weight = weights.extract(name); !weight.empty()) {
        slots.push_back(weight_slot(name, weight.mapped()));
        continue;
      }
      if (const auto module = new_modules.extract(name); !module.empty()) {
        slots.push_back(new_module_slot(planned, name, module.mapped()));
        continue;
      }
      const c10::IValue value = planned.original.attr(name);
      if (value.isModule()) {
        if (const auto* child = child_for(planned, name)) slots.push_back({name, child->type(), child->_ivalue()});
      } else if (stays(program_, plan_, ir::join_path(planned.path, name), value)) {
        slots.push_back({name, type.getAttribute(i), value, type.is_parameter(i), type.is_buffer(i)});
      }
    }
    for (const auto& [name, key] : weights) slots.push_back(weight_slot(name, key));
    for (const auto& [name, key] : new_modules) slots.push_back(new_module_slot(planned, name, key));
    return slots;
  }

  Slot weight_slot(const std::string& name, const std::string& key) const {
    const ir::Weight& weight = program_.weights.at(key);
    if (!weight.packed.isNone()) return {name, weight.packed.type(), weight.packed};
    return {name, c10::TensorType::get(), weight.tensor, weight.is_parameter, weight.is_buffer};
  }

  const torch::jit::Module* child_for(const PlannedModule& planned, const std::string& name) {
    if (const auto alias = planned.aliases.find(name); alias != planned.aliases.end()) return &built_.at(alias->second);
    return planned.children.count(name) > 0 ? &build(ir::join_path(planned.path, name)) : nullptr;
  }

  /// Modules of one class whose attributes agree share a type, as torch.jit.script does it.
  c10::ClassTypePtr type_for(const PlannedModule& planned, const std::vector<Slot>& slots) {
    const std::vector<std::string> atoms = plain_atoms(*planned.original.type()->name());
    std::string structure = c10::Join(".", atoms);
    for (const Slot& slot : slots)
      structure +=
          fmt::format("|{}:{}:{}{}", slot.name, slot.type->annotation_str(), slot.is_parameter, slot.is_buffer);
    const c10::ClassType& original = *planned.original.type();
    for (std::size_t i = 0; i < original.numConstants(); ++i)
      structure += fmt::format("|{}={}", original.getConstantName(i), c10::str(original.getConstant(i)));
    c10::ClassTypePtr& type = types_[structure];
    if (!type) type = make_type(free_class_name(atoms, planned.path), slots, original);
    return type;
  }

  c10::QualifiedName free_class_name(std::vector<std::string> atoms, const std::string& path) const {
    const auto is_taken = [&] {
      const c10::QualifiedName name(atoms);
      return unit_->get_type(name) != nullptr || kept_class_names_.count(name.qualifiedName()) > 0;
    };
    if (!is_taken()) return c10::QualifiedName(atoms);
    atoms.insert(atoms.end() - 1, ir::identifier(path));
    while (is_taken()) atoms.rbegin()[1] += "_";
    return c10::QualifiedName(atoms);
  }

  c10::ClassTypePtr make_type(const c10::QualifiedName& name, const std::vector<Slot>& slots,
                              const c10::ClassType& original) const {
    c10::ClassTypePtr type = c10::ClassType::create(name, unit_, /*is_module=*/true);
    for (const Slot& slot : slots) type->addAttribute(slot.name, slot.type, slot.is_parameter, slot.is_buffer);
    for (std::size_t i = 0; i < original.numConstants(); ++i)
      if (!type->hasAttribute(original.getConstantName(i)))
        type->addConstant(original.getConstantName(i), original.getConstant(i));
    unit_->register_type(type);
    return type;
  }

  void define(const ir::Method& method) {
    const torch::jit::Module& root = built_.at("");
    std::shared_ptr<Graph> graph = method.graph->copy();
    graph->inputs().at(0)->setType(root.type());
    attach(*graph);
    ir::remove_operator_marks(*graph);
    keep_whole_floats(*graph);
    ir::name_values(*graph);
    graph->lint();
    const c10::QualifiedName name(*root.type()->name(), method.name);
    torch::jit::Function* function = unit_->create_function(name, std::move(graph));
    std::vector<c10::Argument> arguments = method.schema.arguments();
    arguments.at(0) = c10::Argument(arguments.at(0).name(), root.type());
    function->setSchema(method.schema.cloneWithArguments(std::move(arguments)));
    root.type()->addMethod(function);
  }

  /// Turns weights and new modules into reads of the new tree, and gives the reads that are there the new types.
  void attach(Graph& graph) const {
    std::unordered_map<const Value*, std::string> modules{{graph.inputs().at(0), ""}};
    std::map<std::string, Value*> reads{{"", graph.inputs().at(0)}};
    for (Node* node : ir::all_nodes(graph)) {
      if (node->kind() == c10::prim::GetAttr) {
        retype(node, modules);
      } else if (const auto path = node->kind() == c10::prim::Constant ? path_of(node->output()) : std::nullopt) {
        node->output()->replaceAllUsesWith(read_of(graph, *path, ir::top_level(node), reads));
        node->destroy();
      }
    }
  }

  /// Where a weight or a new module lives; nullopt for any other constant.
  std::optional<std::string> path_of(const Value* constant) const {
    if (const auto key = ir::weight_key(constant)) return plan_.attribute_paths.at(*key);
    if (const auto key = ir::module_key(constant)) return plan_.module_paths.at(*key);
    return std::nullopt;
  }

  void retype(Node* node, std::unordered_map<const Value*, std::string>& modules) const {
    const auto parent = modules.find(node->input());
    if (parent == modules.end()) return;
    const std::string& name = node->s(c10::attr::name);
    const PlannedModule& planned = plan_.modules.at(parent->second);
    const auto alias = planned.aliases.find(name);
    const std::string path = alias != planned.aliases.end() ? alias->second : ir::join_path(parent->second, name);
    if (const auto child = built_.find(path); child != built_.end()) {
      node->output()->setType(child->second.type());
      modules.emplace(node->output(), path);
    }
  }

  static Value* read_of(Graph& graph, const std::string& path, Node* before, std::map<std::string, Value*>& reads) {
    if (const auto found = reads.find(path); found != reads.end()) return found->second;
    const auto [parent, name] = ir::split_path(path);
    Value* object = read_of(graph, parent, before, reads);
    const torch::jit::WithInsertPoint guard(before);
    Node* read = graph.insertNode(graph.createGetAttr(object, name));
    return reads.emplace(path, read->output()).first->second;
  }

  const ir::Program& program_;
  TreePlan plan_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  ir::NewClasses new_classes_;
  std::set<std::string> kept_class_names_;
  std::map<std::string, torch::jit::Module> built_;
  std::map<std::string, c10::ClassTypePtr> types_;
};

}  // namespace

torch::jit::Module rebuild(const ir::Program& program) { return Builder(program).run(); }

torch::jit::Module rebuild_to_run(const ir::Program& program) {
  return copy_with_own_state(rebuild(program), program.written);
}

}  // namespace fusekit::file
