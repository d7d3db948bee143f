#include "fusekit/bench.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/bench_options.h"
#include "cli/bench_output.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "cli/speed_benchmark.h"

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
    // Programs to compare with are the user's own, and may do anything.
    if (flags_.commands.empty()) flags_.common.enter_sandbox({flags_.save, flags_.html}, /*starts_programs=*/true);
    load_libraries(flags_.common.runtime.libraries);
    set_limits(flags_.common.runtime);
    std::vector<bench::Variant> variants = flags_.variants();
    for (const bench::Remark& remark : bench::prepare(variants, InterruptWatch::raised))
      remark.kind == bench::Remark::Kind::warning ? console.warn(remark.text) : console.note(remark.text);
    if (!flags_.once()) return compare(variants, console);
    return run_speed_benchmark(flags_, variants.front(), console) ? kDone : kInterrupted;
  }

 private:
  int compare(const std::vector<bench::Variant>& variants, Console& console) const {
    // Checked before the measurement, so that no time is lost with wrong files.
    std::optional<bench::Report> baseline;
    if (!flags_.baseline.empty()) {
      baseline = bench::load(flags_.baseline);
      bench::check_baseline(bench::unmeasured(variants), *baseline, flags_.ignore_mismatch);
    }
    for (const std::string& output : {flags_.save, flags_.html})
      if (!output.empty()) bench::check_save(output);
    const bench::Report report = measure(variants, console);
    if (report.interrupted) {
      print_report(report, {}, flags_, console);
      return kInterrupted;
    }
    const std::vector<bench::RegressionCheck> checks = check_regressions(report, variants, baseline);
    print_report(report, checks, flags_, console);  // before what may find the disk full
    if (!flags_.save.empty()) bench::save(report, flags_.save);
    if (!flags_.html.empty()) bench::save_page(json_with_checks(report, checks), flags_.html);
    const auto fails = [this](const bench::RegressionCheck& check) {
      return check.regressed || (flags_.require_power && check.inconclusive);
    };
    return std::any_of(checks.begin(), checks.end(), fails) ? kNo : kDone;
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

  bench::Report measure(const std::vector<bench::Variant>& variants, const Console& console) const {
    bench::Options options = flags_.options();
    options.interrupted = InterruptWatch::raised;
    const auto launcher = bench::process_launcher({"/proc/self/exe", "bench-worker"}, InterruptWatch::raised);
    bench::Report report =
        bench::measure(variants, options, *launcher, bench::real_clock(),
                       [&](double fraction, const std::string& text) { console.progress(fraction, text); });
    console.end_progress();
    for (std::string& warning : report.warnings) warning = in_flags(warning);  // files keep them, too
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
