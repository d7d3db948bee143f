#include "fusekit/quantize.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report_fusion.h"
#include "cli/report_quantize.h"
#include "cli/report_verify.h"
#include "fusekit/error.h"
#include "fusekit/inspect.h"
#include "fusekit/write.h"

namespace fusekit::cli {
namespace {

constexpr const char* kInt8Suffix = "_int8";

class QuantizeCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "quantize"; }
  [[nodiscard]] std::string summary() const override { return "Make a static int8 file, calibrated on real data"; }
  [[nodiscard]] std::string example() const override {
    return "fusekit quantize model.pt -o model_int8.pt --calibrate photos/\n"
           "  fusekit quantize model.pt -o q.pt --calibrate data.npz --min-sqnr 20 --explain";
  }

  void add_options(CLI::App& app) override {
    add_write_options(app, files_, kInt8Suffix, /*several=*/false);
    add_calibration_options(app);
    app.add_option("--qconfig", qconfig_, "auto, qnnpack, x86 or fbgemm")->capture_default_str();
    app.add_option("--observer", observer_,
                   "min-max, moving-average, histogram, percentile, entropy or squared-error (default: the qconfig's)");
    app.add_option(
        "--rounding", rounding_,
        "nearest, corrected (biases fitted to the data) or learned (weights too; default: learned with qconfig "
        "auto, else corrected)");
    app.add_option("--skip", options_.skip, "Module that stays float, with all below it (repeatable)")
        ->expected(1)
        ->take_all();
    app.add_option("--max-error", options_.max_error,
                   "Largest error, relative to the largest output; layers go back to "
                   "float until it holds");
    app.add_option("--min-sqnr", options_.min_sqnr_db, "The same in dB of the outputs' SQNR");
    app.add_option("--prefer", prefer_, "speed: what is faster in float stays float; size: all is int8 that can be")
        ->capture_default_str();
    app.add_flag("--no-fuse{false}", options_.fuse, "Do not fuse first");
    add_modules_option(app, module_lists_, "Fuse just these first, e.g. bn,relu (repeatable)");
    app.add_flag("--explain", explain_, "Say for each layer what int8 cost, and what stayed float and why");
    add_input_options(app, inputs_);
    add_common_options(app, common_, /*runs_a_model=*/true);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    check_call();
    common_.enter_sandbox({file_.output, files_.options.layer_times});
    settle_engine(console);
    check_output(file_.output, file_.input, files_.options);
    Model model = read(file_.input, files_.read);
    options_.calibration.inputs = inputs_.finish();
    options_.calibration.pictures = inputs_.pictures;
    options_.progress = [&](double share, const std::string& what) { console.progress(share, what); };
    const QuantizeReport report = to_int8(model, options_);
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
    if (report.lost_detections > 0.5)
      console.warn(
          "most detections of a sample have no counterpart in int8: calibrate on real data, --explain shows "
          "which layers it is lost in");
    if (report.nothing_proven)
      console.warn("the float network puts out nothing but zeros on these samples: nothing is proven of the int8 one");
    if (report.bound_holds && !has_int8_layers(report))
      console.warn(report.fallbacks.empty()
                       ? "no convolution or linear is int8, as float is faster for so little work: --prefer size makes "
                         "them int8 all the same"
                       : "no convolution or linear is int8: the bound only holds with all of them in float");
    const bool done = report.bound_holds && write_file(std::move(model), console);
    tell(report, done, done && !files_.is_for_phones() ? time_file(report, console) : std::nullopt, console);
    return done ? kDone : kNo;
  }

 private:
  void add_calibration_options(CLI::App& app) {
    CalibrationOptions& data = options_.calibration;
    const char* group = "Calibration";
    app.add_option("--calibrate", data.paths,
                   "Real inputs, as --inputs takes them: .pt, .npy, .npz, .png, .jpg, or folders of these (repeatable)")
        ->take_all()
        ->type_name("PATH")
        ->group(group);
    app.add_option("--random-calibration", data.random, "Calibrate on so many random samples instead")->group(group);
    app.add_option("--samples", data.limit, "Use at most so many samples")->group(group);
  }

