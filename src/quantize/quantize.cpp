#include "fusekit/quantize.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "file/modules_in_training.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "ir/functional.h"
#include "ir/marks.h"
#include "ir/model_parts.h"
#include "ir/stubs.h"
#include "quantize/costs.h"
#include "quantize/fallback.h"
#include "quantize/islands.h"
#include "quantize/lower/shuffles.h"
#include "quantize/observe/calibrate.h"
#include "quantize/processor.h"
#include "quantize/weights/fitted_weights.h"
#include "quantize/weights/layer_weights.h"
#include "rewrite/module_lists.h"
#include "runtime/captured_output.h"
#include "verify/allowance.h"

namespace fusekit {
namespace quantize {
namespace {

QConfig chosen_qconfig(const QuantizeOptions& options) {
  const bool is_auto = options.qconfig == Qconfig::automatic;
  QConfig config = qconfig(is_auto ? (saturates() ? Qconfig::reduced : Qconfig::full) : options.qconfig);
  if (options.observer) config.activation = *options.observer;
  return config;
}

Rounding chosen_rounding(const QuantizeOptions& options) {
  return options.rounding.value_or(options.qconfig == Qconfig::automatic ? Rounding::learned : Rounding::corrected);
}

/// Weights, and how they came about.
struct Weights {
  WeightQuantizer quantizer;
  Rounding rounding;
};

bool is_below(const std::string& scope, const std::string& path) {
  return scope == path || scope.starts_with(path + ".");
}

constexpr std::size_t kSamplesToWrite = 3;
constexpr double kSlackDb = 6;        // below the worst sample: rounding may fall otherwise in another run
constexpr double kSlackOfFitDb = 12;  // the same where levels were fitted to that sample: what is gained so may be lost
constexpr double kSlackAlone = 0.25;  // of a sample's detections, for the same reason
constexpr double kMostDb = 100;       // of what is all float again: float32's own rounding is not much finer

using KeepFloat = std::function<Reason(const Node*)>;

class Quantizer {
 public:
  Quantizer(ir::Program& program, const QuantizeOptions& options)
      : program_(program), options_(options), config_(chosen_qconfig(options)), rounding_(chosen_rounding(options)) {}

  void run(QuantizeReport& report) {
    prepare();
    const Numbering numbers(graph());
    Observed observed{&program_, &numbers, {}, may_absorb()};
    std::vector<Sample> kept;
    observed.facts = observe(numbers, report, kept);
    observed.leave_slower = prefers_speed();
    const auto skipped = [&](const Node* node) { return is_skipped(node); };
    const Plan planned = plan(graph(), program_, plan_options(observed, numbers, skipped));
    observed.shapes = shapes_in_a_run(program_, numbers, tensors_to_measure(planned), kept.front());
    if (prefers_speed()) slow_ = layers_of_slow_islands(planned, observed);
    const SampleSplit samples = split_samples(std::move(kept), fits());
    Weights weights{nearest_weights(config_.weight), Rounding::nearest};
    const std::function<Built(const KeepFloat&)> builder = [&](const KeepFloat& keep) {
      return build(
          observed, [&](const Node* node) { return why_float(node, keep); }, weights.quantizer);
    };
    const Judge judge(observed, samples.judged);
    judged_are_learned_ = samples.same;
    if (fits()) weights = fit(observed, {}, samples.learned, judge);

    std::set<const Node*> floats;
    if (options_.max_error || options_.min_sqnr_db) floats = fall_back(builder, judge, report);
    const auto keep = [&](const Node* node) {
      return floats.count(node) > 0 ? Reason(ReasonCode::breaks_error_bound) : Reason();
    };
    if (fits() && !floats.empty()) {  // what is left makes up for fewer errors now
      const double before = judge.score(builder(keep)).whole.sqnr_db;
      const Weights former = std::exchange(weights, fit(observed, keep, samples.learned, judge));
      const Score anew = judge.score(builder(keep));
      if (!holds(anew) || anew.whole.sqnr_db < before) weights = former;
    }
    report.qconfig = config_.name;
    report.observer = config_.activation;
    report.rounding = weights.rounding;
    tell_costs(builder(keep), judge, observed, alone_db_, report);
    Built final = builder(keep);
    if (!floats.empty()) report.fallback_time = judge.relative_time(final, builder({}));
    final.program.extra[kQuantizeRecord] = metadata(report);
    allowance_ = allowance(judge, final, report);
    program_ = std::move(final.program);
  }

