#include "ir/written_attributes.h"

#include <torch/csrc/jit/ir/alias_analysis.h>

#include <map>

#include "ir/constants.h"
#include "ir/program.h"
#include "ir/uses.h"

namespace fusekit::ir {
namespace {

/// Operators whose schema does not say that they write: the flag that makes them write, and what they write then.
struct HiddenWrite {
  const char* op;
  const char* flag;
  std::vector<const char*> written;
};

const std::vector<HiddenWrite>& hidden_writes() {
  static const std::vector<HiddenWrite> table = {
      {"aten::batch_norm", "training", {"running_mean", "running_var"}},
      {"aten::_batch_norm_impl_index", "training", {"running_mean", "running_var"}},
      {"aten::native_batch_norm", "training", {"running_mean", "running_var"}},
      {"aten::instance_norm", "use_input_stats", {"running_mean", "running_var"}},
  };
  return table;
}

/// The tensors that `node` writes although its schema does not say so.
std::vector<const Value*> hidden_targets(const Node* node) {
  std::vector<const Value*> targets;
  for (const HiddenWrite& entry : hidden_writes()) {
    if (node->kind() != c10::Symbol::fromQualString(entry.op)) continue;
    if (constant_bool(argument(node, entry.flag)) == false) continue;
    for (const char* name : entry.written) targets.push_back(argument(node, name));
  }
  return targets;
}

/// Adds the paths of the tensor attributes that one method writes in place.
void add_in_place_writes(const FlatGraph& flat, std::set<std::string>& written) {
  const std::vector<Node*> nodes = all_nodes(*flat.graph);
  std::vector<const Value*> hidden;
  bool writes = false;
  for (const Node* node : nodes) {
    for (const Value* target : hidden_targets(node)) hidden.push_back(target);
    writes = writes || writes_in_place(node);
  }
  if (!writes && hidden.empty()) return;

  // "Frozen" makes each attribute of a module a memory location of its own instead of one wildcard for all.
  const torch::jit::AliasDb aliases(flat.graph, /*isFrozen=*/true);
  for (const Node* node : nodes) {
    if (node->kind() != c10::prim::GetAttr || !is_module_attribute(flat, node)) continue;
    bool is_written = aliases.hasWriters(node->output());
    for (const Value* target : hidden)
      is_written = is_written || target == node->output() || aliases.mayAlias(target, node->output());
    if (is_written) written.insert(attribute_path(flat, node));
  }
}

/// A write to one name of a storage is a write to all its names.
void add_other_names(const torch::jit::Module& root, std::set<std::string>& written) {
  if (written.empty()) return;
  std::map<const void*, std::vector<std::string>> names;
  for (const auto& [object, path] : first_paths(root)) {
    const torch::jit::Module module(c10::intrusive_ptr<c10::ivalue::Object>::reclaim_copy(object));
    for (const auto& attribute : module.named_attributes(/*recurse=*/false))
      if (attribute.value.isTensor() && attribute.value.toTensor().has_storage())
        names[attribute.value.toTensor().storage().unsafeGetStorageImpl()].push_back(join_path(path, attribute.name));
  }
  for (const auto& [storage, paths] : names)
    if (std::any_of(paths.begin(), paths.end(), [&](const std::string& path) { return written.count(path) > 0; }))
      written.insert(paths.begin(), paths.end());
}

}  // namespace

bool is_plain_value(const c10::IValue& value) {
  return value.isNone() || value.isBool() || value.isInt() || value.isDouble() || value.isString() || value.isDevice();
}

bool is_module_attribute(const FlatGraph& flat, const torch::jit::Node* node) {
  return (node->kind() == c10::prim::GetAttr || node->kind() == c10::prim::SetAttr) &&
         flat.modules.count(node->input(0)) > 0;
}

std::string attribute_path(const FlatGraph& flat, const torch::jit::Node* node) {
  return join_path(flat.modules.at(node->input(0)).path, node->s(c10::attr::name));
}

std::set<std::string> assigned_paths(const std::vector<FlatGraph>& methods) {
  std::set<std::string> assigned;
  for (const FlatGraph& flat : methods)
    for (const Node* node : all_nodes(*flat.graph))
      if (node->kind() == c10::prim::SetAttr && is_module_attribute(flat, node))
        assigned.insert(attribute_path(flat, node));
  return assigned;
}

std::set<std::string> written_paths(const torch::jit::Module& root, const std::vector<FlatGraph>& methods) {
  std::set<std::string> written = assigned_paths(methods);
  for (const FlatGraph& flat : methods) add_in_place_writes(flat, written);
  add_other_names(root, written);
  return written;
}

}  // namespace fusekit::ir
