#include "fusekit/fuse.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/options.h"
#include "cli/report_fusion.h"
#include "cli/report_verify.h"
#include "fusekit/error.h"
#include "fusekit/inspect.h"
#include "fusekit/interrupted.h"
#include "fusekit/write.h"

namespace fusekit::cli {
namespace {

constexpr const char* kFusedSuffix = "_fused";

class FuseCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "fuse"; }
  [[nodiscard]] std::string summary() const override { return "Fuse what is provably right, verify, and write"; }
  [[nodiscard]] std::string example() const override {
    return "fusekit fuse model.pt -o model_fused.pt\n"
           "  fusekit fuse model.pt -o model_fused.pt --modules conv1,bn1,relu --explain\n"
           "  fusekit fuse *.pt --out-dir fused";
  }

  void add_options(CLI::App& app) override {
    add_write_options(app, files_, kFusedSuffix, /*several=*/true);
    add_modules_option(app, module_lists_, "Fuse just these, e.g. conv1,bn1,relu (repeatable)");
    app.add_flag("--strict", options_.strict, "A list that can't be fused is an error");
    app.add_option("--dtype", dtype_, "What layers compute in: float, bf16 (--for cpu; --for portable for GPUs)")
        ->capture_default_str();
    app.add_option("--disable", options_.disabled, "Leave this rule out (repeatable)")->expected(1)->take_all();
    app.add_flag("--dry-run", dry_run_, "Say what would be fused, write nothing");
    app.add_flag("--explain", explain_, "Say for each place what was done or why not");
    app.add_flag("--list-rules", list_rules_, "Print all rules in their order");
    app.add_option("--print-after", options_.print_after, "Print the graph after this rule (repeatable)")
        ->expected(1)
        ->take_all();
    app.add_option("--tolerance", files_.options.verify.tolerance, "Largest error, relative to the largest output");
    app.add_flag("--no-verify", no_verify_, "Do not compare the written file with the original");
    add_input_options(app, inputs_);
    add_common_options(app, common_, /*runs_a_model=*/true);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    if (list_rules_) return print_rules(console);
    check_call();
    if (!dry_run_) files_.make_folder();
    common_.enter_sandbox(outputs());
    apply(common_.runtime);
    files_.options.more_inputs = inputs_.finish_all();
    files_.options.verify.inputs = options_.inputs = files_.options.more_inputs.front();
    files_.options.more_inputs.erase(files_.options.more_inputs.begin());
    if (dtype_ == "bf16" && files_.options.target == "portable")
      console.note(
          "plain operators in bfloat16 are for GPUs and for LibTorch's graph fuser (fusekit tune); by a plain load "
          "on a CPU many networks are slower than in float, and --for cpu is fast");
    return jobs_.size() == 1 ? fuse_one(console) : fuse_all(console);
  }

 private:
  [[nodiscard]] std::vector<std::string> outputs() const {
    if (dry_run_) return {};
    std::vector<std::string> outputs = {files_.options.layer_times};
    for (const WriteFlags::Job& job : jobs_) outputs.push_back(job.output);
    return outputs;
  }

  /// The file of `job_`.
  int fuse_one(const Console& console) {
    const int code = work(console);
    if (common_.json) console.print_json(report_);
    return code;
  }

  /// Returns the worst of the files' exit codes.
  int fuse_all(const Console& console) {
    nlohmann::json reports = nlohmann::json::array();
    std::vector<std::string> failed;
    int worst = kDone;
    for (const WriteFlags::Job& job : jobs_) {
      job_ = job;
      const int code = work_or_tell(console);
      if (code != kDone) failed.push_back(job.input);
      worst = std::max(worst, code);
      reports.push_back(report_);
    }
    if (common_.json) {
      console.print_json(reports);
    } else if (!dry_run_) {
      console.print(fmt::format("{} of {} files written", jobs_.size() - failed.size(), jobs_.size()));
    }
    if (!failed.empty()) console.note(fmt::format("failed: {}", fmt::join(failed, ", ")));
    return worst;
  }

  /// What is wrong with one file does not stop the others.
  int work_or_tell(const Console& console) {
    const auto tell = [&](const std::string& kind, const std::string& message, const std::string& hint) {
      console.end_progress();
      const bool is_named = message.find(job_.input) != std::string::npos;
      console.error(is_named ? message : fmt::format("{}: {}", job_.input, message), hint);
      report_ = {{"input", job_.input}, {"output", nlohmann::json()}};
      report_["error"] = {{"kind", kind}, {"message", in_flags(message)}, {"hint", in_flags(hint)}};
      return kWrong;
    };
    try {
      return work(console);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      return tell(kind_name(error.kind()), error.message(), error.hint());
    } catch (const std::exception& error) {
      return tell("internal", reason_of(error), "please report this with the file");
    }
  }

