#include "rewrite/module_lists.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "fusekit/error.h"
#include "fusekit/nearest.h"
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

std::vector<std::string> module_paths(const torch::jit::Module& root) {
  std::vector<std::string> paths;
  for (const auto& module : root.named_modules())
    if (!module.name.empty()) paths.push_back(module.name);
  return paths;
}

/// The module that is called so somewhere below, else the one whose path has the fewest other letters.
std::optional<std::string> meant_by(const std::string& name, const std::vector<std::string>& paths) {
  const auto below =
      std::find_if(paths.begin(), paths.end(), [&](const std::string& path) { return path.ends_with("." + name); });
  return below != paths.end() ? *below : nearest(name, paths);
}

}  // namespace

std::string hint_for_unknown(const std::string& path, const torch::jit::Module& root) {
  constexpr std::size_t most = 4;
  const std::vector<std::string> paths = module_paths(root);
  const std::string all = "fusekit::inspect lists the modules";
  if (const auto meant = meant_by(path, paths)) return fmt::format("did you mean {}? {}", *meant, all);
  const std::vector<std::string> first(paths.begin(),
                                       paths.begin() + static_cast<std::ptrdiff_t>(std::min(most, paths.size())));
  if (first.empty()) return "the network has no modules below it";
  return fmt::format("it has {}{}; {}", fmt::join(first, ", "), paths.size() > most ? ", ..." : "", all);
}

void ModuleLists::refuse_unknown(const torch::jit::Module& root) const {
  for (const auto& list : lists_) {
    const auto is_known = [&](const std::string& path) { return has_module(root, path); };
    if (list.empty() || std::any_of(list.begin(), list.end(), is_known)) continue;
    throw Error(ErrorKind::usage,
                fmt::format("FuseOptions::modules = {}: the network has no such module{}", fmt::join(list, ","),
                            list.size() == 1 ? "" : "s"),
                hint_for_unknown(list.front(), root));
  }
}

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
      const auto meant = meant_by(*unknown, module_paths(program.original));
      reason =
          fmt::format("there is no module {}{}", *unknown, meant ? fmt::format(" (did you mean {}?)", *meant) : "");
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
