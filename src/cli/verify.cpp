#include "fusekit/verify.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report_verify.h"

namespace fusekit::cli {
namespace {

class VerifyCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "verify"; }
  [[nodiscard]] std::string summary() const override { return "Compare what two TorchScript files compute"; }
  [[nodiscard]] std::string example() const override {
    return "fusekit verify model.pt model_fused.pt --input_dims \"1,3,224,224\"";
  }

  void add_options(CLI::App& app) override {
    app.add_option("A", a_, "The original")->required();
    app.add_option("B", b_, "What is compared to it")->required();
    app.add_option("--tolerance", options_.tolerance,
                   "Largest error, relative to the largest output (default: 1e-5; half 2e-2, bfloat16 1e-1)");
    app.add_option("--min-sqnr", options_.min_sqnr_db,
                   "Smallest SQNR in dB (default: 10 where B alone is int8 and there is no --tolerance)");
    app.add_option("--samples", options_.samples, "Different inputs (default: 3, or all of a file's)");
    app.add_option("--runs", options_.runs, "Runs on each of them")->capture_default_str();
    app.add_flag("--eval", options_.eval, "Put both into eval() first");
    app.add_option("--method", options_.method, "The method that is compared")->capture_default_str();
    add_input_options(app, inputs_);
    add_common_options(app, common_, /*runs_a_model=*/true);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    common_.enter_sandbox({});
    if (const auto choice = apply_for(common_.runtime, {a_, b_})) tell(*choice, console);
    options_.inputs = inputs_.finish();
    options_.progress = [&console](double share, const std::string& what) { console.progress(share, what); };
    const VerifyReport report = verify(a_, b_, options_);
    console.end_progress();
    if (report.min_sqnr_db && !options_.min_sqnr_db)
      console.note(
          fmt::format("{} is int8 and {} is not: judged by the SQNR; --min-sqnr or --tolerance set the bound", b_, a_));
    common_.json ? console.print_json(verify_json(report)) : console.print(verify_table(report));
    return report.passed ? kDone : kNo;
  }

 private:
  std::string a_;
  std::string b_;
  VerifyOptions options_;
  InputFlags inputs_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace fusekit::cli
