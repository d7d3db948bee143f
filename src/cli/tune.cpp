#include "fusekit/tune.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/bench_options.h"
#include "cli/bench_output.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "fusekit/columns.h"
#include "fusekit/error.h"

namespace fusekit::cli {
namespace {

class TuneCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "tune"; }
  [[nodiscard]] std::string summary() const override { return "Make every kind of file, time them, write the fastest"; }
  [[nodiscard]] std::string example() const override {
    return "fusekit tune model.pt -o model_fast.pt --input_dims \"1,3,224,224\"\n"
           "  fusekit tune model.pt -o model_fast.pt --max-error 0.05 --calibrate photos/";
  }
  [[nodiscard]] bool times_networks() const override { return true; }

  void add_options(CLI::App& app) override {
    app.add_option("IN", input_, "TorchScript file")->required();
    app.add_option("-o,--output", output_, "File to write")->required();
    app.add_flag("--force", options_.force, "Replace an existing output");
    app.add_flag("--eval", options_.read.eval, "Put the network into eval() first: a file for inference");
    app.add_option("--max-error", options_.max_error,
                   "Largest error, relative to the largest output: lets bfloat16 and int8 be tried");
    app.add_option("--min-sqnr", options_.min_sqnr_db, "The same in dB of the outputs' SQNR");
    app.add_option("--calibrate", calibration_.paths, "What int8 is calibrated on: files or folders (repeatable)")
        ->take_all();
    app.add_option("--random-calibration", calibration_.random, "Calibrate on so many random samples instead");
    app.add_option("--max-time", options_.bench.max_seconds, "Seconds for all timed runs")->capture_default_str();
    app.add_option("--layer-times", options_.layer_times,
                   "Keep the times of single layers in this file, for other networks")
        ->type_name("FILE");
    app.add_option("--html", html_, "Write the times as a page");
    add_input_options(app, inputs_);
    add_common_options(app, common_, /*runs_a_model=*/true);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    if (common_.runtime.engine != "auto" && !common_.runtime.engine.empty())
      throw Error(ErrorKind::usage, "tune tries the engines by itself", "leave --engine out");
    const InterruptWatch watch;
    common_.enter_sandbox({output_, html_, options_.layer_times}, /*starts_programs=*/true);
    apply(common_.runtime);
    options_.inputs = inputs_.finish();
    options_.threads = common_.runtime.threads;
    if (!calibration_.paths.empty() || calibration_.random > 0) options_.calibration = calibration_;
    options_.bench.interrupted = InterruptWatch::raised;
    options_.progress = [&](double share, const std::string& what) { console.progress(share, what); };
    if (!html_.empty()) bench::check_save(html_);
    const auto launcher = bench::process_launcher({"/proc/self/exe", "bench-worker"}, InterruptWatch::raised);
    const TuneReport report = tune(input_, output_, options_, *launcher, bench::real_clock());
    console.end_progress();
    if (!html_.empty()) bench::save_page(json_with_checks(report.measured, {}), html_);
    for (const std::string& warning : report.measured.warnings) console.warn(warning);
    common_.json ? console.print_json(json_of(report)) : print(report, console);
    return kDone;
  }

 private:
  void print(const TuneReport& report, const Console& console) const {
    std::vector<std::vector<std::string>> rows = {
        {"candidate", "median us", "speed", "interval", "error", "SQNR dB", "MB"}};
    for (const Candidate& candidate : report.candidates) rows.push_back(row_of(report, candidate));
    console.print(aligned(rows, rows.front().size() - 1));
    for (const Candidate& candidate : report.candidates)
      if (!candidate.refused.empty())
        console.print(fmt::format("{} is not a candidate: {}", candidate.name, candidate.refused));
    const Candidate& winner = report.candidates[report.winner];
    console.print(fmt::format("wrote {}: {}, made for {}", output_, winner.name, report.inputs));
    if (report.fastest != report.winner) console.print(switch_of(report.candidates[report.fastest]));
  }

  static std::vector<std::string> row_of(const TuneReport& report, const Candidate& candidate) {
    std::vector<std::string> row = {candidate.name, "-", "-", "", "-", "-", "-"};
    if (candidate.outcome) row[1] = fmt::format("{:.0f}", report.measured.outcomes[*candidate.outcome].median_us);
    if (const bench::Ratio* ratio = report.ratio_of(candidate)) {
      row[2] = fmt::format("{:.2f}", ratio->ratio);
      row[3] = fmt::format("{:.2f} to {:.2f}", ratio->interval.low, ratio->interval.high);
    } else if (candidate.name == "original") {
      row[2] = "1";
    }
    if (candidate.name != "original") {
      row[4] = fmt::format("{:.2g}", candidate.error.max_rel);
      row[5] = std::isfinite(candidate.error.sqnr_db) ? fmt::format("{:.1f}", candidate.error.sqnr_db) : "exact";
    }
    if (candidate.bytes > 0) row[6] = fmt::format("{:.1f}", static_cast<double>(candidate.bytes) / 1e6);
    return row;
  }

