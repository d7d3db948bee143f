#include "quantize/lower/settings.h"

#include <torch/csrc/jit/ir/constants.h>

#include <limits>

#include "rewrite/operators.h"

namespace fusekit::quantize {
namespace {

/// padding='same': what is padded before and after has to be alike.
std::optional<std::vector<std::int64_t>> same_padding(const at::Tensor& weight,
                                                      const std::vector<std::int64_t>& dilation) {
  std::vector<std::int64_t> padding;
  for (std::size_t i = 0; i < dilation.size(); ++i) {
    const std::int64_t total = dilation[i] * (weight.size(static_cast<std::int64_t>(i) + 2) - 1);
    if (total % 2 != 0) return std::nullopt;
    padding.push_back(total / 2);
  }
  return padding;
}

std::optional<std::vector<std::int64_t>> padding_of(Node* node, const at::Tensor& weight,
                                                    const std::vector<std::int64_t>& dilation) {
  Value* padding = node->namedInput("padding");
  if (padding->type()->kind() != c10::TypeKind::StringType) return constant_ints(padding, dilation.size());
  const auto mode = torch::jit::toIValue(padding);
  if (!mode || !mode->isString()) return std::nullopt;
  if (mode->toStringRef() == "valid") return std::vector<std::int64_t>(dilation.size(), 0);
  return same_padding(weight, dilation);
}

}  // namespace

std::optional<std::int64_t> constant_int(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isInt() ? std::optional(constant->toInt()) : std::nullopt;
}

std::optional<double> constant_number(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !(constant->isInt() || constant->isDouble())) return std::nullopt;
  return constant->toScalar().toDouble();
}

std::optional<bool> constant_bool(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isBool() ? std::optional(constant->toBool()) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> constant_ints(const Value* value, std::size_t size) {
  std::vector<std::int64_t> numbers;
  if (value->node()->kind() == c10::prim::ListConstruct) {
    for (const Value* element : value->node()->inputs()) {
      const auto number = constant_int(element);
      if (!number) return std::nullopt;
      numbers.push_back(*number);
    }
  } else if (const auto constant = torch::jit::toIValue(value)) {
    if (constant->isIntList()) {
      numbers = constant->toIntVector();
    } else if (constant->isInt()) {
      numbers = {constant->toInt()};
    }
  }
  if (numbers.size() == 1) numbers.resize(size, numbers[0]);
  return numbers.size() == size ? std::optional(numbers) : std::nullopt;
}

bool is_operator(const Node* node, std::initializer_list<std::string_view> names) {
  const std::string_view name = node->kind().toQualString();
  return std::find(names.begin(), names.end(), name) != names.end() && node->maybeSchema() != nullptr;
}

bool reads_only_the_shape(const Node* node) {
  return is_operator(node, {"aten::dim", "aten::size", "aten::numel", "aten::len", "prim::device"});
}

Node* only_reader(const Value* value) {
  Node* reader = nullptr;
  for (const torch::jit::Use& use : value->uses()) {
    if (reads_only_the_shape(use.user)) continue;
    if (reader != nullptr) return nullptr;
    reader = use.user;
  }
  return reader;
}

std::optional<Clamp> as_clamp(Node* node) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (is_operator(node, {"aten::relu"})) return Clamp{0, infinity, node};
  if (is_operator(node, {"aten::relu6"})) return Clamp{0, 6, node};
  std::optional<double> low;
  std::optional<double> high;
  if (is_operator(node, {"aten::hardtanh"})) {
    low = constant_number(node->namedInput("min_val"));
    high = constant_number(node->namedInput("max_val"));
  } else if (is_operator(node, {"aten::clamp"})) {
    low = ir::is_none(node->namedInput("min")) ? -infinity : constant_number(node->namedInput("min"));
    high = ir::is_none(node->namedInput("max")) ? infinity : constant_number(node->namedInput("max"));
  } else if (is_operator(node, {"aten::clamp_min"})) {
    low = constant_number(node->namedInput("min"));
    high = infinity;
  }
  if (!low || !high || *low > 0 || *high <= 0) return std::nullopt;
  return Clamp{*low, *high, node};
}

std::optional<ConvolutionSettings> convolution_settings(Node* node, const ir::Program& program, std::string& why) {
  const auto convolution = rewrite::as_convolution(node);
  if (!convolution) {
    why = "its settings are computed at run time";
    return std::nullopt;
  }
  const auto weight = ir::constant_tensor(program, convolution->weight);
  if (!weight || weight->scalar_type() != at::kFloat || weight->dim() < 3 || weight->dim() > 5) {
    why = weight ? "its weight is not float32" : "its weight is computed or written at run time";
    return std::nullopt;
  }
  if (!ir::is_none(convolution->bias) && !ir::constant_tensor(program, convolution->bias)) {
    why = "its bias is computed or written at run time";
    return std::nullopt;
  }
  ConvolutionSettings settings;
  settings.spatial = static_cast<std::size_t>(weight->dim()) - 2;
  settings.input = convolution->input;
  settings.weight = convolution->weight;
  settings.bias = convolution->bias;
  settings.groups = convolution->groups;
  settings.transposed = convolution->transposed;
  const auto stride = constant_ints(node->namedInput("stride"), settings.spatial);
  const auto dilation = constant_ints(node->namedInput("dilation"), settings.spatial);
  const auto padding = dilation ? padding_of(node, *weight, *dilation) : std::nullopt;
  std::optional<std::vector<std::int64_t>> output_padding(std::in_place, settings.spatial, 0);
  if (settings.transposed) output_padding = constant_ints(node->namedInput("output_padding"), settings.spatial);
  if (!stride || !dilation || !padding || !output_padding) {
    why = "its stride, padding or dilation is not known, or pads one side more than the other";
    return std::nullopt;
  }
  settings.stride = *stride;
  settings.padding = *padding;
  settings.dilation = *dilation;
  settings.output_padding = *output_padding;
  return settings;
}

}  // namespace fusekit::quantize
