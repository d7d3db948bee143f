#include "fusekit/quantize.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report_fusion.h"
#include "cli/report_quantize.h"
#include "cli/report_verify.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/verify.h"
#include "fusekit/write.h"

namespace fusekit::cli {
namespace {

class QuantizeCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "quantize"; }
  [[nodiscard]] std::string summary() const override { return "Make a static int8 file, calibrated on real data"; }
  [[nodiscard]] std::string example() const override {
    return "fusekit quantize model.pt -o model_int8.pt --calibrate photos/\n"
           "  fusekit quantize model.pt -o model_int8.pt --calibrate samples.npz --min-sqnr 20 --explain";
  }

  void add_options(CLI::App& app) override {
    add_write_options(app, files_);
    add_calibration_options(app);
    app.add_option("--qconfig", options_.qconfig, "auto, qnnpack, x86 or fbgemm")->capture_default_str();
    app.add_option("--observer", options_.observer,
                   "min-max, moving-average, histogram, percentile, entropy or squared-error (default: the qconfig's)");
    app.add_option(
        "--rounding", options_.rounding,
        "nearest, corrected (biases fitted to the data) or learned (weights too; default: learned with qconfig "
        "auto, else corrected)");
    app.add_option("--skip", options_.skip, "Module that stays float, with all below it (repeatable)")
        ->expected(1)
        ->take_all();
    app.add_option("--max-error", options_.max_error,
                   "Largest error, relative to the largest output; layers go back to "
                   "float until it holds");
    app.add_option("--min-sqnr", options_.min_sqnr_db, "The same in dB of the outputs' SQNR");
    app.add_flag("--no-fuse{false}", options_.fuse, "Do not fuse first");
    add_modules_option(app, module_lists_, "Fuse just these first, e.g. bn,relu (repeatable)");
    app.add_flag("--explain", explain_, "Say for each layer what int8 cost, and what stayed float and why");
    add_input_options(app, inputs_);
    add_common_options(app, common_, /*runs_a_model=*/true);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    check_call();
    settle_engine_for(options_.qconfig, console);
    check_output(files_.output, files_.write);
    Program program = read(files_.input);
    options_.calibration.inputs = inputs_.finish();
    if (options_.calibration.random > 0)
      options_.calibration.inputs = resolve_inputs(files_.input, options_.calibration.inputs).options;
    options_.progress = [&](double share, const std::string& what) { console.progress(share, what); };
    const QuantizeReport report = to_int8(program, options_);
    console.end_progress();
    for (const std::string& warning : report.warnings) console.warn(warning);
    if (report.random)
      console.warn(
          fmt::format("calibrated on random numbers: the ranges mean little; the file says so ({})", kQuantizeRecord));

    if (report.worst_sqnr_db < kInt8Sqnr)
      console.warn(
          fmt::format("the worst sample's SQNR is {:.1f} dB, hardly the same network: --explain shows which layers "
                      "it is lost in, --min-sqnr takes them back to float",
                      report.worst_sqnr_db));
    const bool done = report.bound_holds && write_checked(std::move(program), report, console);
    tell(report, done, console);
    return done ? kDone : kNo;
  }

 private:
  void add_calibration_options(CLI::App& app) {
    CalibrationOptions& data = options_.calibration;
    const char* group = "Calibration";
    app.add_option("--calibrate", data.paths, "Files or folders: .pt, .npy, .npz, .png, .jpg (repeatable)")
        ->take_all()
        ->group(group);
    app.add_option("--random-calibration", data.random, "Calibrate on so many random samples instead")->group(group);
    app.add_option("--samples", data.limit, "Use at most so many samples")->group(group);
    app.add_option("--resize", data.pictures.resize, "Shorter side of pictures, 0: as it is")
        ->capture_default_str()
        ->group(group);
    app.add_option("--crop", data.pictures.crop, "Side of the centre crop, 0: none")
        ->capture_default_str()
        ->group(group);
    app.add_option("--mean", data.pictures.mean, "Of each channel")
        ->delimiter(',')
        ->capture_default_str()
        ->group(group);
    app.add_option("--std", data.pictures.std, "Of each channel")->delimiter(',')->capture_default_str()->group(group);
  }

  void check_call() {
    files_.finish("quantize");
    if (options_.calibration.paths.empty() && options_.calibration.random == 0)
      throw Error(ErrorKind::usage, "there is nothing to calibrate on",
                  "give real inputs with --calibrate PATH, or --random-calibration N for a try");
    options_.fuse_options.modules = split_lists(module_lists_);
  }

  /// Warns where the file will not be right or fast under the engine of a plain load (or the one that is asked for). The
  /// network runs on all samples: not under an engine that takes its time.
  void settle_engine_for(const std::string& qconfig, const Console& console) const {
    apply(common_.runtime);
    const EngineFacts facts = engine_facts(common_.runtime);
    const bool slips = saturates(facts.standing, facts);
    Int8Facts file;
    file.full_range = qconfig == "qnnpack" || (qconfig == "auto" && !slips);
    for (const std::string& warning : choose_engine(facts.standing, facts, {file}).warnings) console.warn(warning);
    if (common_.runtime.engine != "auto" || (slips && qconfig == "auto")) return;
    RuntimeOptions runtime = common_.runtime;
    const EngineChoice choice = choose_engine("auto", facts, {file});
    console.detail(fmt::format("engine {}: {}", choice.engine, choice.reason));
    runtime.engine = choice.engine;
    apply(runtime);
  }

  /// The written file, loaded afresh, has to give what the network in memory gave.
  bool write_checked(Program program, const QuantizeReport& report, const Console& console) {
    files_.write.accept = [&](const std::filesystem::path& written) {
      const std::string problem = quantized_file_problem(files_.input, written, options_, report);
      if (!problem.empty())
        console.error(fmt::format("{} was not written: {}", files_.output, problem), "please report this");
      return problem.empty();
    };
    return write(std::move(program), files_.output, files_.write);
  }

  void tell(const QuantizeReport& report, bool done, const Console& console) const {
    if (common_.json) {
      nlohmann::json json = quantize_json(report);
      json["input"] = files_.input;
      json["output"] = done ? nlohmann::json(files_.output) : nlohmann::json();
      console.print(json.dump(2));
      return;
    }
    console.print(fmt::format("{}: {}", files_.input, fusion_summary(report.fused)));
    console.print(quantize_summary(report));
    if (explain_) console.print(quantize_explanation(report));
    if (!report.bound_holds)
      console.error(fmt::format("{} was not written: the bound does not hold with all layers float", files_.output),
                    "--explain shows what each layer costs");
    if (done) console.print(fmt::format("wrote {}", files_.output));
  }

  WriteFlags files_;
  std::vector<std::string> module_lists_;
  bool explain_ = false;
  QuantizeOptions options_;
  InputFlags inputs_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_quantize_command() { return std::make_unique<QuantizeCommand>(); }

}  // namespace fusekit::cli
