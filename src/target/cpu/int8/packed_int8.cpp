#include "target/cpu/int8/packed_int8.h"

#include <ATen/native/quantized/PackedParams.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "ir/flatten.h"
#include "ir/written_attributes.h"
#include "runtime/libtorch_operators.h"

namespace fusekit::target {
namespace {

constexpr std::int64_t kLongestKernel = 7;  // oneDNN's kernel for depthwise ones hangs from 14 on (quantize/README.md)

const char* const kScalesOfChannels = "    self.scales = torch.to(torch.q_per_channel_scales(self.weight), dtype=6)\n";
const char* const kScaleOfTensor =
    "    self.scales = torch.full([torch.size(self.weight, 0)], torch.q_scale(self.weight), dtype=6)\n";
const char* const kConvolution =
    "def pack(self) -> None:\n"
    "    stride, padding, dilation, groups, scale, zero_point, input = self.packing\n"
    "SCALES"
    "    self.zero_points = torch.zeros_like(self.scales, dtype=3)\n"
    "    self.packed = ops.onednn.qconv_prepack(torch.int_repr(self.weight), self.scales, scale, zero_point, stride, "
    "padding, dilation, groups, input)\n";
const char* const kLinear =
    "def pack(self) -> None:\n"
    "SCALES"
    "    self.zero_points = torch.zeros_like(self.scales, dtype=3)\n"
    "    self.packed = ops.onednn.qlinear_prepack(torch.int_repr(self.weight), self.packing)\n";

/// The same weights, with numbers of their own.
at::Tensor with_numbers(const at::Tensor& weight, const at::Tensor& numbers) {
  if (weight.qscheme() == at::kPerTensorAffine)
    return at::_make_per_tensor_quantized_tensor(numbers, weight.q_scale(), weight.q_zero_point());
  return at::_make_per_channel_quantized_tensor(numbers, weight.q_per_channel_scales(),
                                                weight.q_per_channel_zero_points(), weight.q_per_channel_axis());
}

std::optional<Int8Weights> as_packed(const c10::IValue& packed) {
  if (!packed.isObject()) return std::nullopt;
  const std::string name = packed.toObject()->type()->name().value().name();
  Int8Weights weights;
  if (name == "Conv2dPackedParamsBase") {
    const auto params = packed.toCustomClass<ConvPackedParamsBase<2>>();
    if (params->transpose()) return std::nullopt;
    auto [weight, bias] = params->unpack();
    weights.weight = weight;
    weights.bias = bias.value_or(at::Tensor());
    weights.stride = params->stride().vec();
    weights.padding = params->padding().vec();
    weights.dilation = params->dilation().vec();
    weights.groups = params->groups();
  } else if (name == "LinearPackedParamsBase") {
    auto [weight, bias] = packed.toCustomClass<LinearPackedParamsBase>()->unpack();
    weights.weight = weight;
    weights.bias = bias.value_or(at::Tensor());
  } else {
    return std::nullopt;
  }
  return weights.weight.scalar_type() == at::kQInt8 ? std::optional(weights) : std::nullopt;
}

/// "layer1.0.conv1._packed_params" for a chain of prim::GetAttr on self.
std::optional<std::string> path_from_self(const torch::jit::Value* value) {
  std::string path;
  for (; value->node()->kind() == c10::prim::GetAttr; value = value->node()->input(0))
    path = value->node()->s(c10::attr::name) + (path.empty() ? "" : "." + path);
  const bool is_self = value->node()->kind() == c10::prim::Param && value->offset() == 0;
  return is_self ? std::optional(path) : std::nullopt;
}

}  // namespace

std::optional<Int8Weights> int8_weights(const ir::Program& program, const torch::jit::Value* value) {
  const ir::Weight* known = ir::weight_of(program, value);
  auto weights = known != nullptr ? as_packed(known->packed) : std::nullopt;
  if (weights) weights->path = known->path;
  if (weights || value->node()->kind() != c10::prim::GetAttr) return weights;
  const auto path = path_from_self(value);
  if (!path || program.written.count(*path) > 0) return std::nullopt;
  const auto packed = ir::attribute_at(program.original, *path);
  weights = packed ? as_packed(*packed) : std::nullopt;
  if (weights) weights->path = *path;
  return weights;
}

std::optional<Int8Weights> taken_apart(const Int8Weights& weights) {
  const at::Tensor& weight = weights.weight;
  if (weights.is_linear() || weight.size(-1) > kLongestKernel) return std::nullopt;
  const std::int64_t groups = weights.groups;
  const std::int64_t width = weight.size(1);
  if (width < 2 || weight.size(0) != groups * width) return std::nullopt;
  const at::Tensor numbers = weight.int_repr().view({groups, width, width, weight.size(2), weight.size(3)});
  const at::Tensor own = numbers.diagonal(0, 1, 2).permute({0, 3, 1, 2});  // (groups, width, H, W)
  if (!own.count_nonzero().equal(numbers.count_nonzero())) return std::nullopt;
  Int8Weights apart = weights;
  apart.groups = groups * width;
  apart.weight = with_numbers(weight, own.reshape({groups * width, 1, weight.size(2), weight.size(3)}).contiguous());
  return apart;
}

bool PackedInt8::are_supported() {
  return runtime::has_operator("onednn::qconv2d_pointwise") && runtime::has_operator("onednn::qlinear_pointwise");
}

PackedInt8::Arguments PackedInt8::read(const Int8Weights& weights, const Levels& levels,
                                       const std::vector<std::int64_t>& input, Node* before) {
  const std::string what =
      fmt::format("{} {} {} {}", weights.path, levels.scale, levels.zero_point, fmt::join(input, ","));
  Value* module = nullptr;
  if (const auto known = modules_.find(what); known != modules_.end()) {
    module = ir::insert_module(program_, before, known->second);
  } else {
    ir::NewModule made;
    made.class_name = weights.is_linear() ? "PackedInt8Linear" : "PackedInt8Conv2d";
    made.attributes.push_back({"weight", c10::TensorType::get(), weights.weight.detach()});
    made.attributes.push_back({"bias", c10::OptionalType::ofTensor(),
                               weights.bias.defined() ? c10::IValue(weights.bias.detach()) : c10::IValue()});
    const auto ints = c10::ListType::ofInts();
    if (weights.is_linear()) {
      made.attributes.push_back({"packing", ints, c10::List<std::int64_t>(input)});
    } else {
      const auto list = [](const std::vector<std::int64_t>& numbers) { return c10::List<std::int64_t>(numbers); };
      made.attributes.push_back(
          {"packing",
           c10::TupleType::create(
               {ints, ints, ints, c10::IntType::get(), c10::FloatType::get(), c10::IntType::get(), ints}),
           c10::ivalue::Tuple::create({list(weights.stride), list(weights.padding), list(weights.dilation),
                                       weights.groups, levels.scale, levels.zero_point, list(input)})});
    }
    for (const char* name : {"scales", "zero_points", "packed"})
      made.attributes.push_back({name, c10::TensorType::get(), {}, ir::AttributeRole::packed});
    std::string source = weights.is_linear() ? kLinear : kConvolution;
    const bool is_of_tensor = weights.weight.qscheme() == at::kPerTensorAffine;
    source.replace(source.find("SCALES"), std::strlen("SCALES"), is_of_tensor ? kScaleOfTensor : kScalesOfChannels);
    made.source = std::move(source);
    const std::string path = ir::split_path(weights.path).first;
    module = ir::add_module(program_, before, path, std::move(made));
    modules_.emplace(what, *ir::module_key(module));
  }
  const auto attribute = [&](const char* name) { return ir::read_module(before, module, name); };
  return {attribute("packed"), attribute("scales"), attribute("zero_points"), attribute("bias")};
}

}  // namespace fusekit::target