  void check_call() {
    file_ = files_.finish("quantize", kInt8Suffix).front();
    if (options_.calibration.paths.empty() && options_.calibration.random == 0)
      throw Error(ErrorKind::usage, "there is nothing to calibrate on",
                  "give real inputs with --calibrate PATH, or --random-calibration N for a try");
    options_.fuse_options.modules = split_lists(module_lists_);
    options_.qconfig = parse_qconfig(qconfig_);
    options_.prefer = parse_prefer(prefer_);
    if (!observer_.empty()) options_.observer = parse_observer(observer_);
    if (!rounding_.empty()) options_.rounding = parse_rounding(rounding_);
  }

  void settle_engine(const Console& console) const {
    RuntimeOptions runtime = common_.runtime;
    const std::vector<std::string> engines = quantized_engines();
    const bool has_qnnpack = std::find(engines.begin(), engines.end(), "qnnpack") != engines.end();
    if (files_.is_for_phones() && runtime.engine == "auto" && has_qnnpack) runtime.engine = "qnnpack";
    const EngineChoice choice = apply_for(runtime, options_);
    for (const std::string& warning : choice.warnings) console.warn(warning);
    if (!choice.reason.empty()) console.detail(fmt::format("engine {}: {}", choice.engine, choice.reason));
  }

  bool write_file(Model model, const Console& console) {
    files_.options.verify.progress = options_.progress;
    const WriteReport report = write(std::move(model), file_.output, files_.options);
    console.end_progress();
    for (const std::string& warning : report.warnings) console.warn(warning);
    notes_ = report.notes;
    tell_refusal(report, console);
    return report.written;
  }

  /// The file is written by then: what goes wrong is only told.
  std::optional<PlainLoad> time_file(const QuantizeReport& report, const Console& console) const {
    CalibrationOptions calibration = options_.calibration;
    calibration.inputs = report.inputs;
    try {
      return time_plain_load(file_.input, file_.output, calibration);
    } catch (const Error& error) {
      console.warn(fmt::format("the file was not timed: {}", error.message()));
      return std::nullopt;
    }
  }

  void tell(const QuantizeReport& report, bool done, const std::optional<PlainLoad>& load,
            const Console& console) const {
    if (common_.json) {
      nlohmann::json json = quantize_json(report);
      json["input"] = file_.input;
      json["notes"] = notes_;
      if (done && files_.list_operators) json["root_operators"] = root_operators(file_.output);
      json["plain_load"] = load ? plain_load_json(*load) : nlohmann::json();
      json["output"] = done ? nlohmann::json(file_.output) : nlohmann::json();
      console.print_json(json);
      return;
    }
    console.print(fmt::format("{}: {}", file_.input, fusion_summary(report.fused)));
    if (explain_ && report.fused.declined() > 0) console.print(fusion_left(report.fused));
    console.print(quantize_summary(report));
    if (explain_) console.print(quantize_explanation(report, Console::columns()));
    if (!report.bound_holds)
      console.error(fmt::format("{} was not written: the bound does not hold with all layers float", file_.output),
                    "--explain shows what each layer costs");
    for (const std::string& note : notes_) console.print(note);
    if (done) console.print(fmt::format("wrote {}", file_.output));
    if (done && files_.list_operators) console.print_data(operators_yaml(root_operators(file_.output)));
    if (load) console.print(plain_load_summary(*load));
  }

  WriteFlags files_;
  WriteFlags::Job file_;
  std::vector<std::string> module_lists_;
  std::string qconfig_ = "auto";
  std::string observer_;
  std::string rounding_;
  std::string prefer_ = "speed";
  bool explain_ = false;
  std::vector<std::string> notes_;  ///< WriteReport::notes
  QuantizeOptions options_;
  InputFlags inputs_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_quantize_command() { return std::make_unique<QuantizeCommand>(); }

}  // namespace fusekit::cli
