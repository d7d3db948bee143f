// A report as CSV (RFC 4180), for a spreadsheet.
#include <fmt/ranges.h>

#include <algorithm>

#include "fusekit/bench_formats.h"

namespace fusekit::bench {
namespace {

std::string escaped_field(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (char c : field) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string field(double value) { return fmt::format("{:.6g}", value); }
std::string field(const std::optional<double>& value) { return value ? field(*value) : ""; }

std::vector<std::string> fields_of(const Report& report, std::size_t index) {
  const Outcome& o = report.outcomes[index];
  const Percentiles& p = o.percentiles;
  const auto ratio = std::find_if(report.ratios.begin(), report.ratios.end(),
                                  [&](const Ratio& candidate) { return candidate.variant == index; });
  const bool compared = ratio != report.ratios.end();
  return {escaped_field(o.label),
          escaped_field(o.model),
          escaped_field(o.inputs),
          std::to_string(o.threads),
          escaped_field(o.engine),
          escaped_field(o.dtype),
          std::to_string(o.streams),
          field(o.median_us),
          o.interval ? field(o.interval->low) : "",
          o.interval ? field(o.interval->high) : "",
          field(o.mean_us),
          field(p.min),
          field(p.p50),
          field(p.p90),
          field(p.p99),
          field(p.p999),
          field(p.max),
          std::to_string(o.runs),
          field(o.sample_us),
          field(o.load_us),
          field(o.first_us),
          std::to_string(o.peak_rss_kib),
          compared ? escaped_field(report.outcomes.at(ratio->against).label) : "",
          compared ? field(ratio->ratio) : "",
          compared ? field(ratio->interval.low) : "",
          compared ? field(ratio->interval.high) : ""};
}

}  // namespace

std::string to_csv(const Report& report) {
  std::string text =
      "label,model,inputs,threads,engine,dtype,streams,median_us,interval_low_us,interval_high_us,mean_us,min_us,p50_"
      "us,"
      "p90_us,p99_us,p99.9_us,max_us,runs,sample_us,checked_load_us,first_inference_us,peak_resident_kib,against,ratio,"
      "ratio_low,ratio_high\r\n";
  for (std::size_t i = 0; i < report.outcomes.size(); ++i)
    text += fmt::format("{}\r\n", fmt::join(fields_of(report, i), ","));
  return text;
}

}  // namespace fusekit::bench
