#include "fusekit/quantize.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "fusekit/error.h"
#include "model/quiet.h"
#include "model/stubs.h"
#include "quantize/calibrate.h"
#include "quantize/fallback.h"
#include "quantize/functional.h"
#include "quantize/layer_weights.h"
#include "quantize/learned_weights.h"
#include "quantize/processor.h"
#include "rewrite/operators.h"

namespace fusekit {
namespace quantize {
namespace {

constexpr const char* kMetadata = "fusekit_quantize.json";  ///< the name of the extra file in the archive

QConfig chosen_qconfig(const QuantizeOptions& options) {
  const bool is_auto = options.qconfig == "auto";
  QConfig config = qconfig(is_auto ? (saturates() ? "reduced" : "full") : options.qconfig);
  if (!options.observer.empty()) config.activation = observer_kind(options.observer);
  return config;
}

bool learns_rounding(const QuantizeOptions& options) {
  if (!options.rounding.empty() && options.rounding != "nearest" && options.rounding != "learned")
    throw Error(ErrorKind::usage, fmt::format("there is no rounding '{}'", options.rounding), "nearest or learned");
  return options.rounding.empty() ? options.qconfig == "auto" : options.rounding == "learned";
}

std::vector<std::string> argument_names(const model::Program& program) {
  std::vector<std::string> names;
  for (const c10::Argument& argument : program.methods.front().schema.arguments()) names.push_back(argument.name());
  names.erase(names.begin());  // self
  return names;
}

bool is_layer(const Conversion& how) {
  return how.name == "convolution" || how.name == "transposed convolution" || how.name == "linear";
}

bool is_below(const std::string& scope, const std::string& path) {
  return scope == path || scope.starts_with(path + ".");
}

/// Multiply-adds of one layer for the sizes that calibration saw.
double multiply_adds(const at::Tensor& weight, const std::vector<std::int64_t>& output, bool transposed,
                     const std::vector<std::int64_t>& input) {
  // Each weight is used once for each position of the output (transposed: of the input) and each sample.
  const auto& sizes = transposed ? input : output;
  double positions = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (weight.dim() == 2 ? i + 1 < sizes.size() : i != 1) positions *= static_cast<double>(sizes[i]);
  return positions * static_cast<double>(weight.numel());
}

using KeepFloat = std::function<WhyNot(const Node*)>;

class Quantizer {
 public:
  Quantizer(model::Program& program, const QuantizeOptions& options)
      : program_(program), options_(options), config_(chosen_qconfig(options)), learns_(learns_rounding(options)) {}

  void run(QuantizeReport& report) {
    prepare();
    const Numbering numbers(graph());
    Observed observed{&program_, &numbers, {}, fusing(report.fused)};
    observed.facts = observe(numbers, report);
    const SampleSplit samples = split_samples(options_.calibration, argument_names(program_), learns_);
    WeightQuantizer weights = nearest_weights(config_.weight);
    const std::function<Built(const KeepFloat&)> builder = [&](const KeepFloat& keep) {
      return build(
          observed, [&](const Node* node) { return why_float(node, keep); }, weights);
    };
    if (learns_) weights = learn(observed, {}, samples.learned);
    const Judge judge(observed, samples.judged);

    std::set<const Node*> floats;
    if (options_.max_error || options_.min_sqnr_db) floats = fall_back(builder, judge, report);
    const auto keep = [&](const Node* node) {
      return floats.count(node) > 0 ? WhyNot("int8 would break the bound on the error") : std::nullopt;
    };
    if (learns_ && !floats.empty()) {  // what is left makes up for fewer errors now
      const double before = judge.score(builder(keep)).whole.sqnr_db;
      const WeightQuantizer former = std::exchange(weights, learn(observed, keep, samples.learned));
      if (judge.score(builder(keep)).whole.sqnr_db < before) weights = former;
    }
    tell(builder(keep), judge, observed, report);
    Built final = builder(keep);
    final.program.extra[kMetadata] = metadata(report);
    program_ = std::move(final.program);
  }

 private:
  Graph& graph() const { return *program_.methods.front().graph; }

