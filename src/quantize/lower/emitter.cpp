#include "quantize/lower/emitter.h"

#include <torch/csrc/jit/ir/constants.h>

#include <cmath>

#include "fusekit/error.h"
#include "ir/cleanup.h"
#include "ir/flatten.h"
#include "ir/marks.h"
#include "ir/memory_layout.h"
#include "ir/uses.h"
#include "quantize/lower/clamps.h"
#include "runtime/libtorch_operators.h"

namespace fusekit::quantize {
namespace {

/// Where a node has to stand to be behind the definition of `value`.
Node* behind(Value* value) {
  Node* node = value->node();
  return node->kind() == c10::prim::Param ? value->node()->owningBlock()->nodes().front() : node->next();
}

/// "layer1.0.conv1.weight" -> "layer1.0.conv1._packed_params", as torch.ao.nn.quantized names it.
std::string packed_path(const ir::Program& program, const Value* weight, const Node* layer) {
  const ir::Weight* known = ir::weight_of(program, weight);
  if (known == nullptr) {
    const std::string scope = ir::scope_of(layer);
    return scope.empty() ? "_packed_params" : scope + "._packed_params";
  }
  const std::string name = ir::split_path(known->path).second;
  return ir::sibling_path(known, name == "weight" ? "_packed_params" : name + "_packed_params");
}

/// Mostly the levels end where the activation does, because calibration saw only what it let through. Not so with a
/// reduced range, where there are levels above those that calibration uses, and with a scale that a cat dictates.
bool levels_reach_past(const ir::Interval& clamp, QParams qparams, const Node* node) {
  const double low = qparams.scale * static_cast<double>(kUnsigned8.low - qparams.zero_point);
  const double high = qparams.scale * static_cast<double>(kUnsigned8.high - qparams.zero_point);
  const bool is_relu = std::string_view(node->kind().toUnqualString()).ends_with("_relu");
  return high > clamp.high + qparams.scale || (!is_relu && low < clamp.low - qparams.scale);
}

}  // namespace

void Emitter::run(const std::vector<Step>& steps) {
  for (const Step& step : steps) fronts_.insert(step.front());
  for (const Step& step : steps) emit(step);
  for (const Step& step : steps) give_floats_back(step);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step)
    for (auto node = step->nodes.rbegin(); node != step->nodes.rend(); ++node) (*node)->destroy();
  ir::remove_dead_code(graph_);
}

Value* Emitter::int8_of(Value* value) const {
  const auto found = int8_.find(value);
  return found == int8_.end() ? nullptr : found->second;
}

std::optional<std::int64_t> Emitter::channels_of_widened(const Value* value) const {
  const auto found = widened_.find(value);
  return found == widened_.end() ? std::nullopt : std::optional(found->second);
}

Node* Emitter::int8_reader(const Step& step) const {
  Node* reader = ir::only_user(step.output);
  return reader != nullptr && fronts_.count(reader) > 0 ? reader : nullptr;
}

void Emitter::emit(const Step& step) {
  Value* result = step.how->emit(step, *this);
  if (step.clamp && levels_reach_past(*step.clamp, output_qparams(step), result->node()))
    result = std::isinf(step.clamp->high) && step.clamp->low == 0
                 ? insert(step, "aten::relu", {result})
                 : insert(step, "aten::hardtanh", {result, step.clamp->low, step.clamp->high});
  int8_[step.output] = result;
}

Value* Emitter::ending_with(const ir::Interval& clamp, const Step& step, Value* value) {
  const QParams qparams = output_qparams(step);
  const double low = qparams.scale * static_cast<double>(kUnsigned8.low - qparams.zero_point);
  const double high = qparams.scale * static_cast<double>(kUnsigned8.high - qparams.zero_point);
  const QParams ends = affine_qparams({std::max(clamp.low, low), std::min(clamp.high, high)}, kUnsigned8);
  const std::int64_t dim = rank_of(step.output) > 1 ? 1 : 0;  // 1 is fast on channels_last
  for (const QParams& levels : {ends, qparams}) {
    const torch::jit::WithInsertPoint guard(step.front());
    Value* list = graph_.insertNode(graph_.createList(c10::TensorType::get(), {value}))->output();
    value = insert(step, "quantized::cat", {list, dim, levels.scale, levels.zero_point});
  }
  return value;
}

