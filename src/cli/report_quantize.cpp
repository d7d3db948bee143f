#include "cli/report_quantize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/report_fusion.h"
#include "cli/report_verify.h"

namespace fusekit::cli {
namespace {

/// JSON has no infinity.
nlohmann::json figure(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

std::size_t int8_layers(const QuantizeReport& report) {
  return static_cast<std::size_t>(
      std::count_if(report.layers.begin(), report.layers.end(), [](const LayerCost& layer) { return layer.int8; }));
}

std::string row(const LayerCost& layer) {
  if (!layer.int8)
    return fmt::format("  {:>8}  {:>9}  {:>9}  {:<40} float: {}", "", "", "", layer.path, to_text(layer.reason));
  return fmt::format("  {:>8.1f}  {:>8.2f}%  {:>8.1f}M  {:<40} {}", layer.sqnr_db, 100 * layer.saturated,
                     layer.macs / 1e6, layer.path, layer.operation);
}

std::string rounding_in_words(Rounding rounding) {
  return rounding == Rounding::corrected ? "nearest rounding with corrected biases" : to_string(rounding) + " rounding";
}

}  // namespace

std::string quantize_summary(const QuantizeReport& report) {
  std::string text = fmt::format(
      "int8: {} of {} convolutions and linears ({:.1f} % of the multiply-adds), {} operators in all; qconfig {}, {} "
      "observers, {}, {} {}samples",
      int8_layers(report), report.layers.size(), 100 * report.int8_macs, report.int8_operators,
      to_string(report.qconfig), to_string(report.observer), rounding_in_words(report.rounding), report.samples,
      report.random ? "random " : "");
  const OutputError& whole = report.whole;
  text += fmt::format(
      "\nagainst float: SQNR {:.1f} dB (worst sample {:.1f}), cosine {:.5f}, largest error {:.2g} of the "
      "largest output",
      whole.sqnr_db, report.worst_sqnr_db, whole.cosine, whole.max_rel);
  if (whole.top1) text += fmt::format(", same top-1 {:.1f} %", 100 * *whole.top1);
  if (!report.fallbacks.empty())
    text += fmt::format("\nback to float to hold the bound, {:.2f} times as long a run for it: {}",
                        report.fallback_time, fmt::join(report.fallbacks, ", "));
  return text;
}

std::string quantize_explanation(const QuantizeReport& report) {
  std::string text = "   SQNR dB  saturated       MACs  layer";
  for (const LayerCost& layer : report.layers) text += "\n" + row(layer);
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
                         {"random_calibration", report.random},
                         {"int8_operators", report.int8_operators},
                         {"int8_share_of_macs", report.int8_macs},
                         {"fallbacks", report.fallbacks},
                         {"fallback_time", report.fallback_time},
                         {"bound_holds", report.bound_holds},
                         {"warnings", report.warnings}};
  json["error"] = {{"sqnr_db", figure(report.whole.sqnr_db)},
                   {"worst_sqnr_db", figure(report.worst_sqnr_db)},
                   {"max_abs", figure(report.whole.max_abs)},
                   {"max_rel", figure(report.whole.max_rel)},
                   {"cosine", figure(report.whole.cosine)},
                   {"top1", report.whole.top1 ? nlohmann::json(*report.whole.top1) : nlohmann::json()}};
  json["layers"] = nlohmann::json::array();
  for (const LayerCost& layer : report.layers)
    json["layers"].push_back({{"path", layer.path},
                              {"operation", layer.operation},
                              {"int8", layer.int8},
                              {"reason", to_text(layer.reason)},
                              {"sqnr_db", figure(layer.sqnr_db)},
                              {"alone_db", figure(layer.alone_db)},
                              {"saturated", layer.saturated},
                              {"macs", layer.macs}});
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
