#include "cli/report_ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>
#include <vector>

namespace fusekit::cli {
namespace {

std::string line_of(const LedgerEntry& entry) {
  const std::string method = entry.method == "forward" ? "" : entry.method + "(): ";
  std::string text = fmt::format("  {:<8} {:<17} {}{}", entry.fused ? "fused" : "left", entry.rule, method,
                                 fmt::join(entry.modules, ", "));
  if (!entry.reason.empty()) text += (entry.fused ? " (" : ": ") + entry.reason + (entry.fused ? ")" : "");
  return text;
}

}  // namespace

std::string ledger_summary(const Ledger& ledger) {
  std::vector<std::string> parts;
  for (const RuleTime& rule : ledger.times) {
    std::size_t count = 0;
    for (const LedgerEntry& entry : ledger.entries)
      if (entry.fused && entry.rule == rule.rule) ++count;
    if (count > 0) parts.push_back(fmt::format("{} {}", count, rule.rule));
  }
  std::string text = fmt::format("fused {} place{}", ledger.fused(), ledger.fused() == 1 ? "" : "s");
  if (!parts.empty()) text += fmt::format(": {}", fmt::join(parts, ", "));
  if (ledger.declined() > 0) text += fmt::format("; left {} as it is (--explain says why)", ledger.declined());
  return text;
}

std::string ledger_explanation(const Ledger& ledger) {
  std::vector<std::string> lines;
  for (const bool fused : {true, false})
    for (const LedgerEntry& entry : ledger.entries)
      if (entry.fused == fused) lines.push_back(line_of(entry));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

nlohmann::json ledger_json(const Ledger& ledger) {
  nlohmann::json sites = nlohmann::json::array();
  for (const LedgerEntry& entry : ledger.entries)
    sites.push_back({{"rule", entry.rule},
                     {"method", entry.method},
                     {"modules", entry.modules},
                     {"fused", entry.fused},
                     {"as_found", entry.as_found},
                     {"reason", entry.reason}});
  nlohmann::json times = nlohmann::json::object();
  for (const RuleTime& rule : ledger.times) times[rule.rule] = rule.seconds;
  return {{"fused", ledger.fused()},
          {"declined", ledger.declined()},
          {"sites", std::move(sites)},
          {"warnings", ledger.warnings},
          {"rule_seconds", std::move(times)}};
}

}  // namespace fusekit::cli
