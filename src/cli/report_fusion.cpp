#include "cli/report_fusion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>
#include <vector>

namespace fusekit::cli {
namespace {

/// With the flag that would help.
std::string in_words(const Reason& reason) {
  return to_text(reason) + (reason.code == ReasonCode::rank_unknown ? " (--input_dims tells)" : "");
}

std::string line_of(const FusionSite& entry) {
  const std::string method = entry.method == "forward" ? "" : entry.method + "(): ";
  std::string text = fmt::format("  {:<8} {:<17} {}{}", entry.fused ? "fused" : "left", entry.rule, method,
                                 fmt::join(entry.modules, ", "));
  if (entry.reason) text += (entry.fused ? " (" : ": ") + in_words(entry.reason) + (entry.fused ? ")" : "");
  return text;
}

}  // namespace

std::string fusion_summary(const FusionReport& fusion) {
  std::vector<std::string> parts;
  for (const RuleTime& rule : fusion.times) {
    std::size_t count = 0;
    for (const FusionSite& entry : fusion.entries)
      if (entry.fused && entry.rule == rule.rule) ++count;
    if (count > 0) parts.push_back(fmt::format("{} {}", count, rule.rule));
  }
  std::string text = fmt::format("fused {} place{}", fusion.fused(), fusion.fused() == 1 ? "" : "s");
  if (!parts.empty()) text += fmt::format(": {}", fmt::join(parts, ", "));
  if (fusion.declined() > 0) text += fmt::format("; left {} as it is (--explain says why)", fusion.declined());
  return text;
}

std::string fusion_explanation(const FusionReport& fusion) {
  std::vector<std::string> lines;
  for (const bool fused : {true, false})
    for (const FusionSite& entry : fusion.entries)
      if (entry.fused == fused) lines.push_back(line_of(entry));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string fusion_left(const FusionReport& fusion) {
  std::vector<std::string> lines;
  for (const FusionSite& entry : fusion.entries)
    if (!entry.fused) lines.push_back(line_of(entry));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

nlohmann::json fusion_json(const FusionReport& fusion) {
  nlohmann::json sites = nlohmann::json::array();
  for (const FusionSite& entry : fusion.entries)
    sites.push_back({{"rule", entry.rule},
                     {"method", entry.method},
                     {"modules", entry.modules},
                     {"fused", entry.fused},
                     {"as_found", entry.as_found},
                     {"reason", in_words(entry.reason)},
                     {"reason_code", name_of(entry.reason.code)}});
  nlohmann::json times = nlohmann::json::object();
  for (const RuleTime& rule : fusion.times) times[rule.rule] = rule.seconds;
  return {{"fused", fusion.fused()},
          {"declined", fusion.declined()},
          {"sites", std::move(sites)},
          {"warnings", fusion.warnings},
          {"rule_seconds", std::move(times)}};
}

}  // namespace fusekit::cli
