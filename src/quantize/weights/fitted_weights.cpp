#include "quantize/weights/fitted_weights.h"

#include <algorithm>
#include <map>

#include "ir/operators.h"
#include "quantize/lower/clamps.h"
#include "quantize/weights/fitted_bias.h"
#include "quantize/weights/input_rows.h"
#include "quantize/weights/layer_weights.h"
#include "quantize/weights/lockstep.h"
#include "quantize/weights/moments.h"
#include "quantize/weights/rounding.h"

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kRows = 4096;   // of data for a layer, from all samples together
constexpr double kMostBytes = 0x1p30;  // of activations
constexpr std::size_t kLeastSamples = 8;
constexpr double kDamping = 2;  // of the adaption to what the layers before got wrong

/// How far the correlations between a layer's inputs can be believed after `rows` rows. There are as many of them as
/// pairs of inputs: those of a few rows are mostly chance, and a layer that is fitted to them is wrong on other data.
double trusted_share(std::int64_t rows, std::int64_t in) {
  return static_cast<double>(rows) / static_cast<double>(rows + 2 * in);
}

/// Towards its own diagonal, as Ledoit and Wolf (2004) shrink a covariance matrix towards a simple one.
at::Tensor shrunk(const at::Tensor& second, double trust) {
  return second * trust + second.diagonal(0, 1, 2).diag_embed() * (1 - trust);
}

/// A convolution or linear that is fitted.
struct Layer {
  int number = -1;  ///< of its output in the float network
  int input = -1;   ///< of its input there
  at::Tensor weight;
  at::Tensor bias;  ///< may be undefined
  Window window;
  std::optional<ir::Interval> clamp;  ///< that it ends with

  [[nodiscard]] at::Tensor matrix() const { return weight_matrix(weight.to(at::kFloat), window.groups); }
  [[nodiscard]] std::int64_t in() const { return weight.numel() / weight.size(0); }
};

/// What a layer reads in the int8 network, [groups, rows, in], and what it should make of it before its bias,
/// [groups, rows, out / groups].
struct Rows {
  at::Tensor x;
  at::Tensor wanted;
};

at::Tensor tensor_or_none(const ir::Program& program, const Value* value) {
  return ir::is_none(value) ? at::Tensor() : *ir::constant_tensor(program, value);
}

std::optional<Layer> as_layer(const BuiltStep& step, const Observed& observed) {
  const ir::Program& program = *observed.program;
  const auto view = ir::as_layer(step.node);
  if (!view || view->transposed) return std::nullopt;
  Layer layer;
  layer.weight = *ir::constant_tensor(program, view->weight);
  layer.bias = tensor_or_none(program, view->bias);
  if (!view->is_linear) {
    const auto geometry = ir::geometry_of(*ir::as_convolution(step.node), layer.weight);
    if (!geometry) return std::nullopt;
    layer.window = {layer.weight.sizes().slice(2).vec(), geometry->stride, geometry->padding, geometry->dilation,
                    view->groups};
  }
  layer.number = observed.numbers->of(step.node->output());
  layer.input = observed.numbers->of(view->input);
  layer.clamp = step.clamp;
  return layer;
}

/// How many samples can run side by side: a network holds about three of its largest activations at a time, in float
/// and in int8.
std::size_t affordable_samples(const Facts& facts) {
  double largest = 1;
  for (const auto& [number, fact] : facts) {
    double numbers = 1;
    for (const std::int64_t size : fact.sizes) numbers *= static_cast<double>(size);
    largest = std::max(largest, numbers);
  }
  constexpr double bytes = 3 * (sizeof(float) + sizeof(std::uint8_t));
  return std::max<std::size_t>(kLeastSamples, static_cast<std::size_t>(kMostBytes / (bytes * largest)));
}

/// The weights that are fitted so far, by the layer's number.
using Fitted = std::map<int, LayerWeights>;

class Fitter {
 public:
  Fitter(const Observed& observed, const WeightScheme& scheme, const std::vector<Sample>& samples, Built nearest,
         Fit what)
      : observed_(observed),
        scheme_(scheme),
        nearest_(nearest_weights(scheme)),
        what_(what),
        samples_(samples),
        floats_(ir::copy_of(*observed.program)),
        numbers_(*floats_.methods.front().graph),
        int8_(std::move(nearest)),
        before_(floats_, samples),
        after_(int8_.program, samples) {}