  void prepare() {
    make_functional(graph());
    pick_list_elements(graph());
    for (const std::string& path : options_.skip) {
      const auto nodes = model::all_nodes(graph());
      if (std::none_of(nodes.begin(), nodes.end(),
                       [&](const Node* node) { return is_below(model::scope_of(node), path); }))
        throw Error(ErrorKind::usage, fmt::format("--skip {}: no operator of that module is left", path),
                    "fusekit inspect lists the modules; a BatchNorm that was folded goes by its convolution's name");
    }
  }

  WhyNot is_skipped(const Node* node) const {
    for (const std::string& path : options_.skip)
      if (is_below(model::scope_of(node), path)) return "it was to be skipped";
    if (model::is_outside_of_stubs(node)) return "it lies outside of the file's QuantStub and DeQuantStub";
    return std::nullopt;
  }

  /// What was not to be fused keeps an operator, and levels, of its own: without fusing every activation, with lists of
  /// modules those that are in none of them.
  std::function<bool(const Node*, const Node*)> fusing(const Ledger& fused) const {
    if (!options_.fuse) return [](const Node*, const Node*) { return false; };
    if (options_.fuse_options.modules.empty()) return {};
    return [entries = fused.entries](const Node* node, const Node* activation) {
      return std::any_of(entries.begin(), entries.end(), [&](const LedgerEntry& entry) {
        const auto has = [&](const Node* part) {
          return std::find(entry.modules.begin(), entry.modules.end(), model::scope_of(part)) != entry.modules.end();
        };
        return entry.fused && has(node) && has(activation);
      });
    };
  }

  Facts observe(const Numbering& numbers, QuantizeReport& report) {
    PlanOptions all;
    all.may_absorb = fusing(report.fused);
    all.keep_float = [&](const Node* node) { return is_skipped(node); };
    const Plan candidates = plan(graph(), program_, all);
    if (std::none_of(candidates.steps.begin(), candidates.steps.end(),
                     [](const Step& step) { return is_layer(*step.how); }))
      throw Error(ErrorKind::model, "the network has no convolution or linear that could be int8",
                  candidates.declined.empty()
                      ? "its weights have to be constant float32 tensors"
                      : fmt::format("{}: {}", candidates.declined.front().name, candidates.declined.front().reason));
    Samples samples(options_.calibration, argument_names(program_));
    report.samples = samples.size();
    report.random = options_.calibration.paths.empty();
    Facts facts = calibrate(program_, numbers, observed_values(candidates), config_, samples, options_.progress);
    report.warnings = suspicious(facts, numbers);
    return facts;
  }

  WeightQuantizer learn(const Observed& observed, const KeepFloat& keep, const std::vector<Sample>& samples) const {
    const WeightQuantizer nearest = nearest_weights(config_.weight);
    Built built = build(
        observed, [&](const Node* node) { return why_float(node, keep); }, nearest);
    return learned_weights(observed, config_.weight, std::move(built), samples, options_.progress);
  }

  WhyNot why_float(const Node* node, const KeepFloat& keep) const {
    const WhyNot reason = is_skipped(node);
    return reason ? reason : keep ? keep(node) : std::nullopt;
  }

  std::set<const Node*> fall_back(const std::function<Built(const KeepFloat&)>& builder, const Judge& judge,
                                  QuantizeReport& report) {
    std::vector<const Node*> layers;
    for (const BuiltStep& step : builder({}).steps)
      if (is_layer(*step.how)) layers.push_back(step.node);
    const auto holds = [this](const Score& score) {
      return (!options_.max_error || score.whole.max_rel <= *options_.max_error) &&
             (!options_.min_sqnr_db || score.whole.sqnr_db >= *options_.min_sqnr_db);
    };
    const std::function<void(double)> progress = [this](double share) {
      if (options_.progress) options_.progress(share, "measuring each layer alone");
    };
    const Fallback fallback = find_fallback(builder, layers, judge, holds, progress);
    report.bound_holds = fallback.holds;
    alone_db_ = fallback.alone_db;
    for (const Node* node : layers)
      if (fallback.floats.count(node) > 0) report.fallbacks.push_back(model::scope_of(node));
    return fallback.floats;
  }

