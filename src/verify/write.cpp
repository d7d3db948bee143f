#include "fusekit/write.h"

#include "file/original.h"
#include "file/output.h"
#include "file/tree_plan.h"
#include "fusekit/error.h"
#include "fusekit/lower.h"
#include "inputs/passed_arguments.h"
#include "ir/model_parts.h"
#include "runtime/seed_guard.h"
#include "target/mobile/bundled_inputs.h"
#include "target/target.h"
#include "verify/allowance.h"
#include "verify/phone_runtime.h"
#include "verify/second_file.h"
#include "verify/side_by_side.h"
#include "verify/state.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPassedSamples = 3;

/// Compares a written file with the original, method by method.
class Check {
 public:
  Check(const file::Original& original, const gate::Allowance* allowance, gate::SecondFile written,
        const VerifyOptions& options)
      : original_(original), allowance_(allowance), written_(std::move(written)), options_(options) {
    written_.loaded = written_.module();
  }

  /// What the files hold before any run; nullopt where that is the same.
  [[nodiscard]] std::optional<MethodCheck> of_state(const std::set<std::string>& made_new) const {
    VerifyReport report;
    report.failure = gate::changed_state(original_.fresh(), *written_.loaded, made_new);
    report.inputs = "what the reloaded file holds";
    return report.failure.empty() ? std::nullopt : std::optional(MethodCheck{"forward", report, ""});
  }

  /// The same in the mobile interpreter, of a file for that.
  [[nodiscard]] MethodCheck in_mobile_interpreter(const std::string& method) {
    mobile_ = true;
    MethodCheck check = of(method, /*eval=*/false);
    check.mobile = true;
    mobile_ = false;
    return check;
  }

  [[nodiscard]] MethodCheck of(const std::string& method, bool eval) {
    if (method == "forward" && allowance_ != nullptr) return {method, within_allowance(), ""};
    VerifyOptions options = options_;
    options.method = method;
    options.eval = eval;
    if (method == "forward") {
      if (!eval) return {method, gate::verify_file(original_, written(), options, data_of_forward()), ""};
      return if_it_runs(options, [this] { return data_of_forward(); });
    }
    options.inputs = InputOptions{.seed = options_.inputs.seed};  // what was given is forward's
    return if_it_runs(options, [&] {
      gate::TestData data = passed_to(method);
      return data.given == 0 ? gate::test_data(original_, options) : data;
    });
  }

  /// forward on other inputs than those of the options.
  [[nodiscard]] MethodCheck of_forward_on(const InputOptions& inputs) {
    VerifyOptions options = options_;
    options.method = "forward";
    options.inputs = inputs;
    return {options.method, gate::verify_file(original_, written(), options, gate::test_data(original_, options)), ""};
  }

  /// forward on a batch twice as large. nullopt: there is no such batch, or the original
  /// can't be run on it.
  [[nodiscard]] std::optional<MethodCheck> of_doubled_batch() {
    VerifyOptions options = options_;
    options.method = "forward";
    options.samples = 1;
    const inputs::Sample one = sample_of_forward(0);
    const inputs::Sample sample = doubled(one);
    if (inputs::text_of(sample) == inputs::text_of(one)) return std::nullopt;  // numbers, or lists of tensors
    const gate::TestData data{inputs::text_of(sample), 1, [&sample](std::uint64_t) { return sample; }};
    try {
      MethodCheck check{"forward", gate::verify_file(original_, written(), options, data), "", false};
      check.doubled = true;
      return check;
    } catch (const Error&) {
      return std::nullopt;
    }
  }

 private:
  /// Each tensor twice, one after the other along its first dimension.
  [[nodiscard]] static inputs::Sample doubled(inputs::Sample sample) {
    for (c10::IValue& value : sample)
      if (value.isTensor() && value.toTensor().dim() > 0) value = at::cat({value.toTensor(), value.toTensor()}, 0);
    return sample;
  }

  /// The written file, for one comparison: what was loaded of it for the state is run but once.
  [[nodiscard]] gate::SecondFile written() {
    return {written_.path, written_.name, std::exchange(written_.loaded, std::nullopt), mobile_};
  }