  /// What the written network is held to.
  [[nodiscard]] std::shared_ptr<const gate::Allowance> allowance() const { return allowance_; }

 private:
  Graph& graph() const { return *program_.methods.front().graph; }

  /// The file is what an earlier run of this made, or its like.
  [[nodiscard]] bool is_int8() const {
    const auto nodes = ir::all_nodes(graph());
    return std::any_of(nodes.begin(), nodes.end(), [](const Node* node) {
      const std::string_view name = node->kind().toQualString();
      return name.starts_with("quantized::") || name.starts_with("onednn::q");
    });
  }

  void prepare() {
    ir::unroll_appends(graph());
    ir::pick_list_elements(graph());
    name_shuffles(graph());
    for (const std::string& path : options_.skip) {
      const auto nodes = ir::all_nodes(graph());
      if (std::none_of(nodes.begin(), nodes.end(),
                       [&](const Node* node) { return is_below(ir::scope_of(node), path); }))
        throw Error(ErrorKind::usage,
                    fmt::format("QuantizeOptions::skip = {}: no operator of that module is left", path),
                    "fusekit::inspect lists the modules; a BatchNorm that was folded goes by its convolution's name");
    }
  }

  /// What is known of speed is the engine x86's.
  [[nodiscard]] bool prefers_speed() const {
    return options_.prefer == Prefer::speed && options_.qconfig != Qconfig::qnnpack;
  }

  Reason is_skipped(const Node* node) const {
    for (const std::string& path : options_.skip)
      if (is_below(ir::scope_of(node), path)) return ReasonCode::skipped;
    if (ir::is_outside_of_stubs(node)) return ReasonCode::outside_of_stubs;
    return {};
  }

  /// What was not to be fused keeps an operator, and levels, of its own: without fusing every activation, with lists of
  /// modules those that are in no group.
  [[nodiscard]] std::function<bool(const Node*, const Node*)> may_absorb() const {
    if (!options_.fuse) return [](const Node*, const Node*) { return false; };
    if (options_.fuse_options.modules.empty()) return {};
    return [](const Node* node, const Node* activation) {
      return ir::group_of(node) && ir::group_of(node) == ir::group_of(activation);
    };
  }

  /// What the first of its layers lacks; of a transformer's layer that runs as one operator, why it was not taken apart.
  static std::string why_no_layer(const Plan& candidates, const FusionReport& fused) {
    if (!candidates.declined.empty())
      return fmt::format("{}: {}", candidates.declined.front().how->name, to_text(candidates.declined.front().reason));
    for (const FusionSite& entry : fused.entries)
      if (!entry.fused && (entry.rule == "encoder_layer" || entry.rule == "self_attention"))
        return fmt::format("{} runs as one operator, and was not taken apart: {}", fmt::join(entry.modules, ", "),
                           to_text(entry.reason));
    return "its weights have to be constant float32 tensors";
  }

