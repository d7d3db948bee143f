// A report as JSON, and back.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "bench/protocol.h"
#include "bench/statistics.h"
#include "fusekit/bench_analysis.h"
#include "fusekit/bench_formats.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

using nlohmann::json;

constexpr const char* kSchema = "fusekit.bench/2";
constexpr std::size_t kMaxRuns = 20000;

json to_json(const std::optional<double>& value) { return value ? json(*value) : json(); }
std::optional<double> to_optional(const json& value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

json to_array(const Interval& interval) { return {interval.low, interval.high}; }
/// JSON has no infinity; null is used instead.
double to_bound(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::infinity() : value.get<double>();
}
Interval to_interval(const json& array) { return {array.at(0), to_bound(array.at(1))}; }

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::faster:
      return "faster";
    case Verdict::slower:
      return "slower";
    case Verdict::no_difference:
      break;
  }
  return "no_difference";
}

Verdict to_verdict(const std::string& name) {
  return name == "faster" ? Verdict::faster : name == "slower" ? Verdict::slower : Verdict::no_difference;
}

json to_object(const Outcome& outcome) {
  const Percentiles& p = outcome.percentiles;
  json object = {{"label", outcome.label},
                 {"model", outcome.model},
                 {"inputs", outcome.inputs},
                 {"in_training", outcome.in_training},
                 {"threads", outcome.threads},
                 {"engine", outcome.engine},
                 {"environment", outcome.environment},
                 {"graph_fuser", outcome.graph_fuser},
                 {"dtype", outcome.dtype},
                 {"streams", outcome.streams},
                 {"samples", outcome.samples},
                 {"sample_us", outcome.sample_us},
                 {"median_us", outcome.median_us},
                 {"mean_us", outcome.mean_us},
                 {"percentiles_us",
                  {{"min", p.min},
                   {"p50", p.p50},
                   {"p90", to_json(p.p90)},
                   {"p99", to_json(p.p99)},
                   {"p99.9", to_json(p.p999)},
                   {"max", p.max}}},
                 {"runs", outcome.runs},
                 {"far_out", outcome.far_out},
                 {"checked_load_us", outcome.load_us},
                 {"first_inference_us", outcome.first_us},
                 {"warmup_runs", outcome.warmup_runs},
                 {"resident_kib", outcome.rss_kib},
                 {"peak_resident_kib", outcome.peak_rss_kib},
                 {"process_median_us", outcome.process_median_us}};
  if (outcome.interval) object["interval_us"] = to_array(*outcome.interval);
  return object;
}

Outcome to_outcome(const json& object) {
  Outcome outcome;
  outcome.label = object.at("label");
  outcome.model = object.at("model");
  outcome.inputs = object.at("inputs");
  outcome.in_training = object.value("in_training", std::vector<std::string>{});
  outcome.threads = object.at("threads");
  outcome.engine = object.at("engine");
  outcome.environment = object.value("environment", std::vector<std::string>());
  outcome.graph_fuser = object.value("graph_fuser", false);
  outcome.dtype = object.at("dtype");
  outcome.streams = object.at("streams");
  outcome.samples = object.at("samples");
  outcome.sample_us = object.at("sample_us");
  outcome.median_us = object.at("median_us");
  outcome.mean_us = object.at("mean_us");
  const json& p = object.at("percentiles_us");
  outcome.percentiles = {
      p.at("min"), p.at("p50"), to_optional(p.at("p90")), to_optional(p.at("p99")), to_optional(p.at("p99.9")),
      p.at("max")};
  outcome.runs = object.at("runs");
  outcome.far_out = object.at("far_out");
  outcome.load_us = object.at("checked_load_us");
  outcome.first_us = object.at("first_inference_us");
  outcome.warmup_runs = object.value("warmup_runs", std::size_t{0});
  outcome.rss_kib = object.at("resident_kib");
  outcome.peak_rss_kib = object.at("peak_resident_kib");
  object.at("process_median_us").get_to(outcome.process_median_us);
  if (object.contains("interval_us")) outcome.interval = to_interval(object.at("interval_us"));
  return outcome;
}

json to_object(const Report& report, const Ratio& ratio) {
  return {{"variant", report.outcomes.at(ratio.variant).label},
          {"against", report.outcomes.at(ratio.against).label},
          {"variant_index", ratio.variant},
          {"against_index", ratio.against},
          {"ratio", ratio.ratio},
          {"interval", to_array(ratio.interval)},
          {"detectable", ratio.detectable},
          {"verdict", name_of(ratio.verdict)},
          {"text", verdict_text(report, ratio)},
          {"process_log_ratios", ratio.process_log_ratios}};
}

Ratio to_ratio(const json& object) {
  Ratio ratio;
  ratio.variant = object.at("variant_index");
  ratio.against = object.at("against_index");
  ratio.ratio = object.at("ratio");
  ratio.interval = to_interval(object.at("interval"));
  ratio.detectable = to_bound(object.at("detectable"));
  ratio.verdict = to_verdict(object.at("verdict"));
  object.at("process_log_ratios").get_to(ratio.process_log_ratios);
  return ratio;
}

json to_object(const Environment& e) {
  return {{"cpu", e.cpu},
          {"cpus", e.cpus},
          {"kernel", e.kernel},
          {"libtorch", e.libtorch},
          {"fusekit", e.fusekit},
          {"governor", e.governor},
          {"load_average", e.load_average},
          {"cpu_quota", e.cpu_quota},
          {"timer_resolution_ns", e.timer_resolution_ns},
          {"timer_overhead_ns", e.timer_overhead_ns}};
}

