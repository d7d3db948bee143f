// A report as text for a terminal and for a pull request.
#include <fmt/ranges.h>

#include <algorithm>

#include "bench/sparkline.h"
#include "bench/text_table.h"
#include "bench/traces.h"
#include "fusekit/bench_analysis.h"
#include "fusekit/bench_formats.h"
#include "fusekit/columns.h"

namespace fusekit::bench {
namespace {

std::string interval_of(const Outcome& outcome) {
  return outcome.interval ? fmt::format("{} to {}", figure(outcome.interval->low), figure(outcome.interval->high))
                          : "-";
}

constexpr std::size_t kManySteps = 24;  ///< of a histogram

constexpr const char* kNotSignificant = " ~";

std::string speed_of(const Report& report, std::size_t variant) {
  for (const Ratio& ratio : report.ratios)
    if (ratio.variant == variant)
      return fmt::format("{:.3f}{}", ratio.ratio, ratio.verdict == Verdict::no_difference ? kNotSignificant : "");
  return "1";
}

/// Does the quotient of the medians lie outside of the interval of the ratio, which comes from pairs of runs?
bool contradicts_medians(const Report& report, const Ratio& ratio) {
  const double mine = report.outcomes.at(ratio.variant).sample_us;
  const double quotient = mine > 0 ? report.outcomes.at(ratio.against).sample_us / mine : ratio.ratio;
  return quotient < ratio.interval.low || quotient > ratio.interval.high;
}

/// What has to be known to read the column "speed"; empty where nothing has.
std::string legend_of(const Report& report) {
  const bool marked = std::any_of(report.ratios.begin(), report.ratios.end(),
                                  [](const Ratio& ratio) { return ratio.verdict == Verdict::no_difference; });
  const bool contradicting = std::any_of(report.ratios.begin(), report.ratios.end(),
                                         [&](const Ratio& ratio) { return contradicts_medians(report, ratio); });
  std::vector<std::string> parts;
  if (contradicting)
    parts.emplace_back(
        "speed comes from pairs of runs side by side, the medians from all runs: where they contradict each other, the "
        "machine was not steady, and speed is what counts");
  if (marked) parts.emplace_back("~ no measurable difference");
  return fmt::format("{}", fmt::join(parts, "\n"));
}

std::string mebibytes(std::int64_t kib) {
  return kib > 0 ? fmt::format("{:.1f}", static_cast<double>(kib) / 1024) : "-";
}

std::string milliseconds(double us) { return us > 0 ? figure(1e-3 * us) : "-"; }

/// Whether a run can be more or less than one sample: with a batch or with several streams.
bool has_samples(const Report& report) {
  return std::any_of(report.outcomes.begin(), report.outcomes.end(),
                     [](const Outcome& outcome) { return outcome.samples > 1 || outcome.streams > 1; });
}

std::vector<Row> times_of(const Report& report) {
  const bool samples = has_samples(report);
  std::vector<Row> rows = {
      {"model", "median us", fmt::format("{:.3g} % interval", 100 * report.confidence), "p90", "p99", "p99.9", "runs"}};
  if (samples) rows.front().insert(rows.front().end(), {"us a sample", "samples/s"});
  rows.front().emplace_back("speed");
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& o = report.outcomes[i];
    const Percentiles& p = o.percentiles;
    Row row = {o.label,       figure(o.median_us), interval_of(o),        figure(p.p90),
               figure(p.p99), figure(p.p999),      std::to_string(o.runs)};
    if (samples) row.insert(row.end(), {figure(o.sample_us), figure(1e6 / o.sample_us)});
    row.push_back(speed_of(report, i));
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Load, first run and memory, and a histogram of the times, from the fastest run of all to the largest 99th percentile.
std::vector<Row> starts_of(const Report& report, std::size_t steps = kManySteps) {
  double low = 0, high = 0;
  for (const Outcome& o : report.outcomes) {
    low = low == 0 ? o.percentiles.min : std::min(low, o.percentiles.min);
    high = std::max(high, o.percentiles.p99.value_or(o.percentiles.max));
  }
  const bool has_histogram = !report.traces.empty() && low > 0 && high > low;
  std::vector<Row> rows = {{"model", "load ms", "first run ms", "warm-up runs", "peak MiB"}};
  if (has_histogram) {
    const char* what = steps < kManySteps ? "" : "runs from ";
    rows.front().push_back(fmt::format("{}{} to {} us", what, figure(low), figure(high)));
  }
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& o = report.outcomes[i];
    rows.push_back({o.label, milliseconds(o.load_us), milliseconds(o.first_us), std::to_string(o.warmup_runs),
                    mebibytes(o.peak_rss_kib)});
    if (has_histogram) rows.back().push_back(sparkline(log_histogram(runs_of(report.traces, i), low, high, steps)));
  }
  return rows;
}

std::string without_pipes(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string markdown_table(std::vector<Row> rows, std::size_t figures) {
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    rows[r].resize(figures + 1);  // without the histogram
    rows[r][0] = without_pipes(rows[r][0]);
    text += fmt::format("| {} |\n", fmt::join(rows[r], " | "));
    if (r > 0) continue;
    text += "|---|";
    for (std::size_t i = 0; i < figures; ++i) text += "---:|";
    text += "\n";
  }
  return text;
}

bool differ_in_inputs_alone(const Outcome& a, const Outcome& b) {
  return a.model == b.model && a.threads == b.threads && a.engine == b.engine && a.dtype == b.dtype &&
         a.streams == b.streams && a.environment == b.environment && a.graph_fuser == b.graph_fuser;
}

bool has_starts(const Report& report) {
  return std::any_of(report.outcomes.begin(), report.outcomes.end(),
                     [](const Outcome& outcome) { return outcome.load_us > 0; });
}

constexpr std::size_t kStartFigures = 4;
constexpr std::size_t kFewSteps = 16;

}  // namespace

std::string to_markdown(const Report& report) {
  const std::vector<Row> times = times_of(report);
  std::string text = markdown_table(times, times.front().size() - 1) + "\n";
  if (const std::string legend = legend_of(report); !legend.empty()) text += legend + "\n\n";
  for (const Ratio& ratio : report.ratios) text += fmt::format("- **{}**\n", verdict_text(report, ratio));
  for (const std::string& scaling : scaling_texts(report)) text += fmt::format("- {}\n", scaling);
  for (const std::string& warning : report.warnings) text += fmt::format("- {}\n", warning);
  if (has_starts(report)) text += "\n" + markdown_table(starts_of(report), kStartFigures);
  const Environment& e = report.environment;
  text += fmt::format("\n<sub>{}, {} CPUs, LibTorch {}, {} processes, {:.0f} s</sub>\n", e.cpu, e.cpus, e.libtorch,
                      report.outcomes.empty() ? 0 : report.outcomes.front().process_median_us.size(), report.seconds);
  return text;
}

std::string to_table(const Report& report, std::size_t columns) {
  std::vector<Row> times = times_of(report);
  const std::vector<std::string> taken = fit(times, columns, {"p99.9", "p99", "us a sample", "p90", "runs"});
  std::string text = aligned(times, times.front().size() - 1);
  if (const std::string legend = legend_of(report); !legend.empty()) text += "\n" + legend;
  if (!taken.empty()) text += fmt::format("\nfor want of columns without {}", fmt::join(taken, ", "));
  return text;
}

std::vector<std::string> scaling_texts(const Report& report) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& first = report.outcomes[i];
    const auto is_alike = [&](const Outcome& other) { return differ_in_inputs_alone(first, other); };
    const auto begin = report.outcomes.begin();
    const auto self = begin + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(begin, self, is_alike)) continue;  // reported with that outcome
    std::vector<std::string> steps;
    for (auto other = self; other != report.outcomes.end(); ++other)
      if (is_alike(*other))
        steps.push_back(fmt::format("{}: {} ({:.2f}x)", other->samples, figure(1e6 / other->sample_us),
                                    first.sample_us / other->sample_us));
    const bool scales = std::any_of(self, report.outcomes.end(), [&](const Outcome& other) {
      return is_alike(other) && other.samples != first.samples;
    });
    if (scales) lines.push_back(fmt::format("{}: samples/s by batch {}", first.label, fmt::join(steps, ", ")));
  }
  return lines;
}

std::string to_start_table(const Report& report, std::size_t columns) {
  if (!has_starts(report)) return "";
  std::vector<Row> rows = starts_of(report);
  if (columns > 0 && room_for_names(rows, columns) < widest(rows, 0)) rows = starts_of(report, kFewSteps);
  const std::size_t taken = fit(rows, columns, {"warm-up runs", "first run ms", "peak MiB"}).size();
  return aligned(rows, kStartFigures - taken);
}

}  // namespace fusekit::bench