  Fitted run(const Progress& progress) {
    Fitted fitted;
    for (std::size_t i = 0; i < int8_.steps.size(); ++i) {
      const auto layer = as_layer(int8_.steps[i], observed_);
      if (!layer || !can_stop_at(*layer, int8_.steps[i])) continue;
      const LayerWeights weights = fit(*layer, gather(*layer, int8_.steps[i].int8_input));
      const Packing& packing = int8_.packings.at(layer->number);
      int8_.program.weights.at(packing.key).packed = packing.pack(weights);  // what follows sees it
      fitted[layer->number] = weights;
      if (progress)
        progress(static_cast<double>(i + 1) / static_cast<double>(int8_.steps.size()),
                 what_ == Fit::bias ? "fitting biases" : "learning how to round");
    }
    return fitted;
  }

 private:
  bool can_stop_at(const Layer& layer, const BuiltStep& step) const {
    return before_.can_stop_at(numbers_.value(layer.input)) && after_.can_stop_at(step.int8_input);
  }

  /// What the layer reads in the int8 network, and what it should make of it: x and wanted.
  Rows gather(const Layer& layer, const Value* int8_input) {
    const Value* float_input = numbers_.value(layer.input);
    before_.run_until(float_input);
    after_.run_until(int8_input);
    const at::Tensor weight = layer.matrix().transpose(1, 2);
    std::vector<at::Tensor> x;
    std::vector<at::Tensor> wanted;
    const auto count = static_cast<std::int64_t>(samples_.size());
    const std::int64_t rows = (kRows + count - 1) / count;
    for (std::int64_t k = 0; k < count; ++k) {
      x.push_back(input_rows(after_.tensor(k, int8_input), layer.window, rows, k));
      wanted.push_back(input_rows(before_.tensor(k, float_input), layer.window, rows, k).matmul(weight));
    }
    return {at::cat(x, 1), at::cat(wanted, 1)};
  }

  LayerWeights fit(const Layer& layer, const Rows& rows) const {
    const at::Tensor weight = what_ == Fit::weights ? learned_levels(layer, rows)
                                                    : nearest_(layer.number, layer.weight, layer.bias, 0).weight;
    const at::Tensor dequantized = weight_matrix(weight.dequantize(), layer.window.groups);
    return {weight, fitted_bias(layer.bias, rows.wanted, rows.x.matmul(dequantized.transpose(1, 2)), layer.clamp)};
  }

  at::Tensor learned_levels(const Layer& layer, const Rows& rows) const {
    const double trust = trusted_share(rows.x.size(1), layer.in());
    const at::Tensor second = shrunk(second_moment(rows.x), trust);
    const at::Tensor residual = rows.wanted - rows.x.matmul(layer.matrix().transpose(1, 2));
    const at::Tensor target = adapted_weight(layer.matrix(), second, cross_moment(residual, rows.x) * trust, kDamping);

    const auto start = weight_scales(target.reshape(layer.weight.sizes()), scheme_, 0);
    const auto scales = search_scales(target, start, scheme_.levels, second);
    const at::Tensor levels = round_weight(target, second, scales, {.levels = scheme_.levels});
    return quantized_weight(levels.reshape(layer.weight.sizes()), scales, 0, scheme_.per_channel);
  }

  const Observed& observed_;
  const WeightScheme scheme_;
  const WeightQuantizer nearest_;
  const Fit what_;
  const std::vector<Sample>& samples_;
  const ir::Program floats_;
  const Numbering numbers_;
  Built int8_;
  Lockstep before_;
  Lockstep after_;
};

}  // namespace

WeightQuantizer fitted_weights(const Observed& observed, const WeightScheme& scheme, Built nearest,
                               const std::vector<Sample>& samples, Fit what, const Progress& progress) {
  const std::size_t most = affordable_samples(observed.facts);
  const std::vector<Sample> few(samples.begin(), samples.begin() + std::min(most, samples.size()));
  return [fitted = Fitter(observed, scheme, few, std::move(nearest), what).run(progress),
          others = nearest_weights(scheme)](int layer, const at::Tensor& weight, const at::Tensor& bias,
                                            std::optional<std::int64_t> axis) {
    const auto found = fitted.find(layer);
    return found != fitted.end() ? found->second : others(layer, weight, bias, axis);
  };
}

}  // namespace fusekit::quantize