  const gate::TestData& data_of_forward() {
    if (!data_of_forward_) data_of_forward_ = gate::test_data(original_, options_);
    return *data_of_forward_;
  }

  [[nodiscard]] inputs::Sample sample_of_forward(std::size_t k) {
    if (allowance_ != nullptr) return allowance_->samples.at(k % allowance_->samples.size()).inputs;
    return data_of_forward().sample(k);
  }

  /// What forward passes to the method; no samples where it does not call it.
  [[nodiscard]] gate::TestData passed_to(const std::string& method) {
    std::vector<inputs::Sample> samples;
    const runtime::SeedGuard seed_guard;
    torch::jit::Module module = original_.fresh();
    for (std::size_t k = 0; k < kPassedSamples; ++k) {
      auto sample = inputs::passed_arguments(module, method, sample_of_forward(k));
      if (!sample) break;
      samples.push_back(std::move(*sample));
    }
    if (samples.empty()) return {};
    const std::string text = inputs::text_of(samples.front()) + ", as forward passes it";
    return {text, samples.size(), [samples](std::uint64_t k) { return samples[k % samples.size()]; }};
  }

  /// One whose inputs can't be worked out is left unverified.
  [[nodiscard]] MethodCheck if_it_runs(const VerifyOptions& options, const std::function<gate::TestData()>& make_data) {
    try {
      return {options.method, gate::verify_file(original_, written(), options, make_data()), "", options.eval};
    } catch (const Error& error) {
      return {options.method, std::nullopt, error.message(), options.eval};
    }
  }

  [[nodiscard]] VerifyReport within_allowance() {
    torch::jit::Module a = original_.fresh();
    const gate::SecondFile second = written();
    torch::jit::Module b = second.module();
    VerifyReport report;
    report.samples = static_cast<int>(allowance_->samples.size());
    report.runs = gate::Allowance::kRuns;
    report.inputs = "calibration samples";
    report.min_sqnr_db = allowance_->min_sqnr_db;
    report.most_alone = allowance_->most_alone;
    report.tolerance = std::numeric_limits<double>::infinity();
    gate::Course course;
    course.method = "forward";
    course.a_name = original_.path().string();
    course.b_name = written_.name;
    course.progress = options_.progress;
    course.sample = [this](std::size_t k) {
      return std::pair(allowance_->samples[k].name, allowance_->samples[k].inputs);
    };
    course.cannot_run = [this](const std::string& run, const std::string& problem) {
      return Error(ErrorKind::model, fmt::format("{} can't be run: {} ({})", original_.path().string(), problem, run));
    };
    gate::run_side_by_side(gate::in_full_interpreter(a),
                           mobile_ ? gate::in_mobile_interpreter(second.path) : gate::in_full_interpreter(b), course,
                           report);
    return report;
  }

  const file::Original& original_;
  const gate::Allowance* allowance_;
  gate::SecondFile written_;
  const VerifyOptions& options_;
  bool mobile_ = false;
  std::optional<gate::TestData> data_of_forward_;
};

/// Paths of the weights and modules that the written tree does not have from the original.
std::set<std::string> made_new(const ir::Program& program) {
  const file::TreePlan plan = file::plan_tree(program);
  std::set<std::string> paths;
  for (const auto& [key, path] : plan.attribute_paths)
    if (program.weights.at(key).is_new) paths.insert(path);
  for (const auto& [key, path] : plan.module_paths) paths.insert(path);
  return paths;
}

/// Lowers the model, where that was not done.
const target::Target& lower_for_writing(Model& model, const WriteOptions& options) {
  const std::string& lowered_for = ModelParts::of(model).program.target;
  std::string name = options.target.empty() ? lowered_for : options.target;
  if (name.empty()) name = targets().front().name;
  const target::Target& target = target::target_named(name);
  if ((options.lite || options.bundle) && !target.is_for_phones())
    throw Error(ErrorKind::usage,
                fmt::format("the target {} has no {}", name,
                            options.lite ? "files for the mobile interpreter" : "bundled inputs"),
                "give WriteOptions::target = mobile");
  lower(model, LowerOptions{name, options.verify.inputs, options.more_inputs, options.dtype, options.memory_format,
                            options.int8_dialect, options.layer_times});
  return target;
}

