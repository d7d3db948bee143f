#include "models/layers.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <cmath>

namespace fusekit::models {
namespace {

constexpr double kEps = 1e-5;
constexpr double kMomentum = 0.1;

Slot parameter(const std::string& name, const at::Tensor& value) {
  return {name, c10::TensorType::get(), value.set_requires_grad(true), SlotKind::parameter};
}

Slot buffer(const std::string& name, const at::Tensor& value) {
  return {name, c10::TensorType::get(), value, SlotKind::buffer};
}

/// `bias=None` stays a parameter of the class, without a tensor.
Slot no_bias() {
  return {"bias", c10::OptionalType::create(c10::TensorType::get()), c10::IValue(), SlotKind::parameter};
}

c10::IValue pair_of(std::int64_t value) { return c10::ivalue::Tuple::create(value, value); }

}  // namespace

Slot integer(const std::string& name, std::int64_t value) { return {name, c10::IntType::get(), value}; }
Slot boolean(const std::string& name, bool value) { return {name, c10::BoolType::get(), value}; }

Layers::Layers(std::uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

at::Tensor Layers::uniform(at::IntArrayRef shape, double low, double high) {
  return at::empty(shape).uniform_(low, high, generator_);
}

torch::jit::Module Layers::conv2d(const Conv2dOptions& options) {
  const auto [in, out, kernel, stride, padding, groups, gain] = options;
  const std::int64_t fan_in = in / groups * kernel * kernel;
  const double bound = std::sqrt(3 * gain / static_cast<double>(fan_in));
  const at::Tensor weight = uniform({out, in / groups, kernel, kernel}, -bound, bound);
  const std::vector<std::int64_t> padding_twice(4, padding);
  return builder_.make(
      {"torch.nn.modules.conv.Conv2d",
       {parameter("weight", weight),
        no_bias(),
        boolean("transposed", false),
        {"_reversed_padding_repeated_twice", c10::ListType::ofInts(), padding_twice}},
       {{"in_channels", in},
        {"out_channels", out},
        {"kernel_size", pair_of(kernel)},
        {"stride", pair_of(stride)},
        {"padding", pair_of(padding)},
        {"dilation", pair_of(1)},
        {"output_padding", pair_of(0)},
        {"groups", groups},
        {"padding_mode", "zeros"}},
       fmt::format("def _conv_forward(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:\n"
                   "    return torch.conv2d(input, weight, bias, [{0}, {0}], [{1}, {1}], [1, 1], {2})\n"
                   "def forward(self, input: Tensor) -> Tensor:\n"
                   "    return self._conv_forward(input, self.weight, self.bias)\n",
                   stride, padding, groups)});
}

torch::jit::Module Layers::batch_norm2d(std::int64_t channels, double scale) {
  return builder_.make(
      {"torch.nn.modules.batchnorm.BatchNorm2d",
       {parameter("weight", uniform({channels}, 0.5 * scale, 1.5 * scale)),
        parameter("bias", uniform({channels}, -0.3, 0.3)), buffer("running_mean", uniform({channels}, -0.3, 0.3)),
        buffer("running_var", uniform({channels}, 0.5, 1.5)),
        buffer("num_batches_tracked", at::full({}, 1000, at::kLong))},
       {{"num_features", channels},
        {"eps", kEps},
        {"momentum", kMomentum},
        {"affine", true},
        {"track_running_stats", true}},
       fmt::format(
           "def _check_input_dim(self, input: Tensor) -> None:\n"
           "    if input.dim() != 4:\n"
           "        prim.RaiseException(\"expected 4D input (got {{}}D input)\".format(input.dim()), "
           "\"builtins.ValueError\")\n"
           "def forward(self, input: Tensor) -> Tensor:\n"
           "    self._check_input_dim(input)\n"
           "    if self.training:\n"
           "        self.num_batches_tracked.add_(1)\n"
           "    if self.training:\n"
           "        bn_training = True\n"
           "    else:\n"
           "        bn_training = False\n"
           "    return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, bn_training, "
           "{}, {})\n",
           kMomentum, kEps)});
}

torch::jit::Module Layers::linear(std::int64_t in, std::int64_t out) {
  const double bound = std::sqrt(3 * kBehindLinear / static_cast<double>(in));
  return builder_.make(
      {"torch.nn.modules.linear.Linear",
       {parameter("weight", uniform({out, in}, -bound, bound)), parameter("bias", uniform({out}, -0.1, 0.1))},
       {{"in_features", in}, {"out_features", out}},
       "def forward(self, input: Tensor) -> Tensor:\n"
       "    return torch.linear(input, self.weight, self.bias)\n"});
}

torch::jit::Module Layers::relu() {
  return builder_.make({"torch.nn.modules.activation.ReLU",
                        {},
                        {{"inplace", true}},
                        "def forward(self, input: Tensor) -> Tensor:\n    return relu(input, True)\n"});
}

torch::jit::Module Layers::relu6() {
  return builder_.make({"torch.nn.modules.activation.ReLU6",
                        {},
                        {{"min_val", 0.0}, {"max_val", 6.0}, {"inplace", true}},
                        "def forward(self, input: Tensor) -> Tensor:\n    return hardtanh(input, 0., 6., True)\n"});
}

torch::jit::Module Layers::dropout(double p) {
  return builder_.make({"torch.nn.modules.dropout.Dropout",
                        {},
                        {{"p", p}, {"inplace", false}},
                        fmt::format("def forward(self, input: Tensor) -> Tensor:\n"
                                    "    return dropout(input, {}, self.training, False)\n",
                                    p)});
}

torch::jit::Module Layers::max_pool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  return builder_.make({"torch.nn.modules.pooling.MaxPool2d",
                        {},
                        {{"kernel_size", kernel},
                         {"stride", stride},
                         {"padding", padding},
                         {"dilation", std::int64_t{1}},
                         {"return_indices", false},
                         {"ceil_mode", false}},
                        fmt::format("def forward(self, input: Tensor) -> Tensor:\n"
                                    "    return max_pool2d(input, [{0}, {0}], [{1}, {1}], [{2}, {2}], [1, 1], False)\n",
                                    kernel, stride, padding)});
}

torch::jit::Module Layers::adaptive_avg_pool2d() {
  return builder_.make({"torch.nn.modules.pooling.AdaptiveAvgPool2d",
                        {},
                        {{"output_size", pair_of(1)}},
                        "def forward(self, input: Tensor) -> Tensor:\n"
                        "    return adaptive_avg_pool2d(input, [1, 1])\n"});
}

torch::jit::Module Layers::stub(const std::string& class_name) {
  return builder_.make(
      {"torch.ao.quantization.stubs." + class_name, {}, {}, "def forward(self, x: Tensor) -> Tensor:\n    return x\n"});
}

torch::jit::Module Layers::sequential(const std::vector<torch::jit::Module>& children, const std::string& class_name,
                                      std::vector<Slot> attributes) {
  std::vector<Child> named;
  std::string source = "def forward(self, input: Tensor) -> Tensor:\n";
  for (const torch::jit::Module& child : children) {
    const std::string name = std::to_string(named.size());
    named.emplace_back(name, child);
    source += fmt::format("    input = getattr(self, \"{}\").forward(input)\n", name);
  }
  source += fmt::format("    return input\ndef __len__(self) -> int:\n    return {}\n", children.size());
  return network(class_name, std::move(attributes), named, source);
}

torch::jit::Module Layers::network(const std::string& class_name, std::vector<Slot> attributes,
                                   const std::vector<Child>& children, const std::string& source) {
  for (const auto& [name, module] : children) attributes.push_back({name, module.type(), module._ivalue()});
  return builder_.make({class_name, std::move(attributes), {}, source});
}

}  // namespace fusekit::models
