#include "rewrite/module_lists.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "ir/flatten.h"

namespace fusekit::rewrite {
namespace {

std::string text_of(const std::vector<std::string>& list) { return fmt::format("[{}]", fmt::join(list, ", ")); }

std::vector<std::string> scopes_of(const Site& site) {
  std::vector<std::string> scopes;
  for (const Node* node : site.nodes) scopes.push_back(ir::scope_of(node));
  return scopes;
}

bool has_module(const torch::jit::Module& root, const std::string& path) {
  for (const auto& module : root.named_modules())
    if (module.name == path) return true;
  return false;
}

std::string class_at(const torch::jit::Module& root, const std::string& path) {
  for (const auto& module : root.named_modules())
    if (module.name == path) return module.value.type()->name()->name();
  return "?";
}

/// Does some rule's pattern have these classes of operators in these modules, whatever connects them?
bool some_rule_takes(const std::vector<std::string>& list, const ir::Program& program, const std::vector<Rule>& rules) {
  std::vector<std::vector<Node*>> nodes(list.size());
  for (const ir::Method& method : program.methods)
    for (Node* node : ir::all_nodes(*method.graph))
      for (std::size_t i = 0; i < list.size(); ++i)
        if (ir::scope_of(node) == list[i]) nodes[i].push_back(node);
  return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) {
    if (rule.pattern.size() != list.size()) return false;
    for (std::size_t i = 0; i < list.size(); ++i)
      if (std::none_of(nodes[i].begin(), nodes[i].end(), rule.pattern[i].matches)) return false;
    return true;
  });
}

}  // namespace

std::optional<std::string> unknown_module(const std::vector<std::string>& paths, const torch::jit::Module& root) {
  const auto unknown =
      std::find_if(paths.begin(), paths.end(), [&](const auto& path) { return !has_module(root, path); });
  return unknown != paths.end() ? std::optional(*unknown) : std::nullopt;
}

bool ModuleLists::wants(const Site& site) const {
  return lists_.empty() || std::find(lists_.begin(), lists_.end(), scopes_of(site)) != lists_.end();
}

std::vector<std::string> ModuleLists::complaints(const FusionReport& fusion, const ir::Program& program,
                                                 const std::vector<Rule>& rules) const {
  std::vector<std::string> sentences;
  for (const auto& list : lists_) {
    const auto is_ours = [&](const FusionSite& entry) { return entry.modules == list; };
    const auto fused = [&](const FusionSite& entry) { return is_ours(entry) && entry.fused; };
    if (std::any_of(fusion.entries.begin(), fusion.entries.end(), fused)) continue;

    const auto unknown = unknown_module(list, program.original);
    const auto declined = std::find_if(fusion.entries.begin(), fusion.entries.end(), is_ours);
    std::string reason;
    if (unknown) {
      reason = fmt::format("there is no module {}", *unknown);
    } else if (declined != fusion.entries.end()) {
      reason = to_text(declined->reason);
    } else if (!some_rule_takes(list, program, rules)) {
      std::vector<std::string> classes;
      for (const std::string& path : list) classes.push_back(class_at(program.original, path));
      reason = fmt::format("no rule fuses {}", fmt::join(classes, ", "));
    } else {
      reason = "these modules do not follow one another";
    }
    sentences.push_back(fmt::format("{} is left as it is: {}", text_of(list), reason));
  }
  return sentences;
}

}  // namespace fusekit::rewrite
