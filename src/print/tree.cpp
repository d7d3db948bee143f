#include "fusekit/tree.h"

#include <fmt/format.h>

#include "file/load.h"
#include "ir/flatten.h"
#include "print/extra_repr.h"
#include "print/layer_facts.h"

namespace fusekit {
namespace {

/// Whether it is a class of PyTorch. A user's class of the same name may have other settings.
bool is_pytorch_class(const c10::QualifiedName& name) { return name.prefix().rfind("__torch__.torch.nn.", 0) == 0; }

/// Call sites by the path of the called module.
using Calls = std::unordered_map<std::string, std::size_t>;

void count_calls(const torch::jit::Block* block, const torch::jit::Value* self, const std::string& path, Calls& calls) {
  for (const torch::jit::Node* node : block->nodes()) {
    if (node->kind() == c10::prim::CallMethod) {
      const auto callee = print::attribute_path(node->input(0), self);
      if (callee && !callee->empty()) ++calls[ir::join_path(path, *callee)];
    }
    for (const torch::jit::Block* inner : node->blocks()) count_calls(inner, self, path, calls);
  }
}

Calls calls_of(const torch::jit::Module& root) {
  Calls calls;
  for (const auto& module : root.named_modules())
    for (const torch::jit::Method& method : module.value.get_methods())
      count_calls(method.graph()->block(), method.graph()->inputs().at(0), module.name, calls);
  return calls;
}

void set_calls(ModuleTree& tree, const std::string& path, const Calls& calls) {
  if (const auto found = calls.find(path); found != calls.end()) tree.calls = found->second;
  for (ModuleTree& child : tree.children) set_calls(child, ir::join_path(path, child.name), calls);
}

ModuleTree tree_below(const std::string& name, const std::string& path, const torch::jit::Module& module,
                      const print::WeightReaders& readers) {
  const auto class_name = module.type()->name();
  ModuleTree tree{name, class_name ? class_name->name() : "Module", "", {}};
  for (const auto& child : module.named_children())
    tree.children.push_back(tree_below(child.name, ir::join_path(path, child.name), child.value, readers));
  if (tree.children.empty() && class_name && is_pytorch_class(*class_name)) {
    const auto found = readers.find(path);
    const print::LayerFacts facts(module, found == readers.end() ? print::WeightReaders::mapped_type{} : found->second);
    tree.extra = print::extra_repr(tree.class_name, facts);
  }
  return tree;
}

/// Indents every line except the first, as torch.nn.modules.module._addindent does.
std::string indent(const std::string& text) {
  std::string indented;
  for (const char letter : text) {
    indented += letter;
    if (letter == '\n') indented += "  ";
  }
  return indented;
}

}  // namespace

ModuleTree tree_of(const torch::jit::Module& module) {
  const auto forward = module.find_method("forward");
  const print::WeightReaders readers = forward ? print::weight_readers(*forward->graph()) : print::WeightReaders();
  ModuleTree tree = tree_below("", "", module, readers);
  set_calls(tree, "", calls_of(module));
  return tree;
}

ModuleTree read_tree(const std::filesystem::path& path) { return tree_of(file::load(path).module); }

std::string to_string(const ModuleTree& tree) {
  if (tree.children.empty()) return fmt::format("{}({})", tree.class_name, tree.extra);
  std::string text = tree.class_name + "(\n";
  if (!tree.extra.empty()) text += "  " + tree.extra + "\n";
  for (const ModuleTree& child : tree.children)
    text += fmt::format("  ({}): {}\n", child.name, indent(to_string(child)));
  return text + ")";
}

}  // namespace fusekit