  int work(const Console& console) {
    verified_.clear();
    notes_.clear();
    made_for_.clear();
    if (!dry_run_) check_output(job_.output, job_.input, files_.options);
    const auto start = std::chrono::steady_clock::now();
    Model model = read(job_.input, files_.read);
    const std::size_t nodes_before = model.node_count();
    const FusionReport fusion = fuse(model, options_);
    report_ = {{"input", job_.input}, {"nodes_before", nodes_before}, {"nodes_after", model.node_count()}};
    report_["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report_["in_training"] = model.modules_in_training();
    report_.update(fusion_json(fusion));

    const bool done = dry_run_ || write_file(std::move(model), console);
    report_["output"] = dry_run_ || !done ? nlohmann::json() : nlohmann::json(job_.output);
    if (done && !dry_run_ && files_.list_operators) report_["root_operators"] = root_operators(job_.output);
    tell(fusion, console);
    return done ? kDone : kNo;
  }

  int print_rules(const Console& console) const {
    if (common_.json) {
      nlohmann::json list = nlohmann::json::array();
      for (const RuleInfo& rule : rules()) list.push_back({{"name", rule.name}, {"summary", rule.summary}});
      console.print_json(list);
    } else {
      for (const RuleInfo& rule : rules()) console.print(fmt::format("{:<18} {}", rule.name, rule.summary));
    }
    return kDone;
  }

  void check_call() {
    jobs_ = files_.finish("fuse", kFusedSuffix, !dry_run_);
    job_ = jobs_.front();
    if (dtype_ != "float" && dtype_ != "bf16")
      throw Error(ErrorKind::unsupported, fmt::format("--dtype {}: there is no such conversion", dtype_),
                  "the dtypes of this version: float (what the file has is kept), bf16");
    if (dtype_ == "bf16" && files_.options.target == "mobile")
      throw Error(ErrorKind::usage, "--dtype bf16 is not --for mobile", "--for cpu and --for portable have it");
    if (dtype_ == "bf16") files_.options.dtype = "bfloat16";
    options_.modules = split_lists(module_lists_);
  }

  void tell(const FusionReport& fusion, const Console& console) const {
    for (const std::string& warning : fusion.warnings) console.warn(warning);
    for (const RuleTime& rule : fusion.times)
      console.detail(fmt::format("rule {:<18} {:8.1f} ms", rule.rule, rule.seconds * 1e3));
    if (common_.json) return;
    for (const auto& [rule, text] : fusion.prints) console.print_data(fmt::format("after {}:\n{}", rule, text));
    console.print(fmt::format("{}: {}", job_.input, fusion_summary(fusion)));
    if (explain_ && !fusion.entries.empty()) console.print(fusion_explanation(fusion));
    for (const std::string& line : verified_) console.print(line);
    for (const std::string& note : notes_) console.print(note);
    if (!report_["output"].is_string()) return;
    console.print(fmt::format("wrote {}{}", job_.output, made_for_));
    if (files_.list_operators)
      console.print_data(operators_yaml(report_["root_operators"].get<std::vector<std::string>>()));
  }

  bool write_file(Model model, const Console& console) {
    if (no_verify_) {
      tell_remarks(write_unverified(std::move(model), job_.output, files_.options), console);
      return true;
    }
    files_.options.verify.progress = [&console](double share, const std::string& what) {
      console.progress(share, what);
    };
    const WriteReport written = write(std::move(model), job_.output, files_.options);
    console.end_progress();
    tell_remarks(written, console);
    if (!written.made_for.empty()) {
      report_["made_for"] = written.made_for;
      made_for_ = fmt::format(", fast on {}; other shapes take plain operators", written.made_for);
    }
    report_["verification"] = nlohmann::json::object();
    for (const MethodCheck& check : written.methods) take(check, console);
    return written.written;
  }

  void tell_remarks(const WriteReport& written, const Console& console) {
    for (const std::string& warning : written.warnings) console.warn(warning);
    report_["notes"] = notes_ = written.notes;
  }

  void take(const MethodCheck& check, const Console& console) {
    if (!check.report) return warn_of_unverified(check, console);
    report_["verification"][check.method + (check.mobile    ? " in the mobile interpreter"
                                            : check.eval    ? " in eval()"
                                            : check.doubled ? " on a doubled batch"
                                                            : "")] = verify_json(*check.report);
    const std::string prefix = prefix_of(check);
    const std::string line = verify_line(*check.report);
    if (check.report->passed)
      verified_.push_back(prefix + line);
    else
      console.error(fmt::format("{}{} was not written: {}", prefix, job_.output, line),
                    "--explain lists what was fused; --disable leaves a rule out; --tolerance allows more");
  }

  WriteFlags files_;
  std::vector<WriteFlags::Job> jobs_;
  WriteFlags::Job job_;  ///< whose turn it is
  std::vector<std::string> module_lists_;
  std::string dtype_ = "float";
  bool dry_run_ = false;
  bool explain_ = false;
  bool list_rules_ = false;
  bool no_verify_ = false;
  FuseOptions options_;
  InputFlags inputs_;
  CommonOptions common_;
  std::vector<std::string> verified_;  ///< one line a method
  std::string made_for_;               ///< of a file for certain shapes, which these are
  std::vector<std::string> notes_;     ///< WriteReport::notes
  nlohmann::json report_;
};

}  // namespace

std::unique_ptr<Command> make_fuse_command() { return std::make_unique<FuseCommand>(); }

}  // namespace fusekit::cli