Environment to_environment(const json& object) {
  return {object.at("cpu"),
          object.at("cpus"),
          object.at("kernel"),
          object.at("libtorch"),
          object.at("fusekit"),
          object.at("governor"),
          object.at("load_average"),
          object.at("cpu_quota"),
          object.at("timer_resolution_ns"),
          object.at("timer_overhead_ns")};
}

json to_object(const ProcessTrace& trace, bool every_run) {
  json loads = json::array();
  for (const LoadFigures& load : trace.loads)
    loads.push_back(
        {{"checked_load_us", load.load_us}, {"first_inference_us", load.first_us}, {"resident_kib", load.rss_kib}});
  json blocks = json::array();
  for (const Block& block : trace.blocks) {
    json slots = json::array();
    for (std::size_t i = 0; i < block.slots.size(); ++i) {
      const Slot& slot = block.slots[i];
      slots.push_back(
          {{"variant", slot.variant}, {"lead_in", slot.lead_in}, {"median_us", median(block.times[i].run_us)}});
      slots.back()["wall_us"] = block.times[i].wall_us;
      if (every_run) slots.back()["run_us"] = block.times[i].run_us;
    }
    blocks.push_back(std::move(slots));
  }
  return {{"load_order", trace.load_order},
          {"loads", std::move(loads)},
          {"warmup_us", trace.warmup_us},
          {"blocks", std::move(blocks)},
          {"peak_resident_alone_kib", trace.peak_alone_kib},
          {"peak_resident_kib", trace.usage.peak_rss_kib},
          {"major_faults", trace.measured.major_faults},
          {"involuntary_switches", trace.measured.involuntary_switches},
          {"measured_cpu_seconds", trace.measured.cpu_seconds},
          {"waited_seconds", trace.measured.waited_seconds},
          {"cpu_seconds", trace.usage.cpu_seconds}};
}

}  // namespace

std::string to_json(const Report& report, bool traces) {
  json outcomes = json::array();
  for (const Outcome& outcome : report.outcomes) outcomes.push_back(to_object(outcome));
  json ratios = json::array();
  for (const Ratio& ratio : report.ratios) ratios.push_back(to_object(report, ratio));
  std::size_t runs = 0;
  for (const Outcome& outcome : report.outcomes) runs += outcome.runs;
  const Noise& noise = report.noise;
  json document = {{"schema", kSchema},
                   {"outcomes", std::move(outcomes)},
                   {"ratios", std::move(ratios)},
                   {"confidence", report.confidence},
                   {"seconds", report.seconds},
                   {"reached_ci", report.reached_ci},
                   {"interrupted", report.interrupted},
                   {"environment", to_object(report.environment)},
                   {"noise",
                    {{"other_cpus", noise.other_cpus},
                     {"steal", noise.steal},
                     {"major_faults", noise.major_faults},
                     {"involuntary_switches", noise.involuntary_switches},
                     {"throttled_seconds", noise.throttled_seconds},
                     {"clock_change", noise.clock_change},
                     {"cpu_seconds", noise.cpu_seconds},
                     {"measured_cpu_seconds", noise.measured_cpu_seconds},
                     {"waited_seconds", noise.waited_seconds}}},
                   {"scaling", scaling_texts(report)},
                   {"warnings", report.warnings}};
  for (const Profile& profile : report.profiles) document["profiles"].push_back(to_answer(profile));
  if (traces)
    for (const ProcessTrace& trace : report.traces) document["processes"].push_back(to_object(trace, runs <= kMaxRuns));
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

Report from_json(const std::string& text, const std::string& origin) {
  const auto refuse = [&](const std::string& why) -> Error {
    return {ErrorKind::file, fmt::format("'{}' is no result of fusekit bench: {}", origin, why),
            "make one with bench::save"};
  };
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) throw refuse("it holds no JSON object");
  const std::string schema =
      document.contains("schema") && document["schema"].is_string() ? document["schema"] : json("");
  if (schema != kSchema) throw refuse(fmt::format("its schema is '{}', not '{}'", schema, kSchema));
  try {
    Report report;
    for (const json& object : document.at("outcomes")) {
      report.outcomes.push_back(to_outcome(object));
      for (const double us : report.outcomes.back().process_median_us)
        if (!(us > 0)) throw refuse(fmt::format("process_median_us has {}, which is no time", us));
    }
    for (const json& object : document.at("ratios")) report.ratios.push_back(to_ratio(object));
    report.confidence = document.at("confidence");
    report.seconds = document.at("seconds");
    report.reached_ci = document.at("reached_ci");
    report.interrupted = document.value("interrupted", false);
    report.environment = to_environment(document.at("environment"));
    const json& noise = document.at("noise");
    report.noise = {noise.at("other_cpus"),
                    noise.at("steal"),
                    noise.at("major_faults"),
                    noise.at("involuntary_switches"),
                    noise.at("throttled_seconds"),
                    noise.at("clock_change"),
                    noise.at("cpu_seconds"),
                    noise.value("measured_cpu_seconds", 0.0),
                    noise.value("waited_seconds", 0.0)};
    if (document.contains("profiles"))
      for (const json& object : document.at("profiles")) report.profiles.push_back(profile_of(object));
    document.at("warnings").get_to(report.warnings);
    return report;
  } catch (const json::exception& error) {
    throw refuse(error.what());
  }
}

}  // namespace fusekit::bench
