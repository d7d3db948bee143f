#include "target/cpu/cpu.h"

#include "fusekit/error.h"
#include "inputs/inputs.h"
#include "inputs/observed_tensors.h"
#include "ir/cleanup.h"
#include "ir/functional.h"
#include "target/bfloat16.h"
#include "target/channels_last_weights.h"
#include "target/cpu/attention.h"
#include "target/cpu/fast_road.h"
#include "target/cpu/int8/onednn_int8.h"
#include "target/cpu/take_apart.h"
#include "target/cpu/two_roads.h"
#include "target/layouts.h"
#include "target/sample_run.h"

namespace fusekit::target {
namespace {

/// Packed weights have no gradients; without them, the rest of a road needs no bookkeeping for them either.
void make_for_inference(ir::Program& program) {
  for (auto& [key, weight] : program.weights)
    if (weight.packed.isNone()) weight.tensor = weight.tensor.detach();
}

/// What forward is given with the sample, defaults included. Error{unsupported} where the written file could not tell
/// whether it is given the like.
std::vector<c10::IValue> arguments_of(const ir::Method& method, const inputs::Sample& sample) {
  std::vector<c10::IValue> arguments = sample;
  const auto& formal = method.schema.arguments();
  for (std::size_t i = arguments.size() + 1; i < formal.size(); ++i)
    arguments.push_back(formal[i].default_value().value_or(c10::IValue()));
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (!can_be_told(arguments[i]))
      throw Error(ErrorKind::unsupported,
                  fmt::format("forward's argument \"{}\" is a {}, whose shapes the target cpu can't check",
                              formal[i + 1].name(), formal[i + 1].type()->annotation_str()),
                  "LowerOptions::target = portable takes any");
  return arguments;
}

/// Lets attention run as one operator, layers that were packed into one apart from it. What the graph's tensors are then.
template <typename Observe>
inputs::ObservedTensors attend(const ir::Program& program, ir::Graph& graph, const Observe& observe) {
  inputs::ObservedTensors observed = observe();
  const bool took = take_layers_apart(graph, program, observed);
  const bool wrote = attend_at_once(graph, program, observed);
  if (!took && !wrote) return observed;
  ir::remove_dead_code(graph);
  return observe();
}

std::vector<Product> products_in(const ir::Program& program, ir::Graph& graph,
                                 const inputs::ObservedTensors& observed) {
  std::vector<Product> products;
  for (ir::Node* node : ir::all_nodes(graph)) {
    const auto layer = ir::as_layer(node);
    if (const auto product = layer ? as_product(*layer, program, observed) : std::nullopt) products.push_back(*product);
  }
  return products;
}

struct Road {
  std::shared_ptr<ir::Graph> graph;
  Expected expected;  ///< what it is for
};

std::vector<inputs::Sample> samples_of(const file::Original& original, const LowerOptions& options) {
  std::vector<inputs::Sample> samples = {
      inputs::draw_sample(inputs::resolve_inputs(original, options.inputs).options, 0)};
  for (const InputOptions& more : options.more_inputs)
    samples.push_back(inputs::draw_sample(inputs::resolve_inputs(original, more).options, 0));
  return samples;
}

bool is_onednn(const std::string& dialect) {
  if (dialect == "quantized") return false;
  if (dialect != "onednn")
    throw Error(ErrorKind::unsupported, fmt::format("there is no int8 dialect {}", dialect),
                "LowerOptions::int8_dialect is quantized or onednn");
  if (!PackedInt8::are_supported())
    throw Error(ErrorKind::unsupported, "this LibTorch has no onednn::qconv2d_pointwise",
                "LibTorch 2.13 has it on x86; LowerOptions::int8_dialect = quantized runs everywhere");
  return true;
}

void lower_forward(ir::Program& program, ir::Method& method, const file::Original& original,
                   const LowerOptions& options, PackedLayers& layers, const std::vector<inputs::Sample>& samples,
                   const InChannelsLast& in_channels_last) {
  const bool with_onednn_int8 = is_onednn(options.int8_dialect);
  PackedInt8 int8(program);
  std::optional<ProductTimes> times;
  if (!options.layer_times.empty()) times.emplace(options.layer_times);
  std::vector<Road> roads;
  for (const inputs::Sample& sample : samples) {
    const std::shared_ptr<ir::Graph> fast = method.graph->copy();
    inputs::ObservedTensors observed = attend(program, *fast, [&] { return observe(original, method, *fast, sample); });
    roads.push_back({fast, {arguments_of(method, sample), looks_at_memory(*fast)}});
    if (with_onednn_int8) write_onednn_int8(program, *fast, observed, int8);
    if (times) times->measure(products_in(program, *fast, observed));
    FastRoad(program, *fast, observed, layers, times ? &*times : nullptr).build();
  }
  if (times) times->save();
  run_in_channels_last(*method.graph, in_channels_last);  // for other shapes
  ir::make_in_place(*method.graph);
  if (layers.empty() && int8.empty()) return;
  layers.use_in(*method.graph);
  for (const Road& road : roads) layers.use_in(*road.graph);
  while (!roads.empty()) {  // the first is asked about first
    method.graph = two_roads(*roads.back().graph, *method.graph, roads.back().expected);
    roads.pop_back();
  }
  ir::remove_dead_code(*method.graph);
}

void lower_to_cpu(ir::Program& program, const file::Original& original, const LowerOptions& options) {
  if (options.dtype != "float" && options.dtype != "bfloat16")
    throw Error(ErrorKind::unsupported, fmt::format("the target cpu has no dtype {}", options.dtype),
                "the dtypes of this version: float, bfloat16");
  if (!PackedLayers::are_supported())
    throw Error(ErrorKind::unsupported, "this LibTorch has no mkldnn::_convolution_pointwise",
                "LibTorch 2.0 and later built with oneDNN have it; LowerOptions::target = portable runs everywhere");
  make_for_inference(program);
  PackedLayers layers(program);
  const bool has_forward = program.methods.front().name == "forward";
  const std::vector<inputs::Sample> samples =
      has_forward ? samples_of(original, options) : std::vector<inputs::Sample>();
  if (has_forward && options.dtype == "bfloat16")
    compute_in_bfloat16(program, program.methods.front(), original, samples.front());
  const std::vector<InChannelsLast> in_channels_last = wants_channels_last(options)
                                                           ? put_weights_in_channels_last(program)
                                                           : std::vector<InChannelsLast>(program.methods.size());
  for (std::size_t i = 0; i < program.methods.size(); ++i) {  // forward is the first
    ir::Method& method = program.methods[i];
    if (method.name == "forward") {
      lower_forward(program, method, original, options, layers, samples, in_channels_last[i]);
    } else {
      run_in_channels_last(*method.graph, in_channels_last[i]);
      ir::make_in_place(*method.graph);
      layers.use_in(*method.graph);
    }
  }
}

}  // namespace

Target cpu() {
  return {"cpu", "this kind of CPU: oneDNN's and MKL's operators with packed weights", lower_to_cpu,
          /*for_shapes=*/true};
}

}  // namespace fusekit::target