  /// Runs the network on all samples; those that are needed again are `kept`.
  Facts observe(const Numbering& numbers, QuantizeReport& report, std::vector<Sample>& kept) {
    PlanOptions all;
    all.may_absorb = may_absorb();
    all.keep_float = [&](const Node* node) { return is_skipped(node); };
    const Plan candidates = plan(graph(), program_, all);
    if (std::none_of(candidates.steps.begin(), candidates.steps.end(),
                     [](const Step& step) { return step.how->role == Role::layer; })) {
      if (is_int8())
        throw Error(ErrorKind::model, "the network is int8 already", "quantize the float file that it was made of");
      throw Error(ErrorKind::model, "the network has no convolution or linear that could be int8",
                  why_no_layer(candidates, report.fused));
    }
    Samples samples(options_.calibration, argument_names(program_.methods.front().schema));
    report.samples = samples.size();
    report.data = samples.text();
    report.random = options_.calibration.paths.empty();
    samples.keep(most_to_split(fits()));
    Facts facts = calibrate(program_, numbers, observed_values(candidates), config_, samples, options_.progress);
    kept = samples.take_kept();
    report.warnings = suspicious(facts, numbers);
    report.inputs = options_.calibration.inputs;
    return facts;
  }

  /// What tells how much work there is, and how much would have to be converted.
  [[nodiscard]] std::vector<const Value*> tensors_to_measure(const Plan& planned) const {
    std::vector<const Value*> tensors;
    for (const Value* value : observed_values(planned)) tensors.push_back(value);
    for (Node* node : ir::all_nodes(graph()))
      if (const auto work = ir::as_work(node))
        tensors.insert(tensors.end(), work->tensors.begin(), work->tensors.end());
    return tensors;
  }

  [[nodiscard]] bool fits() const { return rounding_ != Rounding::nearest; }

  /// Learned levels are kept only where the network is better for it on samples that it was not fitted to.
  Weights fit(const Observed& observed, const KeepFloat& keep, const std::vector<Sample>& samples,
              const Judge& judge) const {
    const auto built = [&](const WeightQuantizer& weights) {
      return build(
          observed, [&](const Node* node) { return why_float(node, keep); }, weights);
    };
    const auto fitted = [&](Fit what) {
      return fitted_weights(observed, config_.weight, built(nearest_weights(config_.weight)), samples, what,
                            options_.progress);
    };
    const Weights corrected{fitted(Fit::bias), Rounding::corrected};
    if (rounding_ == Rounding::corrected) return corrected;
    const Weights learned{fitted(Fit::weights), Rounding::learned};
    const auto sqnr = [&](const Weights& weights) { return judge.score(built(weights.quantizer)).whole.sqnr_db; };
    return sqnr(learned) >= sqnr(corrected) ? learned : corrected;
  }

  Reason why_float(const Node* node, const KeepFloat& keep) const {
    if (const Reason reason = is_skipped(node)) return reason;
    if (slow_.count(node) > 0) return ReasonCode::slower_in_int8;
    return keep ? keep(node) : Reason();
  }

  bool holds(const Score& score) const {
    return (!options_.max_error || score.whole.max_rel <= *options_.max_error) &&
           (!options_.min_sqnr_db || score.whole.sqnr_db >= *options_.min_sqnr_db);
  }

  std::set<const Node*> fall_back(const std::function<Built(const KeepFloat&)>& builder, const Judge& judge,
                                  QuantizeReport& report) {
    std::vector<const Node*> layers;
    for (const BuiltStep& step : builder({}).steps)
      if (step.how->role == Role::layer) layers.push_back(step.node);
    const std::function<void(double)> progress = [this](double share) {
      if (options_.progress) options_.progress(share, "measuring each layer alone");
    };
    const Fallback fallback = find_fallback(
        builder, layers, judge, [this](const Score& score) { return holds(score); }, progress);
    report.bound_holds = fallback.holds;
    alone_db_ = fallback.alone_db;
    for (const Node* node : layers)
      if (fallback.floats.count(node) > 0) report.fallbacks.push_back(ir::scope_of(node));
    return fallback.floats;
  }

