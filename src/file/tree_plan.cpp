#include "file/tree_plan.h"

#include "file/free_names.h"
#include "file/rebuild.h"
#include "ir/flatten.h"

namespace fusekit::file {
namespace {

Place place_of(const std::string& path) {
  auto [module, name] = ir::split_path(path);
  return {std::move(module), std::move(name)};
}

class Planner {
 public:
  explicit Planner(const ir::Program& program) : program_(program), paths_(ir::first_paths(program.original)) {}

  TreePlan run() {
    plan_.modules.emplace("", PlannedModule{program_.original, "", {}, {}, {}, {}});
    for (const ir::Method& method : program_.methods) note_uses(*method.graph);
    // Originals keep their names; what is new takes what is free.
    for (const std::string& key : used_)
      if (!program_.weights.at(key).is_new) place(key, place_of(program_.weights.at(key).path));
    const FreeNames names(program_, plan_, used_);
    for (const std::string& key : used_modules_) place_module(key, names.for_module(program_.modules.at(key).path));
    for (const std::string& key : used_)
      if (program_.weights.at(key).is_new) place(key, names.for_weight(program_.weights.at(key).path));
    add_aliases();
    return std::move(plan_);
  }

 private:
  void note_uses(const Graph& graph) {
    std::unordered_map<const Value*, std::string> modules{{graph.inputs().at(0), ""}};
    for (const Node* node : ir::all_nodes(graph)) {
      if (node->kind() == c10::prim::Constant) {
        if (const auto key = ir::weight_key(node->output())) used_.insert(*key);
        if (const auto key = ir::module_key(node->output())) used_modules_.insert(*key);
      }
      if (node->kind() != c10::prim::GetAttr && node->kind() != c10::prim::SetAttr) continue;
      const auto parent = modules.find(node->input(0));
      if (parent == modules.end()) continue;
      const std::string& name = node->s(c10::attr::name);
      const c10::IValue value = module_at(parent->second).original.attr(name);
      if (value.isModule()) {
        const std::string& first = paths_.at(value.toObject().get());
        module_at(first);
        modules.emplace(node->output(), first);
      } else {
        plan_.state.insert(ir::join_path(parent->second, name));
      }
    }
  }

  PlannedModule& module_at(const std::string& path) {
    const auto found = plan_.modules.find(path);
    if (found != plan_.modules.end()) return found->second;
    const auto [parent_path, name] = ir::split_path(path);
    PlannedModule& parent = module_at(parent_path);
    parent.children.insert(name);
    const torch::jit::Module original = parent.original.attr(name).toModule();
    return plan_.modules.emplace(path, PlannedModule{original, path, {}, {}, {}, {}}).first->second;
  }

  void place(const std::string& key, const Place& place) {
    module_at(place.module).weights.emplace(place.name, key);
    plan_.attribute_paths.emplace(key, place.path());
  }

  void place_module(const std::string& key, const Place& place) {
    module_at(place.module).new_modules.emplace(place.name, key);
    plan_.module_paths.emplace(key, place.path());
    new_paths_.insert(place.path());
  }

  /// A module object under two names stays one object.
  void add_aliases() {
    for (auto& [path, planned] : plan_.modules)
      for (const auto& child : planned.original.named_children()) {
        const std::string& first = paths_.at(child.value._ivalue().get());
        if (first != ir::join_path(path, child.name) && (plan_.modules.count(first) > 0 || new_paths_.count(first) > 0))
          planned.aliases.emplace(child.name, first);
      }
  }

  const ir::Program& program_;
  std::unordered_map<c10::ivalue::Object*, std::string> paths_;
  std::set<std::string> used_;
  std::set<std::string> used_modules_;
  std::set<std::string> new_paths_;  ///< of new modules
  TreePlan plan_;
};

}  // namespace

TreePlan plan_tree(const ir::Program& program) { return Planner(program).run(); }

}  // namespace fusekit::file