  void tell(const Built& built, const Judge& judge, const Observed& observed, QuantizeReport& report) {
    report.qconfig = config_.name;
    report.observer = name_of(config_.activation);
    report.rounding = learns_ ? "learned" : "nearest";
    report.int8_operators = built.steps.size();
    const Score score = judge.score_layers(built);
    report.whole = score.whole;
    report.worst_sqnr_db = score.worst_sqnr_db;
    for (const BuiltStep& step : built.steps) {
      if (!is_layer(*step.how)) continue;
      LayerCost cost = layer(step.node, std::string(step.how->name), observed);
      cost.int8 = true;
      if (const auto found = score.layers.find(step.output); found != score.layers.end()) {
        cost.sqnr_db = found->second.sqnr_db();
        cost.saturated = found->second.outside / std::max(1.0, found->second.count);
      }
      report.layers.push_back(std::move(cost));
    }
    std::stable_sort(report.layers.begin(), report.layers.end(),
                     [](const LayerCost& a, const LayerCost& b) { return a.sqnr_db < b.sqnr_db; });
    for (const Declined& declined : built.declined) {
      const bool counts =
          declined.name == "convolution" || declined.name == "transposed convolution" || declined.name == "linear";
      if (counts) {
        LayerCost cost = layer(declined.node, declined.name, observed);
        cost.reason = declined.reason;
        report.layers.push_back(std::move(cost));
      }
      if (is_worth_telling(declined, counts))
        report.floats.push_back({model::scope_of(declined.node), declined.name, declined.reason});
    }
    double all = 0;
    for (const LayerCost& cost : report.layers) {
      all += cost.macs;
      if (cost.int8) report.int8_macs += cost.macs;
    }
    report.int8_macs = all > 0 ? report.int8_macs / all : 0;
  }

  /// Operators that only pass on what is float anyway are no news.
  static bool is_worth_telling(const Declined& declined, bool is_layer) {
    return is_layer || (declined.reason != "its input is not int8" && declined.reason != "none of its inputs is int8");
  }

  LayerCost layer(const Node* node, const std::string& operation, const Observed& observed) const {
    LayerCost cost;
    cost.path = model::scope_of(node);
    cost.operation = operation;
    if (const auto alone = alone_db_.find(node); alone != alone_db_.end()) cost.alone_db = alone->second;
    Node* layer = const_cast<Node*>(node);
    const auto convolution = rewrite::as_convolution(layer);
    const auto linear = rewrite::as_linear(layer);
    if (!convolution && !linear) return cost;
    const auto weight = model::constant_tensor(program_, convolution ? convolution->weight : linear->weight);
    const Value* input = convolution ? convolution->input : linear->input;
    const auto in = observed.facts.find(observed.numbers->of(input));
    const auto out = output_sizes(node, observed);
    if (weight && in != observed.facts.end() && !out.empty())
      cost.macs = multiply_adds(*weight, out, convolution && convolution->transposed, in->second.sizes);
    return cost;
  }

  /// Of the layer, or of the activation that it absorbs: only what steps compute is observed.
  static std::vector<std::int64_t> output_sizes(const Node* node, const Observed& observed) {
    const auto own = observed.facts.find(observed.numbers->of(node->output()));
    if (own != observed.facts.end()) return own->second.sizes;
    for (const torch::jit::Use& use : node->output()->uses()) {
      if (use.user->outputs().size() != 1) continue;
      const auto next = observed.facts.find(observed.numbers->of(use.user->output()));
      if (next != observed.facts.end()) return next->second.sizes;
    }
    return {};
  }

  static std::string metadata(const QuantizeReport& report) {
    return nlohmann::json{{"qconfig", report.qconfig},           {"observer", report.observer},
                          {"rounding", report.rounding},         {"samples", report.samples},
                          {"random_calibration", report.random}, {"sqnr_db", report.whole.sqnr_db}}
        .dump(2);
  }

  model::Program& program_;
  const QuantizeOptions& options_;
  QConfig config_;
  bool learns_;
  std::map<const Node*, double> alone_db_;
};

}  // namespace
}  // namespace quantize

QuantizeReport to_int8(Program& program, const QuantizeOptions& options) {
  const model::Quiet quiet;  // LibTorch's word on the future of quantized dtypes is for those who write Python
  QuantizeReport report;
  quantize::Quantizer quantizer(program.impl(), options);  // refuses wrong options before any work
  if (options.fuse) report.fused = fuse(program, options.fuse_options);
  quantizer.run(report);
  return report;
}

}  // namespace fusekit