  /// The command that writes the candidate's file.
  [[nodiscard]] std::string made_by(const Candidate& candidate) const {
    std::string command = fmt::format("fusekit {} {} -o FILE", candidate.int8 ? "quantize" : "fuse", input_);
    if (candidate.target != "portable") command += " --for " + candidate.target;
    if (candidate.dtype == "bfloat16") command += " --dtype bf16";
    if (candidate.times_layers)
      command += " --layer-times " + (options_.layer_times.empty() ? "FILE.json" : options_.layer_times.string());
    if (candidate.int8_dialect == "onednn") command += " --int8-dialect onednn";
    if (!inputs_.dims.empty()) command += fmt::format(" --input_dims \"{}\"", inputs_.dims);
    if (!candidate.int8) return command;
    for (const auto& path : calibration_.paths) command += " --calibrate " + path.string();
    if (calibration_.random > 0) command += fmt::format(" --random-calibration {}", calibration_.random);
    return command;
  }

  /// What a program has to do for a file that is faster with a switch.
  [[nodiscard]] std::string switch_of(const Candidate& candidate) const {
    std::string text = fmt::format("faster still is \"{}\", a file of `{}` in a program that has set a switch:\n",
                                   candidate.name, made_by(candidate));
    if (!candidate.environment.empty())
      text += fmt::format(
          "  in its environment: {}\n  or first thing in main: mallopt(M_MMAP_THRESHOLD, 1 << 30); "
          "mallopt(M_TRIM_THRESHOLD, INT_MAX);",
          fmt::join(candidate.environment, " "));
    if (candidate.graph_fuser)
      text += fmt::format(
          "{}  C++:    torch::jit::RegisterLlgaFuseGraph::setEnabled(true);  "
          "// <torch/csrc/jit/codegen/onednn/interface.h>\n"
          "          module.eval(); module = torch::jit::freeze(module);  // then run it some times\n"
          "  Python: torch.jit.enable_onednn_fusion(True)\n"
          "          model = torch.jit.freeze(torch.jit.load(\"FILE\").eval())\n"
          "  It compiles every TorchScript network of the process whose first run comes later.",
          candidate.environment.empty() ? "" : "\n");
    if (candidate.engine.empty()) return text;
    std::string name = candidate.engine;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
    return text + fmt::format(
                      "  C++:    at::globalContext().setQEngine(at::QEngine::{});  // before it loads the file\n"
                      "  Python: torch.backends.quantized.engine = \"{}\"",
                      name, candidate.engine);
  }

  [[nodiscard]] nlohmann::json json_of(const TuneReport& report) const {
    const auto number = [](double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); };
    nlohmann::json candidates = nlohmann::json::array();
    for (const Candidate& candidate : report.candidates) {
      nlohmann::json json = {{"name", candidate.name},
                             {"engine", candidate.engine},
                             {"graph_fuser", candidate.graph_fuser},
                             {"environment", candidate.environment},
                             {"refused", candidate.refused},
                             {"bytes", candidate.bytes},
                             {"seconds", candidate.seconds},
                             {"max_rel", number(candidate.error.max_rel)},
                             {"sqnr_db", number(candidate.error.sqnr_db)}};
      json["median_us"] =
          candidate.outcome ? nlohmann::json(report.measured.outcomes[*candidate.outcome].median_us) : nlohmann::json();
      if (const bench::Ratio* ratio = report.ratio_of(candidate)) {
        json["ratio"] = ratio->ratio;
        json["interval"] = {number(ratio->interval.low), number(ratio->interval.high)};
      }
      candidates.push_back(json);
    }
    return {{"input", input_},
            {"output", output_},
            {"inputs", report.inputs},
            {"candidates", candidates},
            {"winner", report.candidates[report.winner].name},
            {"fastest", report.candidates[report.fastest].name},
            {"bench", nlohmann::json::parse(json_with_checks(report.measured, {}))}};
  }

  std::string input_;
  std::string output_;
  std::string html_;
  CalibrationOptions calibration_;
  TuneOptions options_;
  InputFlags inputs_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_tune_command() { return std::make_unique<TuneCommand>(); }

}  // namespace fusekit::cli