/// The input that a file is to bring along.
inputs::Sample sample_to_bundle(const ModelParts& parts, VerifyOptions options) {
  if (parts.allowance) return parts.allowance->samples.front().inputs;
  options.method = "forward";
  return gate::test_data(*parts.original, options).sample(0);
}

/// Saves the program as the target wants it, and puts what there is to say into the report.
void save(ModelParts& parts, const target::Target& target, const WriteOptions& options, file::AtomicFile& file,
          WriteReport& report) {
  file::Saving saving{{}, options.lite};
  target::Remarks remarks;
  if (target.is_for_phones()) {
    saving.finish = [&](const torch::jit::Module& tree, const ir::Program& program) {
      torch::jit::Module packed = target.pack(tree, program, remarks);
      if (options.bundle) target::bundle_inputs(packed, sample_to_bundle(parts, options.verify));
      return packed;
    };
  }
  file::serialize(std::exchange(parts.program, {}), file, saving);
  report.notes = std::move(remarks.notes);
  report.warnings = std::move(remarks.warnings);
}

}  // namespace

const VerifyReport* WriteReport::failure() const {
  if (written || methods.empty() || !methods.back().report) return nullptr;
  return &*methods.back().report;
}

WriteReport write(Model model, const fs::path& output, const WriteOptions& options) {
  WriteReport report;
  report.output = output;
  const std::vector<std::string> methods = model.methods();
  file::AtomicFile file = file::begin_output(output, model.path(), options);
  const target::Target& target = lower_for_writing(model, options);
  ModelParts& parts = ModelParts::of(model);
  const bool asks_for_mode = parts.program.asks_for_mode;
  const std::set<std::string> made_new = fusekit::made_new(parts.program);
  save(parts, target, options, file, report);
  std::optional<gate::PhoneRuntime> phone;
  if (target.is_for_phones()) phone.emplace();
  Check check(*parts.original, parts.allowance.get(), {file.readable_path(), output.string()}, options.verify);
  if (const auto changed = check.of_state(made_new)) {
    report.methods.push_back(*changed);
    return report;
  }
  for (const bool eval : {false, true}) {
    if (eval && !asks_for_mode) break;
    for (const std::string& method : methods) {
      report.methods.push_back(check.of(method, eval));
      const auto& compared = report.methods.back().report;
      if (target.for_shapes && method == "forward" && compared) report.made_for = compared->inputs;
      if (compared && !compared->passed) return report;
      if (!compared || !options.lite || eval) continue;
      report.methods.push_back(check.in_mobile_interpreter(method));
      const auto& on_phone = report.methods.back().report;
      if (on_phone && !on_phone->passed) return report;
    }
  }
  for (const InputOptions& inputs : options.more_inputs) {
    if (parts.allowance != nullptr) break;
    report.methods.push_back(check.of_forward_on(inputs));
    const VerifyReport& compared = *report.methods.back().report;
    if (!compared.passed) return report;
    if (target.for_shapes) report.made_for += " | " + compared.inputs;
  }
  if ((target.for_shapes || target.is_for_phones()) && parts.allowance == nullptr)
    if (const auto doubled = check.of_doubled_batch()) {
      report.methods.push_back(*doubled);
      if (!doubled->report->passed) return report;
    }
  file.publish(options.force || options.in_place);
  report.written = true;
  return report;
}

WriteReport write_unverified(Model model, const fs::path& output, const WriteOptions& options) {
  WriteReport report;
  report.output = output;
  file::AtomicFile file = file::begin_output(output, model.path(), options);
  const target::Target& target = lower_for_writing(model, options);
  save(ModelParts::of(model), target, options, file, report);
  file.publish(options.force || options.in_place);
  report.written = true;
  return report;
}

}  // namespace fusekit
