#include "ir/written_attributes.h"

#include <torch/csrc/jit/ir/alias_analysis.h>

#include <algorithm>
#include <map>

#include "ir/aliases.h"
#include "ir/program.h"
#include "ir/uses.h"

namespace fusekit::ir {
namespace {

/// Is there something in this list, dict, tuple or object that may be written although the container itself is not?
bool holds_more_than_plain_values(const c10::IValue& value) {
  if (value.isTensor() || is_plain_value(value) || value.isModule()) return false;
  if (value.isList()) return !std::ranges::all_of(value.toListRef(), is_plain_value);
  if (value.isTuple()) return !std::ranges::all_of(value.toTupleRef().elements().vec(), is_plain_value);
  if (!value.isGenericDict()) return true;
  for (const auto& entry : value.toGenericDict())
    if (!is_plain_value(entry.value())) return true;
  return false;
}

/// Packed weights of a quantized operator, which nothing can write that does not unpack them.
bool is_packed_and_stays_so(const Value* object, const c10::IValue& value) {
  if (!value.isObject() || !value.toObject()->type()->name()->name().ends_with("PackedParamsBase")) return false;
  return std::ranges::all_of(object->uses(), [](const torch::jit::Use& use) {
    const std::string_view name = use.user->kind().toQualString();
    return name.starts_with("quantized::") && name.find("unpack") == std::string_view::npos;
  });
}

bool writes_an_object(const FlatGraph& flat, const Node* node) {
  return node->kind() == c10::prim::SetAttr && !is_module_attribute(flat, node);
}

/// Adds the paths of the attributes that one method writes in place.
void add_in_place_writes(const FlatGraph& flat, std::set<std::string>& written) {
  const std::vector<Node*> nodes = all_nodes(*flat.graph);
  std::vector<const Value*> hidden;
  bool writes = false;
  for (const Node* node : nodes) {
    for (const Value* target : hidden_targets(node)) hidden.push_back(target);
    writes = writes || writes_in_place(node) || writes_an_object(flat, node);
  }
  if (!writes && hidden.empty()) return;

  // "Frozen" makes each attribute of a module a memory location of its own instead of one wildcard for all.
  const torch::jit::AliasDb aliases(flat.graph, /*isFrozen=*/true);
  for (const Node* node : nodes) {
    if (node->kind() != c10::prim::GetAttr || !is_module_attribute(flat, node)) continue;
    const ModuleAt& owner = flat.modules.at(node->input(0));
    const c10::IValue value = owner.module.attr(node->s(c10::attr::name));
    const bool may_be_written_inside =
        holds_more_than_plain_values(value) && !is_packed_and_stays_so(node->output(), value);
    bool is_written = aliases.hasWriters(node->output()) || may_be_written_inside;
    for (const Value* target : hidden)
      is_written = is_written || target == node->output() || aliases.mayAlias(target, node->output());
    if (is_written) written.insert(attribute_path(flat, node));
  }
}

/// Of a tensor, or of all tensors in a container.
std::vector<const void*> storages_of(const c10::IValue& value) {
  std::vector<const void*> storages;
  value.visit([&](const c10::IValue& part) {
    if (part.isTensor() && part.toTensor().defined() && part.toTensor().has_storage())
      storages.push_back(part.toTensor().storage().unsafeGetStorageImpl());
    return false;
  });
  return storages;
}

/// A write to one name of a storage is a write to all its names.
void add_other_names(const torch::jit::Module& root, std::set<std::string>& written) {
  if (written.empty()) return;
  std::map<const void*, std::vector<std::string>> names;
  for (const auto& [object, path] : first_paths(root)) {
    const torch::jit::Module module(c10::intrusive_ptr<c10::ivalue::Object>::reclaim_copy(object));
    for (const auto& attribute : module.named_attributes(/*recurse=*/false)) {
      if (attribute.value.isModule()) continue;
      for (const void* storage : storages_of(attribute.value))
        names[storage].push_back(join_path(path, attribute.name));
    }
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

std::optional<c10::IValue> attribute_at(const torch::jit::Module& root, const std::string& path) {
  torch::jit::Module module = root;
  std::size_t begin = 0;
  for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', begin)) {
    const std::string name = path.substr(begin, dot - begin);
    if (!module.hasattr(name) || !module.attr(name).isModule()) return std::nullopt;
    module = module.attr(name).toModule();
    begin = dot + 1;
  }
  const std::string name = path.substr(begin);
  return module.hasattr(name) ? std::optional(module.attr(name)) : std::nullopt;
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
