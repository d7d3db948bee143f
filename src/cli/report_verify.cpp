#include "cli/report_verify.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace fusekit::cli {
namespace {

std::string runs_text(const VerifyReport& report) {
  return fmt::format("{} sample{} x {} run{}", report.samples, report.samples == 1 ? "" : "s", report.runs,
                     report.runs == 1 ? "" : "s");
}

std::string sqnr_text(const VerifyReport& report) {
  const double db = report.worst.sqnr_db;
  const std::string text = std::isinf(db) && db > 0 ? "infinite (no difference)" : fmt::format("{:.1f} dB", db);
  return report.min_sqnr_db ? fmt::format("{} (at least {:.4g})", text, *report.min_sqnr_db) : text;
}

/// Said of a detection network that finds nothing in random numbers.
const char* emptiness(const VerifyReport& report) {
  return report.compared > 0 ? ""
                             : "; but its outputs are EMPTY here, which proves little: give --inputs with real data";
}

std::string detections_text(const VerifyReport& report) {
  const std::string matched = report.matched == report.detections
                                  ? "all have a counterpart"
                                  : fmt::format("{} have a counterpart", report.matched);
  const std::string moved = report.moved == 0 ? "" : fmt::format(", {} in another row", report.moved);
  return fmt::format("{}, {}{}", report.detections, matched, moved);
}

/// What is said where the tolerance alone would not do.
std::string rounding_text(const OwnRounding& rounding) {
  return fmt::format("against a run in double the first is off by {:.2g}, the second by {:.2g}", rounding.original,
                     rounding.second);
}

/// Was there nothing that the figures could be of?
bool is_unmeasured(const VerifyReport& report) { return report.differs_in_kind && report.worst_at.empty(); }

/// JSON has no infinity.
nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

}  // namespace

std::string verify_table(const VerifyReport& report) {
  const OutputError& worst = report.worst;
  std::string table;
  const auto line = [&table](const char* name, const std::string& value) {
    table += fmt::format("{}{:<10}{}", table.empty() ? "" : "\n", name, value);
  };
  std::string good = report.min_sqnr_db ? "near enough for its SQNR"
                     : report.rounding  ? "equal within the original's own rounding"
                                        : "equal within the tolerance";
  good += emptiness(report);
  line("result", report.passed ? good : (report.min_sqnr_db ? "NOT near enough: " : "NOT equal: ") + report.failure);
  line("inputs", report.inputs);
  line("runs", runs_text(report));
  if (is_unmeasured(report)) return table;
  if (report.differs_in_kind) line("of the rest", "what could be compared before");
  line("max abs", fmt::format("{:.3g}", worst.max_abs));
  const std::string place = worst.max_rel > 0 && !report.worst_at.empty() ? ", at " + report.worst_at : "";
  const std::string tolerance =
      std::isinf(report.tolerance) ? "" : fmt::format(" (tolerance {:.3g})", report.tolerance);
  line("max rel", fmt::format("{:.3g}{}{}", worst.max_rel, tolerance, place));
  if (report.rounding) line("rounding", rounding_text(*report.rounding));
  line("SQNR", sqnr_text(report));
  line("cosine", fmt::format("{:.9f}", worst.cosine));
  if (report.detections > 0) line("boxes", detections_text(report));
  if (worst.top1) line("top-1", fmt::format("{:.4g} % agree", 100 * *worst.top1));
  return table;
}

std::string verify_line(const VerifyReport& report) {
  if (!report.passed)
    return fmt::format("verification failed on {}: {}{}", report.inputs, report.failure,
                       report.rounding ? " (" + rounding_text(*report.rounding) + ")" : "");
  if (report.rounding)
    return fmt::format("verified on {}: max rel error {:.2g}, within the original's own rounding ({}), {}",
                       report.inputs, report.worst.max_rel, rounding_text(*report.rounding), runs_text(report));
  if (report.min_sqnr_db)
    return fmt::format("verified on {}: SQNR {}, {}{}", report.inputs, sqnr_text(report), runs_text(report),
                       emptiness(report));
  return fmt::format("verified on {}: max rel error {:.2g} (tolerance {:.2g}), {}{}", report.inputs,
                     report.worst.max_rel, report.tolerance, runs_text(report), emptiness(report));
}

nlohmann::json verify_json(const VerifyReport& report) {
  const auto figure = [&](double value) { return is_unmeasured(report) ? nlohmann::json() : number(value); };
  return {{"passed", report.passed},
          {"failure", report.failure},
          {"tolerance", number(report.tolerance)},
          {"min_sqnr_db", report.min_sqnr_db ? nlohmann::json(*report.min_sqnr_db) : nlohmann::json()},
          {"inputs", report.inputs},
          {"samples", report.samples},
          {"runs", report.runs},
          {"compared", report.compared},
          {"detections", report.detections},
          {"detections_matched", report.matched},
          {"detections_moved", report.moved},
          {"max_abs", figure(report.worst.max_abs)},
          {"max_rel", figure(report.worst.max_rel)},
          {"worst_at", report.worst_at},
          {"differs_in_kind", report.differs_in_kind},
          {"rounding", report.rounding ? nlohmann::json{{"original", number(report.rounding->original)},
                                                        {"second", number(report.rounding->second)}}
                                       : nlohmann::json()},
          {"sqnr_db", figure(report.worst.sqnr_db)},
          {"cosine", figure(report.worst.cosine)},
          {"top1", report.worst.top1 ? nlohmann::json(*report.worst.top1) : nlohmann::json()}};
}

void warn_of_unverified(const MethodCheck& check, const Console& console) {
  console.warn(
      fmt::format("{}(){} is not verified: {}", check.method, check.eval ? " in eval()" : "", check.unverified));
}

std::string prefix_of(const MethodCheck& check) {
  const std::string method = check.method == "forward" ? "" : check.method + "()";
  const std::string mode = check.mobile    ? "in the mobile interpreter"
                           : check.doubled ? "another batch size"
                           : check.eval    ? "in eval()"
                                           : "";
  const std::string both = method + (method.empty() || mode.empty() ? "" : " ") + mode;
  return both.empty() ? "" : both + ": ";
}

}  // namespace fusekit::cli
