#include "cli/bench_output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/flags.h"

namespace fusekit::cli {
namespace {

using nlohmann::json;

const char* mark_of(const bench::RegressionCheck& check) {
  return check.regressed ? "❌" : check.inconclusive ? "❔" : "✅";
}

void print_table(const bench::Report& report, const std::vector<bench::RegressionCheck>& checks,
                 const Console& console) {
  const bool one = report.outcomes.size() == 1;
  console.print(one ? "Starting benchmark.\nRunning warmup runs.\nMain runs."
                    : bench::to_table(report, Console::columns()));
  const std::string starts = bench::to_start_table(report, Console::columns());
  if (!starts.empty()) one ? console.note(starts) : console.print("\n" + starts + "\n");
  for (const std::string& scaling : bench::scaling_texts(report)) console.print(scaling);
  for (const bench::Ratio& ratio : report.ratios) console.print(bench::verdict_text(report, ratio));
  for (const bench::RegressionCheck& check : checks) console.print(check.text);
  if (!report.profiles.empty()) console.print("\n" + bench::to_profile_table(report, Console::columns()));
  if (one) console.print(last_line(report.outcomes.front().median_us));
}

/// Formats a number as std::ostream does by default.
std::string six_digits(double value) { return fmt::format("{:.6g}", value); }

}  // namespace

std::string last_line(double us) {
  return fmt::format("Main run finished. Microseconds per iter: {}. Iters per second: {}", six_digits(us),
                     six_digits(1e6 / us));
}

std::string json_with_checks(const bench::Report& report, const std::vector<bench::RegressionCheck>& checks) {
  json document = json::parse(bench::to_json(report));
  if (document.contains("profiles"))
    for (json& profile : document["profiles"])
      for (json& text : profile["next"]) text = in_flags(text);
  for (const bench::RegressionCheck& check : checks)
    document["gates"].push_back({{"verdict", bench::name_of_verdict(check)},
                                 {"regressed", check.regressed},
                                 {"slowdown", check.slowdown},
                                 {"interval", {check.interval.low, check.interval.high}},
                                 {"confidence", check.confidence},
                                 {"detectable", check.detectable},
                                 {"text", check.text}});
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

void print_report(const bench::Report& report, const std::vector<bench::RegressionCheck>& checks,
                  const BenchFlags& flags, const Console& console) {
  if (flags.common.json) {
    console.print_data(json_with_checks(report, checks));
  } else if (flags.csv) {
    std::string text = bench::to_csv(report);
    text.erase(text.size() - 1);  // print adds the line end
    console.print_data(text);
  } else if (flags.markdown) {
    std::string text = bench::to_markdown(report);
    for (const bench::RegressionCheck& check : checks) text += fmt::format("\n{} {}\n", mark_of(check), check.text);
    text.erase(text.size() - 1);
    console.print_data(text);
  } else {
    print_table(report, checks, console);
  }
  if (!flags.markdown)
    for (const std::string& warning : report.warnings) console.warn(warning);
  if (report.seconds > 0)
    console.detail(fmt::format("{} processes, {:.1f} s; clock: {:.0f} ns resolution, {:.0f} ns a reading",
                               report.traces.size(), report.seconds, report.environment.timer_resolution_ns,
                               report.environment.timer_overhead_ns));
}

}  // namespace fusekit::cli