  /// A few samples suffice: the reloaded network either is the one that was measured in memory, or far off.
  [[nodiscard]] std::shared_ptr<const gate::Allowance> allowance(const Judge& judge, const Built& final,
                                                                 const QuantizeReport& report) const {
    const std::vector<Sample>& judged = judge.samples();
    std::vector<Sample> samples;
    const std::size_t count = std::min(kSamplesToWrite, judged.size());
    for (std::size_t k = 0; k < count; ++k) samples.push_back(judged[k * judged.size() / count]);

    auto allowance = std::make_shared<gate::Allowance>();
    for (const Sample& sample : samples) allowance->samples.push_back({sample.name, sample.inputs});
    double least = report.worst_sqnr_db;
    if (!program_.written.empty()) least = std::min(least, judge.least_sqnr(final, samples, gate::Allowance::kRuns));
    const bool is_fitted = judged_are_learned_ && report.rounding != Rounding::nearest;
    allowance->min_sqnr_db = std::min(least, kMostDb) - (is_fitted ? kSlackOfFitDb : kSlackDb);
    allowance->most_alone = std::max(0.5, report.lost_detections + kSlackAlone);
    return allowance;
  }

  static std::string metadata(const QuantizeReport& report) {
    return nlohmann::json{{"qconfig", to_string(report.qconfig)},   {"observer", to_string(report.observer)},
                          {"rounding", to_string(report.rounding)}, {"samples", report.samples},
                          {"random_calibration", report.random},    {"sqnr_db", report.whole.sqnr_db}}
        .dump(2);
  }

  ir::Program& program_;
  const QuantizeOptions& options_;
  QConfig config_;
  Rounding rounding_;
  std::set<const Node*> slow_;  ///< layers that are faster in float
  std::map<const Node*, double> alone_db_;
  bool judged_are_learned_ = false;  ///< too few samples to judge on others
  std::shared_ptr<const gate::Allowance> allowance_;
};

void refuse_unknown_modules(const ir::Program& program, const QuantizeOptions& options) {
  for (const auto& list : options.fuse_options.modules)
    if (const auto path = rewrite::unknown_module(list, program.original))
      throw Error(ErrorKind::usage, fmt::format("FuseOptions::modules = {}: there is no such module", *path),
                  rewrite::hint_for_unknown(*path, program.original));
}

/// What one sample of the calibration data is.
std::int64_t batch_of(const CalibrationOptions& options, const ModelParts& parts) {
  inputs::SampleSource source(options.paths, options.pictures, argument_names(parts.program.methods.front().schema));
  return source.settle_batch(
      options.inputs, [&parts] { return parts.original->fresh(); }, "forward");
}

}  // namespace
}  // namespace quantize

QuantizeReport to_int8(Model& model, const QuantizeOptions& given) {
  const runtime::CapturedOutput
      captured;  // LibTorch's word on the future of quantized dtypes is for those who write Python
  QuantizeReport report;
  QuantizeOptions options = given;
  ModelParts& parts = ModelParts::of(model);
  if (const auto& modules = parts.program.in_training; !modules.empty())
    throw Error(ErrorKind::model,
                fmt::format("{}: the network is in training mode, which int8 can't follow: {}", model.path().string(),
                            file::listed(modules)),
                parts.program.asks_for_mode ? "give ReadOptions::eval for an int8 file of the network in eval()"
                                            : "trace it anew after model.eval()");
  quantize::Quantizer quantizer(parts.program, options);  // refuses wrong options before any work
  quantize::refuse_unknown_modules(parts.program, options);
  if (options.calibration.random > 0 && !options.calibration.inputs.file.empty())
    throw Error(ErrorKind::usage, "random samples are asked for, and the inputs of a file are given",
                "give the file as CalibrationOptions::paths, and leave CalibrationOptions::random out");
  if (options.calibration.random > 0)
    options.calibration.inputs = resolve_inputs(model, options.calibration.inputs).options;
  if (!options.calibration.paths.empty())
    options.calibration.inputs.batch = quantize::batch_of(options.calibration, parts);
  options.fuse_options.take_apart = true;
  if (!options.fuse_options.inputs.given()) options.fuse_options.inputs = given.calibration.inputs;
  if (options.fuse) report.fused = fuse(model, options.fuse_options);
  quantizer.run(report);
  parts.allowance = quantizer.allowance();
  return report;
}

}  // namespace fusekit
