// The report for people: terminal, spreadsheet, pull request.
#include <algorithm>
#include <cmath>

#include "fusekit/bench.h"

namespace fusekit::bench {
namespace {

/// Four significant digits, never in powers of ten.
std::string figure(double us) {
  const double magnitude = std::abs(us);
  return fmt::format("{:.{}f}", us, magnitude >= 1000 ? 0 : magnitude >= 100 ? 1 : magnitude >= 10 ? 2 : 3);
}

std::string interval_of(const Outcome& outcome) {
  return outcome.interval ? fmt::format("{} to {}", figure(outcome.interval->low), figure(outcome.interval->high))
                          : "-";
}

std::string ratio_of(const Report& report, std::size_t variant) {
  for (const Ratio& ratio : report.ratios)
    if (ratio.variant == variant) return fmt::format("{:.3f}", ratio.ratio);
  return "1";
}

std::string escaped(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (char c : field) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string without_pipes(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

}  // namespace

std::string to_csv(const Report& report) {
  std::string text =
      "label,model,inputs,threads,engine,median_us,interval_low_us,interval_high_us,mean_us,min_us,p50_us,p90_us,p99_"
      "us,"
      "p99.9_us,max_us,runs,ratio,ratio_low,ratio_high\r\n";
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& o = report.outcomes[i];
    const Percentiles& p = o.percentiles;
    text += fmt::format("{},{},{},{},{},{:.6g},", escaped(o.label), escaped(o.model), escaped(o.inputs), o.threads,
                        escaped(o.engine), o.median_us);
    text += o.interval ? fmt::format("{:.6g},{:.6g}", o.interval->low, o.interval->high) : ",";
    text += fmt::format(",{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{}", o.mean_us, p.min, p.p50, p.p90, p.p99,
                        p.p999, p.max, o.runs);
    const auto ratio = std::find_if(report.ratios.begin(), report.ratios.end(),
                                    [&](const Ratio& candidate) { return candidate.variant == i; });
    text += ratio == report.ratios.end()
                ? ",,,"
                : fmt::format(",{:.6g},{:.6g},{:.6g}", ratio->ratio, ratio->interval.low, ratio->interval.high);
    text += "\r\n";
  }
  return text;
}

std::string to_markdown(const Report& report) {
  std::string text = fmt::format(
      "| model | median, µs | {:.3g} % interval | p90 | p99 | runs | speed |\n"
      "|---|---:|---:|---:|---:|---:|---:|\n",
      100 * report.confidence);
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& o = report.outcomes[i];
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {}x |\n", without_pipes(o.label), figure(o.median_us),
                    interval_of(o), figure(o.percentiles.p90), figure(o.percentiles.p99), o.runs, ratio_of(report, i));
  }
  text += "\n";
  for (const Ratio& ratio : report.ratios) text += fmt::format("- **{}**\n", verdict_text(report, ratio));
  for (const std::string& warning : report.warnings) text += fmt::format("- {}\n", warning);
  const Environment& e = report.environment;
  text += fmt::format("\n<sub>{}, {} CPUs, LibTorch {}, {} processes, {:.0f} s</sub>\n", e.cpu, e.cpus, e.libtorch,
                      report.outcomes.empty() ? 0 : report.outcomes.front().process_median_us.size(), report.seconds);
  return text;
}

std::string to_table(const Report& report) {
  std::size_t width = 5;
  for (const Outcome& outcome : report.outcomes) width = std::max(width, outcome.label.size());
  std::string text =
      fmt::format("{:<{}}  {:>10}  {:>20}  {:>9}  {:>9}  {:>7}  {:>6}", "model", width, "median us",
                  fmt::format("{:.3g} % interval", 100 * report.confidence), "p90", "p99", "runs", "speed");
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& o = report.outcomes[i];
    text +=
        fmt::format("\n{:<{}}  {:>10}  {:>20}  {:>9}  {:>9}  {:>7}  {:>6}", o.label, width, figure(o.median_us),
                    interval_of(o), figure(o.percentiles.p90), figure(o.percentiles.p99), o.runs, ratio_of(report, i));
  }
  return text;
}

}  // namespace fusekit::bench
