#include "ir/training_mode.h"

#include "ir/constants.h"
#include "ir/program.h"
#include "ir/written_attributes.h"

namespace fusekit::ir {
namespace {

constexpr const char* kTraining = "training";

bool is_in_training(const torch::jit::Module& module) {
  return module.hasattr(kTraining) && module.attr(kTraining).isBool() && module.attr(kTraining).toBool();
}

/// Does the operator's flag say that it trains, and does that matter?
bool trains(const Node* node) {
  const auto* schema = node->maybeSchema();
  if (schema == nullptr) return false;
  const bool on = constant_bool(argument(node, kTraining)) == true || constant_bool(argument(node, "train")) == true;
  if (!on) return false;
  for (const char* rate : {"p", "dropout"})
    if (constant_number(argument(node, rate)) == 0.0) return false;
  const Value* statistics = argument(node, "running_mean");
  return statistics == nullptr || !is_none(statistics);
}

}  // namespace

bool reads_training_mode(const FlatGraph& flat, const Node* node) {
  return node->kind() == c10::prim::GetAttr && node->s(c10::attr::name) == kTraining &&
         is_module_attribute(flat, node) && is_in_training(flat.modules.at(node->input()).module);
}

bool follows_training_mode(const Value* value) {
  const Node* node = value->node();
  if (node->kind() == c10::prim::GetAttr) return node->s(c10::attr::name) == kTraining;
  return node->kind() == c10::prim::If && follows_training_mode(node->input());
}

TrainingModules training_modules(const torch::jit::Module& root, const std::vector<FlatGraph>& flats) {
  TrainingModules found;
  std::set<std::string> in_training;
  for (const auto& [object, path] : first_paths(root))
    if (is_in_training(torch::jit::Module(c10::intrusive_ptr<c10::ivalue::Object>::reclaim_copy(object))))
      in_training.insert(path);
  for (const FlatGraph& flat : flats) {
    for (const Node* node : all_nodes(*flat.graph)) {
      if (reads_training_mode(flat, node)) found.by_attribute.insert(flat.modules.at(node->input()).path);
      if (trains(node) && in_training.count(scope_of(node)) > 0) found.by_constant.insert(scope_of(node));
    }
  }
  return found;
}

}  // namespace fusekit::ir