Value* Emitter::int8(Value* value) {
  if (Value* known = int8_of(value)) return known;
  const QParams qparams = qparams_of(value);
  const torch::jit::WithInsertPoint guard(behind(value));
  Value* result = graph_.insert(c10::Symbol::fromQualString("aten::quantize_per_tensor"),
                                {value, qparams.scale, qparams.zero_point, at::kQUInt8});
  result->node()->copyMetadata(value->node());
  if (const auto channels = channels_of_picture(value)) result = ir::write_channels_last(result, *channels);
  return int8_[value] = result;
}

/// The few channels of large data that a convolution reads, which would copy them slowly.
std::optional<std::int64_t> Emitter::channels_of_picture(const Value* value) const {
  const auto fact = facts_.find(numbers_.of(value));
  if (fact == facts_.end() || !ir::is_picture(fact->second.sizes)) return std::nullopt;
  const auto& uses = value->uses();
  const bool is_read_by_convolution = std::any_of(
      uses.begin(), uses.end(), [](const torch::jit::Use& use) { return ir::as_convolution(use.user).has_value(); });
  return is_read_by_convolution ? std::optional(fact->second.sizes[1]) : std::nullopt;
}

Value* Emitter::insert(const Step& step, const char* name, const std::vector<torch::jit::NamedValue>& arguments) {
  const torch::jit::WithInsertPoint guard(step.front());
  Value* result = graph_.insert(c10::Symbol::fromQualString(name), arguments);
  result->node()->copyMetadata(step.front());
  ir::copy_group(step.front(), result->node());
  return result;
}

Node* Emitter::clone(const Step& step, Node* node) {
  const torch::jit::WithInsertPoint guard(step.front());
  Node* copy = graph_.createClone(node, [&](Value* input) {
    Value* known = int8_of(input);
    return known != nullptr ? known : input;
  });
  ir::forget_in_place(copy);  // an int8 output has another scale than the input
  return graph_.insertNode(copy);
}

std::size_t Emitter::rank_of(const Value* value) const {
  const auto fact = facts_.find(numbers_.of(value));
  return fact == facts_.end() ? 0 : fact->second.sizes.size();
}

QParams Emitter::qparams_of(const Value* value) const {
  const auto fact = facts_.find(numbers_.of(value));
  if (fact == facts_.end())
    throw Error(ErrorKind::model, fmt::format("%{} is read as int8 but was not observed", value->debugName()),
                "please report this");
  return fact->second.qparams;
}

QParams Emitter::output_qparams(const Step& step) const {
  return step.how->scale == OutputScale::fixed ? step.how->fixed : qparams_of(step.output);
}

Value* Emitter::packed_weights(const Step& step, Value* weight, Value* bias, std::optional<std::int64_t> axis,
                               const char* prepack, const std::vector<c10::IValue>& settings, const WeightForm& form) {
  const auto no_bias = at::Tensor();
  const int number = numbers_.of(step.front()->output(0));
  const LayerWeights layer = quantizer_(number, *ir::constant_tensor(program_, weight),
                                        ir::is_none(bias) ? no_bias : *ir::constant_tensor(program_, bias), axis);
  const auto pack = [prepack = std::string(prepack), settings, form](const LayerWeights& fitted) {
    const LayerWeights weights = form ? form(fitted) : fitted;
    torch::jit::Stack stack{weights.weight, weights.bias.defined() ? c10::IValue(weights.bias) : c10::IValue()};
    stack.insert(stack.end(), settings.begin(), settings.end());
    return runtime::call_operator(prepack, std::move(stack));
  };
  Value* packed = ir::add_packed(program_, step.front(), packed_path(program_, weight, step.front()), pack(layer));
  packings_[number] = {*ir::weight_key(packed), pack};
  return packed;
}

void Emitter::give_floats_back(const Step& step) {
  Value* int8 = int8_.at(step.output);
  // Between the operator and what it absorbed, only the shape is read.
  for (Node* node : step.nodes)
    for (Value* output : node->outputs())
      for (const torch::jit::Use& use : std::vector<torch::jit::Use>(output->uses()))
        if (ir::reads_only_shape(use.user)) use.user->replaceInput(use.offset, int8);
  if (!step.output->hasUses() || step.output->type()->kind() == c10::TypeKind::ListType) return;
  const torch::jit::WithInsertPoint guard(int8->node()->next());
  Value* floats = graph_.insert(c10::Symbol::fromQualString("aten::dequantize"), {int8});
  floats->node()->copyMetadata(step.front());
  step.output->replaceAllUsesWith(floats);
}

}  // namespace fusekit::quantize
