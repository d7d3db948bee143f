#include "cli/report_quantize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/report_fusion.h"
#include "cli/report_verify.h"
#include "fusekit/columns.h"

namespace fusekit::cli {
namespace {

/// JSON has no infinity.
nlohmann::json figure(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

std::size_t int8_layers(const QuantizeReport& report) {
  return static_cast<std::size_t>(
      std::count_if(report.layers.begin(), report.layers.end(), [](const LayerCost& layer) { return layer.int8; }));
}

std::size_t slow_layers(const QuantizeReport& report) {
  return static_cast<std::size_t>(std::count_if(report.layers.begin(), report.layers.end(), [](const LayerCost& layer) {
    return layer.reason.code == ReasonCode::slower_in_int8;
  }));
}

/// `path` as the table shows it, in a column of so many.
std::string row(const LayerCost& layer, const std::string& path, std::size_t columns) {
  if (!layer.int8)
    return fmt::format("  {:>8}  {:>9}  {:>8.1f}M  {:<{}} {}, float: {}", "", "", layer.macs / 1e6, path, columns,
                       layer.operation, to_text(layer.reason));
  return fmt::format("  {:>8.1f}  {:>8.2f}%  {:>8.1f}M  {:<{}} {}", layer.sqnr_db, 100 * layer.saturated,
                     layer.macs / 1e6, path, columns, layer.operation);
}

/// Columns for the paths, so that what stands beside them fits into `columns` in all.
std::size_t path_columns(const std::vector<LayerCost>& costs, std::size_t columns) {
  constexpr std::size_t most = 40, least = 12, figures = 34;
  if (columns == 0) return most;
  std::size_t beside = figures + 1, longest = 0;
  for (const LayerCost& cost : costs) {
    beside = std::max(beside, figures + 1 + cost.operation.size());
    longest = std::max(longest, columns_of(cost.path));
  }
  return std::max(least, std::min(longest, columns - std::min(columns, beside)));
}

std::string rounding_in_words(Rounding rounding) {
  return rounding == Rounding::corrected ? "nearest rounding with corrected biases" : to_string(rounding) + " rounding";
}

nlohmann::json costs_json(const std::vector<LayerCost>& costs) {
  nlohmann::json json = nlohmann::json::array();
  for (const LayerCost& cost : costs)
    json.push_back({{"path", cost.path},
                    {"operation", cost.operation},
                    {"int8", cost.int8},
                    {"reason", to_text(cost.reason)},
                    {"sqnr_db", figure(cost.sqnr_db)},
                    {"alone_db", figure(cost.alone_db)},
                    {"saturated", cost.saturated},
                    {"macs", cost.macs}});
  return json;
}

/// "matmul (3.1 %), gru (20.0 %)" of what multiplies and adds beside the layers, with a share that is worth a word.
std::string others_in_words(const QuantizeReport& report) {
  std::map<std::string, double> shares;
  for (const LayerCost& other : report.others) shares[other.operation] += other.macs / std::max(1.0, report.macs);
  std::vector<std::string> words;
  for (const auto& [operation, share] : shares)
    if (share >= 0.001) words.push_back(fmt::format("{} ({:.1f} %)", operation, 100 * share));
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string error_in_words(const QuantizeReport& report) {
  const OutputError& whole = report.whole;
  if (report.nothing_proven) return "\nagainst float: nothing to compare, its outputs are zero";
  std::string text = fmt::format(
      "\nagainst float: SQNR {:.1f} dB (worst sample {:.1f}), cosine {:.5f}, largest error {:.2g} of the "
      "largest output",
      whole.sqnr_db, report.worst_sqnr_db, whole.cosine, whole.max_rel);
  if (report.lost_detections > 0)
    text +=
        fmt::format(", up to {:.0f} % of a sample's detections without a counterpart", 100 * report.lost_detections);
  if (whole.top1) text += fmt::format(", same top-1 {:.1f} %", 100 * *whole.top1);
  return text;
}

}  // namespace

bool has_int8_layers(const QuantizeReport& report) { return int8_layers(report) > 0; }

std::string plain_load_summary(const PlainLoad& load) {
  const auto in_ms = [](double seconds) { return fmt::format("{:.3g} ms", 1e3 * seconds); };
  std::string text =
      fmt::format("on this machine, {} {}: a run takes about ", load.threads, load.threads == 1 ? "thread" : "threads");
  const bool plain_runs = !std::isnan(load.plain);
  if (plain_runs)
    text += fmt::format("{} with a plain torch.jit.load (engine {})", in_ms(load.plain), load.plain_engine);
  if (!plain_runs || load.best_engine != load.plain_engine)
    text += fmt::format("{}{} under the engine {}", plain_runs ? ", " : "", in_ms(load.best), load.best_engine);
  return text + fmt::format("; the float original {}", in_ms(load.original));
}

nlohmann::json plain_load_json(const PlainLoad& load) {
  return {{"threads", load.threads},         {"plain_engine", load.plain_engine}, {"plain_seconds", load.plain},
          {"best_engine", load.best_engine}, {"best_seconds", load.best},         {"original_seconds", load.original}};
}

std::string quantize_summary(const QuantizeReport& report) {
  std::string text = fmt::format(
      "int8: {} of {} convolutions and linears ({:.1f} % of the multiply-adds), {} operators in all; qconfig {}, {} "
      "observers, {}, {} {}samples",
      int8_layers(report), report.layers.size(), 100 * report.int8_macs, report.int8_operators,
      to_string(report.qconfig), to_string(report.observer), rounding_in_words(report.rounding), report.samples,
      report.random ? "random " : "");
  if (const std::size_t slow = slow_layers(report); slow > 0)
    text += fmt::format("\nfloat, for it is faster there: {} {} (--prefer size makes them int8)", slow,
                        slow == 1 ? "layer" : "layers");
  if (const std::string others = others_in_words(report); !others.empty())
    text += fmt::format("\nfloat, for there is no int8 operator: {} of the multiply-adds", others);
  if (!report.random) text += fmt::format("\ncalibrated on {}", report.data);
  text += error_in_words(report);
  if (!report.fallbacks.empty())
    text += fmt::format("\nback to float to hold the bound, {:.2f} times as long a run for it: {}",
                        report.fallback_time, fmt::join(report.fallbacks, ", "));
  return text;
}

std::string quantize_explanation(const QuantizeReport& report, std::size_t columns) {
  std::string text = "   SQNR dB  saturated       MACs  layer";
  std::vector<LayerCost> costs = report.layers;
  costs.insert(costs.end(), report.others.begin(), report.others.end());
  std::vector<std::string> paths;
  for (const LayerCost& cost : costs) paths.push_back(cost.path);
  const std::size_t width = path_columns(costs, columns);
  if (columns > 0) paths = shortened(paths, width);
  for (std::size_t k = 0; k < costs.size(); ++k) text += "\n" + row(costs[k], paths[k], width);
  for (const FloatOperator& one : report.floats)
    text += fmt::format("\nfloat: {} in {}: {}", one.operation, one.path.empty() ? "the root module" : one.path,
                        to_text(one.reason));
  return text;
}

nlohmann::json quantize_json(const QuantizeReport& report) {
  nlohmann::json json = {{"qconfig", to_string(report.qconfig)},
                         {"observer", to_string(report.observer)},
                         {"rounding", to_string(report.rounding)},
                         {"samples", report.samples},
                         {"data", report.data},
                         {"random_calibration", report.random},
                         {"int8_operators", report.int8_operators},
                         {"macs", report.macs},
                         {"int8_share_of_macs", report.int8_macs},
                         {"nothing_proven", report.nothing_proven},
                         {"fallbacks", report.fallbacks},
                         {"fallback_time", report.fallback_time},
                         {"bound_holds", report.bound_holds},
                         {"warnings", report.warnings}};
  json["error"] = {{"sqnr_db", figure(report.whole.sqnr_db)},
                   {"worst_sqnr_db", figure(report.worst_sqnr_db)},
                   {"lost_detections", report.lost_detections},
                   {"max_abs", figure(report.whole.max_abs)},
                   {"max_rel", figure(report.whole.max_rel)},
                   {"cosine", figure(report.whole.cosine)},
                   {"top1", report.whole.top1 ? nlohmann::json(*report.whole.top1) : nlohmann::json()}};
  json["layers"] = costs_json(report.layers);
  json["others"] = costs_json(report.others);
  json["floats"] = nlohmann::json::array();
  for (const FloatOperator& one : report.floats)
    json["floats"].push_back({{"path", one.path}, {"operation", one.operation}, {"reason", to_text(one.reason)}});
  json["fused"] = fusion_json(report.fused);
  return json;
}

void tell_refusal(const WriteReport& report, const Console& console) {
  for (const MethodCheck& check : report.methods)
    if (!check.report) warn_of_unverified(check, console);
  if (const VerifyReport* failure = report.failure())
    console.error(fmt::format("{} was not written: the reloaded file differs from the network in memory: {}",
                              report.output.string(), failure->failure),
                  "please report this");
}

}  // namespace fusekit::cli
