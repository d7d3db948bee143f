#include "fusekit/bench.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/bench_options.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "fusekit/error.h"

namespace fusekit::cli {
namespace {

using nlohmann::json;

/// Ends between two runs when the user interrupts.
class InterruptibleRunner : public bench::Runner {
 public:
  explicit InterruptibleRunner(std::unique_ptr<bench::Runner> inner) : inner_(std::move(inner)) {}
  void run() override {
    if (InterruptWatch::raised()) throw Error(ErrorKind::usage, "interrupted");
    inner_->run();
  }
  std::string run_and_print() override { return inner_->run_and_print(); }

 private:
  std::unique_ptr<bench::Runner> inner_;
};

/// As an ostream prints a number by default.
std::string six_digits(double value) { return fmt::format("{:.6g}", value); }

std::string last_line(double us) {
  return fmt::format("Main run finished. Microseconds per iter: {}. Iters per second: {}", six_digits(us),
                     six_digits(1e6 / us));
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path))
    throw Error(ErrorKind::file, fmt::format("can't read '{}'", path.string()), "make it with --save");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Through a temporary file, so that there is never half a baseline or page.
void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path temporary = fmt::format("{}.{}.tmp", path.string(), getpid());
  std::ofstream file(temporary, std::ios::binary);
  file << text << "\n";
  file.close();
  std::error_code failure;
  if (file) std::filesystem::rename(temporary, path, failure);
  if (file && !failure) return;
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  throw Error(ErrorKind::file, fmt::format("can't write '{}'", path.string()), "is the folder there and writable?");
}

class BenchCommand : public Command {
 public:
  std::string name() const override { return "bench"; }
  std::string summary() const override { return "Time one file, or compare several so that it can be believed"; }
  std::string example() const override {
    return "fusekit bench model.pt --input_dims \"1,3,224,224\" --warmup 5 --iter 20\n"
           "  fusekit bench model.pt model_fused.pt\n"
           "  fusekit bench new.pt --baseline-model old.pt --max-regression 3%";
  }
  void add_options(CLI::App& app) override { flags_.add_to(app); }

  int run(Console& console) override {
    console.set_verbosity(flags_.common.verbosity());
    flags_.finish();
    if (flags_.use_caching_allocator)
      console.note(
          "note: --use_caching_allocator changes nothing here; only LibTorch's mobile builds have that allocator");
    if (!flags_.samples.empty()) return judge_files(console);
    const InterruptWatch watch;
    std::vector<bench::Variant> variants = flags_.variants();
    settle_engines(variants, console);
    const std::vector<std::string> inputs = make_inputs_explicit(variants, console);
    return flags_.once() ? once(variants.front(), inputs.front(), console) : compare(variants, inputs, console);
  }

 private:
  /// Files that are run in one process share an engine.
  static void settle_engines(std::vector<bench::Variant>& variants, const Console& console) {
    std::map<std::pair<int, std::string>, std::vector<std::filesystem::path>> processes;
    for (const bench::Variant& variant : variants)
      if (variant.command.empty())
        processes[{variant.runtime.threads, variant.runtime.engine}].push_back(variant.model);
    std::set<std::string> said;
    for (bench::Variant& variant : variants)
      if (variant.command.empty())
        settle_engine(variant.runtime, processes.at({variant.runtime.threads, variant.runtime.engine}), console, &said);
  }

