#include "fusekit/bench.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "cli/bench_options.h"
#include "cli/bench_output.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/speed_benchmark.h"
#include "fusekit/error.h"
#include "fusekit/text_file.h"

namespace fusekit::cli {
namespace {

class BenchCommand : public Command {
 public:
  std::string name() const override { return "bench"; }
  std::string summary() const override { return "Time one file, or compare several so that it can be believed"; }
  std::string example() const override {
    return "fusekit bench model.pt --input_dims \"1,3,224,224\" --warmup 5 --iter 20\n"
           "  fusekit bench model.pt model_fused.pt\n"
           "  fusekit bench new.pt --baseline-model old.pt --max-regression 3%";
  }
  bool times_networks() const override { return true; }
  void add_options(CLI::App& app) override { flags_.add_to(app); }

  int run(Console& console) override {
    console.set_verbosity(flags_.common.verbosity());
    flags_.finish();
    if (flags_.use_caching_allocator)
      console.note(
          "note: --use_caching_allocator changes nothing here; only LibTorch's mobile builds have that allocator");
    if (!flags_.samples.empty()) return compare_samples(console);
    const InterruptWatch watch;
    load_libraries(flags_.common.runtime.libraries);
    std::vector<bench::Variant> variants = flags_.variants();
    choose_engines(variants, console);
    const std::vector<std::string> inputs = resolve_all_inputs(variants, console);
    if (!flags_.once()) return compare(variants, inputs, console);
    run_speed_benchmark(flags_, variants.front(), inputs.front(), console);
    return kDone;
  }

 private:
  /// Files that are run in one process share an engine.
  static void choose_engines(std::vector<bench::Variant>& variants, const Console& console) {
    std::map<std::pair<int, std::string>, std::vector<std::filesystem::path>> processes;
    for (const bench::Variant& variant : variants)
      if (variant.command.empty())
        processes[{variant.runtime.threads, variant.runtime.engine}].push_back(variant.model);
    std::set<std::string> said;
    for (bench::Variant& variant : variants)
      if (variant.command.empty())
        settle_engine(variant.runtime, processes.at({variant.runtime.threads, variant.runtime.engine}), console, &said);
  }

  /// Resolves the inputs of each variant; returns their descriptions.
  static std::vector<std::string> resolve_all_inputs(std::vector<bench::Variant>& variants, Console& console) {
    std::vector<std::string> texts;
    std::map<std::string, InputSummary> known;  // variants of one model share its inferred inputs
    for (bench::Variant& variant : variants) {
      bench::Arguments& arguments = variant.arguments;
      if (!variant.command.empty()) {
        texts.emplace_back();  // a program has its own inputs
        continue;
      }
      if (arguments.none) {
        texts.emplace_back("none");
      } else if (arguments.bundled >= 0) {
        texts.push_back(fmt::format("bundled input {}", arguments.bundled));
      } else {
        std::string key = variant.model.string();
        for (const auto& shape : arguments.inputs.dims) key += fmt::format(" {}", fmt::join(shape, "x"));
        auto found = known.find(key);
        if (found == known.end()) found = known.emplace(key, resolve_inputs(variant.model, arguments.inputs)).first;
        arguments.inputs = found->second.options;
        texts.push_back(found->second.text);
      }
      if (InterruptWatch::raised()) throw Error(ErrorKind::usage, "interrupted");
      const std::size_t other = variant.against < texts.size() ? variant.against : 0;
      if (texts.back() != texts[other] && variant.samples == variants[other].samples)
        console.warn(
            fmt::format("{} is run on {}, {} on {}", variants[other].label, texts[other], variant.label, texts.back()));
    }
    std::set<std::string> distinct(texts.begin(), texts.end());
    distinct.erase("");
    console.note(fmt::format("inputs: {}", fmt::join(distinct, " | ")));
    return texts;
  }

  int compare(const std::vector<bench::Variant>& variants, const std::vector<std::string>& inputs,
              Console& console) const {
    // Checked before the measurement, so that no time is lost with wrong files.
    std::optional<bench::Report> baseline;
    if (!flags_.baseline.empty()) {
      baseline = bench::from_json(read_text_file(flags_.baseline, "make it with --save"), flags_.baseline);
      bench::check_baseline(settings_report(variants, inputs), *baseline, flags_.ignore_mismatch);
    }
    for (const std::string& output : {flags_.save, flags_.html})
      if (!output.empty()) check_text_file(output);
    bench::Options options = flags_.options();
    options.interrupted = InterruptWatch::raised;
    const auto launcher = bench::process_launcher({"/proc/self/exe", "bench-worker"}, InterruptWatch::raised);
    bench::Report report =
        bench::measure(variants, options, *launcher, bench::real_clock(),
                       [&](double fraction, const std::string& text) { console.progress(fraction, text); });
    console.end_progress();
    for (std::size_t i = 0; i < inputs.size(); ++i) report.outcomes[i].inputs = inputs[i];
    if (!flags_.save.empty()) write_text_file(flags_.save, bench::to_json(report, /*traces=*/false) + "\n");

    const std::vector<bench::RegressionCheck> checks = check_regressions(report, variants, baseline);
    if (!flags_.html.empty()) write_text_file(flags_.html, bench::html_page(json_with_checks(report, checks)));
    print_report(report, checks, flags_, console);
    return std::any_of(checks.begin(), checks.end(),
                       [](const bench::RegressionCheck& check) { return check.regressed; })
               ? kNo
               : kDone;
  }

  /// Against the baseline or the baseline model; empty where neither is given.
  std::vector<bench::RegressionCheck> check_regressions(const bench::Report& report,
                                                        const std::vector<bench::Variant>& variants,
                                                        const std::optional<bench::Report>& baseline) const {
    const double allowed = flags_.allowed_regression();
    if (baseline) return bench::compare_with_baseline(report, *baseline, allowed, flags_.ignore_mismatch);
    if (flags_.baseline_model.empty()) return {};
    std::vector<bench::Ratio> ratios;  // without the external programs
    for (const bench::Ratio& ratio : report.ratios)
      if (variants[ratio.variant].command.empty()) ratios.push_back(ratio);
    return bench::check_for_regressions(report, ratios, allowed);
  }

  /// A report with the settings and the machine, but no figures.
  static bench::Report settings_report(const std::vector<bench::Variant>& variants,
                                       const std::vector<std::string>& inputs) {
    bench::Report report;
    report.environment = bench::this_environment(bench::real_clock());
    for (std::size_t i = 0; i < variants.size(); ++i) {
      bench::Outcome& outcome = report.outcomes.emplace_back();
      bench::copy_settings(variants[i], outcome);
      outcome.inputs = inputs[i];
    }
    return report;
  }

  int compare_samples(Console& console) const {
    const bench::Report report =
        bench::compare_recorded_times(bench::read_recorded_times(flags_.samples[0]), flags_.samples[0],
                                      bench::read_recorded_times(flags_.samples[1]), flags_.samples[1]);
    print_report(report, {}, flags_, console);
    return kDone;
  }

  BenchFlags flags_;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() { return std::make_unique<BenchCommand>(); }

}  // namespace fusekit::cli
