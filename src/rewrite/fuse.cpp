#include "fusekit/fuse.h"

#include <fmt/ranges.h>

#include <chrono>
#include <set>

#include "fusekit/error.h"
#include "fusekit/runtime.h"
#include "ir/cleanup.h"
#include "ir/marks.h"
#include "ir/model_parts.h"
#include "rewrite/match.h"
#include "rewrite/module_lists.h"
#include "rewrite/normalize.h"
#include "rewrite/rules.h"

namespace fusekit {
namespace rewrite {
namespace {

void check_names(const std::vector<std::string>& names, const std::vector<Rule>& rules, const char* option) {
  for (const std::string& name : names) {
    if (std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.name == name; })) continue;
    std::vector<std::string_view> known;
    for (const Rule& rule : rules) known.emplace_back(rule.name);
    throw Error(ErrorKind::usage, fmt::format("{} = {}: there is no such rule", option, name),
                fmt::format("the rules are {}", fmt::join(known, ", ")));
  }
}

std::string text_of(const ir::Method& method) {
  const auto plain = method.graph->copy();
  ir::remove_operator_marks(*plain);
  return plain->toString(/*print_source_locations=*/false);
}

/// The module path of each node, or, for a function call inside a module's own code, path and operator.
std::vector<std::string> names_of(const Site& site) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const Node* node : site.nodes) {
    const std::string scope = ir::scope_of(node);
    if (!scope.empty() && seen.insert(scope).second) {
      names.push_back(scope);
    } else {
      names.push_back(fmt::format("{}{}{}", scope, scope.empty() ? "" : ":", node->kind().toUnqualString()));
    }
  }
  return names;
}

class Runner {
 public:
  Runner(ModelParts& parts, const FuseOptions& options)
      : program_(parts.program),
        options_(options),
        rules_(all_rules()),
        lists_(options.modules),
        promise_(parts, options.inputs) {
    check_names(options.disabled, rules_, "FuseOptions::disabled");
    check_names(options.print_after, rules_, "FuseOptions::print_after");
    lists_.refuse_unknown(program_.original);
    std::erase_if(rules_, [&](const Rule& rule) {
      const bool disabled =
          std::find(options.disabled.begin(), options.disabled.end(), rule.name) != options.disabled.end();
      return disabled || (rule.takes_apart && !options.take_apart);
    });
    for (const Rule& rule : rules_) fusion_.times.push_back({rule.name, 0});
  }

  FusionReport run() {
    for (ir::Method& method : program_.methods) normalize(method.graph);
    bool first = true;
    do {
      fired_ = false;
      declined_.clear();
      for (std::size_t i = 0; i < rules_.size(); ++i) run_rule(i, first);
      first = false;
      // What the rules proved of ranks lets further checks fall.
      for (ir::Method& method : program_.methods) normalize(method.graph);
    } while (fired_);
    fusion_.entries.insert(fusion_.entries.end(), declined_.begin(), declined_.end());
    complain();
    return std::move(fusion_);
  }

 private:
  void run_rule(std::size_t index, bool first) {
    const Rule& rule = rules_[index];
    const auto start = std::chrono::steady_clock::now();
    for (ir::Method& method : program_.methods) {
      try {
        if (!apply(rule, method)) continue;
        fired_ = true;
        ir::remove_dead_code(*method.graph);
        method.graph->lint();
      } catch (const Error&) {
        throw;  // the user's inputs don't fit
      } catch (const std::exception& error) {
        throw Error(ErrorKind::model, fmt::format("rule {} broke {}: {}", rule.name, method.name, reason_of(error)),
                    fmt::format("leave it out with FuseOptions::disabled = {} and report this", rule.name));
      }
    }
    fusion_.times[index].seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (first) keep_print(rule);
  }

  /// Did the rule fire anywhere in this method?
  bool apply(const Rule& rule, ir::Method& method) {
    bool fired = false;
    Facts facts(program_, *method.graph, method.name == "forward" ? &promise_ : nullptr);
    // A rewrite removes only nodes of its site, which the loop has passed, and adds none that could match here.
    for (Node* node : ir::all_nodes(*method.graph)) {
      const auto site = match(rule.pattern, node);
      if (!site || ends_in_a_group(*site) || !lists_.wants(*site)) continue;
      FusionSite entry{rule.name, method.name, names_of(*site), true, false, {}};
      const Decision decision = rule.decide(*site, facts);
      if (const auto* reason = std::get_if<Reason>(&decision)) {
        decline(std::move(entry), *reason);
        continue;
      }
      const auto& rewrite = std::get<Rewrite>(decision);
      group(rewrite.apply(facts), rule, method);
      facts.forget_aliases();
      entry.reason = rewrite.note;
      entry.as_found = rewrite.as_found;
      fusion_.entries.push_back(std::move(entry));
      fired = true;
    }
    return fired;
  }

  /// An activation that is in a group stays there.
  static bool ends_in_a_group(const Site& site) { return ir::as_activation(site.back()) && ir::group_of(site.back()); }

  void group(const std::vector<Node*>& nodes, const Rule& rule, const ir::Method& method) {
    if (nodes.empty()) return;
    const std::int64_t number = program_.groups.empty() ? 0 : program_.groups.rbegin()->first + 1;
    program_.groups[number] = {rule.name, method.name};
    for (Node* node : nodes) ir::set_group(node, number);
  }

  /// A part of a longer site that was declined for the same reason is not reported twice.
  void decline(FusionSite entry, const Reason& reason) {
    entry.fused = false;
    entry.reason = reason;
    for (const FusionSite& known : declined_)
      if (known.method == entry.method && known.reason == reason && known.modules.size() > entry.modules.size() &&
          std::equal(entry.modules.begin(), entry.modules.end(), known.modules.begin()))
        return;
    declined_.push_back(std::move(entry));
  }

  void keep_print(const Rule& rule) {
    const auto& wanted = options_.print_after;
    if (std::find(wanted.begin(), wanted.end(), rule.name) == wanted.end()) return;
    std::string text;
    for (const ir::Method& method : program_.methods) text += fmt::format("{}:\n{}", method.name, text_of(method));
    fusion_.prints.emplace_back(rule.name, std::move(text));
  }

  void complain() {
    if (const std::string warning = training_warning(program_.in_training); !warning.empty())
      fusion_.warnings.push_back(warning);
    for (std::string& complaint : lists_.complaints(fusion_, program_, all_rules())) {
      if (options_.strict)
        throw Error(ErrorKind::usage, complaint,
                    "leave this list out, or leave FuseOptions::strict out to go on without it");
      fusion_.warnings.push_back(std::move(complaint));
    }
  }

  ir::Program& program_;
  const FuseOptions& options_;
  std::vector<Rule> rules_;
  ModuleLists lists_;
  Promise promise_;
  FusionReport fusion_;
  std::vector<FusionSite> declined_;
  bool fired_ = false;
};

}  // namespace
}  // namespace rewrite

std::vector<RuleInfo> rules() {
  std::vector<RuleInfo> infos;
  for (const rewrite::Rule& rule : rewrite::all_rules()) infos.push_back({rule.name, rule.summary});
  return infos;
}

std::size_t FusionReport::fused() const {
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [](const FusionSite& entry) { return entry.fused; }));
}

std::size_t FusionReport::declined() const { return entries.size() - fused(); }

FusionReport fuse(Model& model, const FuseOptions& options) {
  return rewrite::Runner(ModelParts::of(model), options).run();
}

}  // namespace fusekit