  /// What each variant is run on, in words.
  static std::vector<std::string> make_inputs_explicit(std::vector<bench::Variant>& variants, Console& console) {
    std::vector<std::string> texts;
    std::map<std::string, InputSummary> known;  // the cells of a matrix share what was worked out for a model
    for (bench::Variant& variant : variants) {
      bench::Arguments& arguments = variant.arguments;
      if (!variant.command.empty()) {
        texts.emplace_back();  // its own affair
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

  int once(const bench::Variant& variant, const std::string& inputs, Console& console) const {
    const bench::OnceOptions options{flags_.warmup.value_or(0), flags_.iterations.value_or(10)};
    InterruptibleRunner runner(bench::load_runner(variant));
    const bool lines = !flags_.common.json;
    if (flags_.print_output) {
      const std::string output = runner.run_and_print();
      lines ? console.print(output) : console.note(output);
    }
    if (lines) console.print("Starting benchmark.\nRunning warmup runs.");
    const bench::OnceReport report = bench::measure_once(runner, bench::real_clock(), options, [&] {
      if (lines) console.print("Main runs.");
    });
    if (lines) {
      print_lines(report, console);
    } else {
      print_json(variant, inputs, options, report, console);
    }
    if (report.unsteady == report.run_us.size()) {
      console.note("note: the times did not get steady within these runs; give more --warmup and --iter");
    } else if (report.unsteady > 0) {
      console.note(fmt::format("note: the first {} of these {} runs were still warming up; --warmup {} leaves them out",
                               report.unsteady, options.iterations,
                               options.warmup + static_cast<int>(report.unsteady)));
    }
    return kDone;
  }

  void print_lines(const bench::OnceReport& report, Console& console) const {
    if (flags_.report_pep)
      for (double us : report.run_us)  // whole microseconds, as its clock gives them
        console.print(
            fmt::format(R"(PyTorchObserver {{"type": "NET", "unit": "us", "metric": "latency", "value": "{}"}})",
                        six_digits(std::floor(us))));
    console.print(last_line(report.mean_us));
  }

  static void print_json(const bench::Variant& variant, const std::string& inputs, const bench::OnceOptions& options,
                         const bench::OnceReport& report, Console& console) {
    const bench::Percentiles& p = report.percentiles;
    const auto known = [](const std::optional<double>& value) { return value ? json(*value) : json(); };
    const json document = {{"schema", "fusekit.bench.once/1"},
                           {"model", variant.model.string()},
                           {"inputs", inputs},
                           {"threads", variant.runtime.threads},
                           {"engine", variant.runtime.engine},
                           {"warmup", options.warmup},
                           {"iter", options.iterations},
                           {"mean_us", report.mean_us},
                           {"percentiles_us",
                            {{"min", p.min},
                             {"p50", p.p50},
                             {"p90", known(p.p90)},
                             {"p99", known(p.p99)},
                             {"p99.9", known(p.p999)},
                             {"max", p.max}}},
                           {"iters_per_second", 1e6 / report.mean_us},
                           {"run_us", report.run_us},
                           {"unsteady_runs", report.unsteady}};
    console.print(document.dump(2, ' ', false, json::error_handler_t::replace));
  }

  int compare(const std::vector<bench::Variant>& variants, const std::vector<std::string>& inputs,
              Console& console) const {
    // Read before the long work, so that a wrong file is not found after it.
    std::optional<bench::Report> baseline;
    if (!flags_.baseline.empty()) baseline = bench::from_json(read_file(flags_.baseline), flags_.baseline);
    const double allowed = flags_.allowed_regression();
    bench::Options options = flags_.options();
    options.interrupted = InterruptWatch::raised;
    const auto launcher = bench::process_launcher({"/proc/self/exe", "bench-worker"}, InterruptWatch::raised);
    bench::Report report =
        bench::measure(variants, options, *launcher, bench::real_clock(),
                       [&](double fraction, const std::string& text) { console.progress(fraction, text); });
    console.end_progress();
    for (std::size_t i = 0; i < inputs.size(); ++i) report.outcomes[i].inputs = inputs[i];
    if (!flags_.save.empty()) write_file(flags_.save, bench::to_json(report, /*traces=*/false));

    std::vector<bench::Gate> gates;
    if (baseline) gates = bench::compare_with_baseline(report, *baseline, allowed, flags_.ignore_mismatch);
    if (!flags_.baseline_model.empty())
      for (const bench::Ratio& ratio : report.ratios)
        if (variants[ratio.variant].command.empty()) gates.push_back(bench::gate_of(report, ratio, allowed));
    if (!flags_.html.empty()) write_file(flags_.html, bench::html_page(with_gates(bench::to_json(report), gates)));
    print(report, gates, console);
    return std::any_of(gates.begin(), gates.end(), [](const bench::Gate& gate) { return gate.regressed; }) ? kNo
                                                                                                           : kDone;
  }

  int judge_files(Console& console) const {
    const bench::Report report = bench::judge_samples(bench::read_samples(flags_.samples[0]), flags_.samples[0],
                                                      bench::read_samples(flags_.samples[1]), flags_.samples[1]);
    print(report, {}, console);
    return kDone;
  }

  void print(const bench::Report& report, const std::vector<bench::Gate>& gates, Console& console) const {
    if (flags_.common.json) {
      console.print(with_gates(bench::to_json(report), gates));
    } else if (flags_.csv) {
      std::string text = bench::to_csv(report);
      text.erase(text.size() - 1);  // print adds the line end
      console.print(text);
    } else if (flags_.markdown) {
      std::string text = bench::to_markdown(report);
      for (const bench::Gate& gate : gates) text += fmt::format("\n{} {}\n", gate.regressed ? "❌" : "✅", gate.text);
      text.erase(text.size() - 1);
      console.print(text);
    } else {
      print_table(report, gates, console);
    }
    if (!flags_.markdown)
      for (const std::string& warning : report.warnings) console.warn(warning);
    if (report.seconds > 0)
      console.detail(fmt::format("{} processes, {:.1f} s; clock: {:.0f} ns resolution, {:.0f} ns a reading",
                                 report.traces.size(), report.seconds, report.environment.timer_resolution_ns,
                                 report.environment.timer_overhead_ns));
  }

  static std::string with_gates(const std::string& report, const std::vector<bench::Gate>& gates) {
    json document = json::parse(report);
    for (const bench::Gate& gate : gates)
      document["gates"].push_back({{"regressed", gate.regressed},
                                   {"slowdown", gate.slowdown},
                                   {"interval", {gate.interval.low, gate.interval.high}},
                                   {"detectable", gate.detectable},
                                   {"text", gate.text}});
    return document.dump(2, ' ', false, json::error_handler_t::replace);
  }

  static void print_table(const bench::Report& report, const std::vector<bench::Gate>& gates, Console& console) {
    if (report.outcomes.size() == 1) {
      console.print("Starting benchmark.\nRunning warmup runs.\nMain runs.");
    } else {
      console.print(bench::to_table(report));
    }
    const std::string starts = bench::to_start_table(report);
    if (!starts.empty()) report.outcomes.size() == 1 ? console.note(starts) : console.print("\n" + starts + "\n");
    for (const bench::Ratio& ratio : report.ratios) console.print(bench::verdict_text(report, ratio));
    for (const bench::Gate& gate : gates) console.print(gate.text);
    if (!report.profiles.empty()) console.print("\n" + bench::to_profile_table(report));
    if (report.outcomes.size() == 1) console.print(last_line(report.outcomes.front().median_us));
  }

  BenchFlags flags_;
};

/// What `bench` starts as its fresh processes; not for people.
class BenchWorkerCommand : public Command {
 public:
  std::string name() const override { return "bench-worker"; }
  std::string summary() const override { return "One of bench's processes"; }
  std::string example() const override { return "fusekit bench-worker < REQUESTS"; }
  bool hidden() const override { return true; }
  void add_options(CLI::App&) override {}

  int run(Console&) override {
    // A network may print: that must not get between the answers.
    const int answers = dup(STDOUT_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    bench::serve_worker(STDIN_FILENO, answers);
    return kDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_bench_command() { return std::make_unique<BenchCommand>(); }
std::unique_ptr<Command> make_bench_worker_command() { return std::make_unique<BenchWorkerCommand>(); }

}  // namespace fusekit::cli
