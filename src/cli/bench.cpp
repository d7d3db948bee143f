#include "fusekit/bench.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/bench_once.h"
#include "cli/bench_options.h"
#include "cli/bench_report.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/interrupt.h"

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
  bool times() const override { return true; }
  void add_options(CLI::App& app) override { flags_.add_to(app); }

  int run(Console& console) override {
    console.set_verbosity(flags_.common.verbosity());
    flags_.finish();
    if (flags_.use_caching_allocator)
      console.note(
          "note: --use_caching_allocator changes nothing here; only LibTorch's mobile builds have that allocator");
    if (!flags_.samples.empty()) return judge_files(console);
    const InterruptWatch watch;
    load_libraries(flags_.common.runtime.libraries);
    std::vector<bench::Variant> variants = flags_.variants();
    for (const bench::Remark& remark : bench::prepare(variants, InterruptWatch::raised))
      remark.kind == bench::Remark::Kind::warning ? console.warn(remark.text) : console.note(remark.text);
    if (!flags_.once()) return compare(variants, console);
    bench_once(flags_, variants.front(), console);
    return kDone;
  }

 private:
  int compare(const std::vector<bench::Variant>& variants, Console& console) const {
    // Before the long work, so that a wrong file is not found after it.
    std::optional<bench::Report> baseline;
    if (!flags_.baseline.empty()) {
      baseline = bench::load(flags_.baseline);
      bench::check_baseline(bench::unmeasured(variants), *baseline, flags_.ignore_mismatch);
    }
    for (const std::string& output : {flags_.save, flags_.html})
      if (!output.empty()) bench::check_save(output);
    const double allowed = flags_.allowed_regression();
    const bench::Report report = measure(variants, console);
    if (!flags_.save.empty()) bench::save(report, flags_.save);

    std::vector<bench::Gate> gates;
    if (baseline) gates = bench::compare_with_baseline(report, *baseline, allowed, flags_.ignore_mismatch);
    if (!flags_.baseline_model.empty()) {
      std::vector<bench::Ratio> of_models;
      for (const bench::Ratio& ratio : report.ratios)
        if (variants[ratio.variant].command.empty()) of_models.push_back(ratio);
      gates = bench::gates_of(report, of_models, allowed);
    }
    if (!flags_.html.empty()) bench::save_page(json_with_gates(report, gates), flags_.html);
    print_report(report, gates, flags_, console);
    return std::any_of(gates.begin(), gates.end(), [](const bench::Gate& gate) { return gate.regressed; }) ? kNo
                                                                                                           : kDone;
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

  int judge_files(Console& console) const {
    const bench::Report report = bench::judge_samples(bench::read_samples(flags_.samples[0]), flags_.samples[0],
                                                      bench::read_samples(flags_.samples[1]), flags_.samples[1]);
    print_report(report, {}, flags_, console);
    return kDone;
  }

  BenchFlags flags_;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() { return std::make_unique<BenchCommand>(); }

}  // namespace fusekit::cli
