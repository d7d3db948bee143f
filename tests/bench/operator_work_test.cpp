// What operators compute and move, of calls that LibTorch makes.
#include "bench/operator_work.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include "support/module.h"

namespace fusekit::bench {
namespace {

using c10::IValue;

IValue ints(const std::vector<std::int64_t>& numbers) { return c10::List<std::int64_t>(numbers); }

/// Calls the operator, and tells what that was.
class Counted {
 public:
  Counted(const std::string& name, const torch::jit::Stack& inputs, const std::string& overload = "",
          const torch::jit::Module& module = torch::jit::Module("Nothing"), double inner_flops = 0) {
    const torch::NoGradGuard no_grad;
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name.c_str(), overload.c_str());
    torch::jit::Stack stack = inputs;
    op.callBoxed(&stack);
    const Weights weights(module);
    const OperatorCall call{op.schema(), inputs, stack};
    work = work_of(call, weights, inner_flops);
    products = flops_of_products(call, weights);
  }

  OperatorWork work;
  std::optional<double> products;
};

at::Tensor data(const std::vector<std::int64_t>& sizes) { return torch::randn(sizes); }

TEST(OperatorWork, ConvolutionsCountTheWeightsOfOneOutputForEachPosition) {
  const auto conv = [](std::vector<std::int64_t> in, std::vector<std::int64_t> weight, std::int64_t stride,
                       std::int64_t dilation, std::int64_t groups) {
    return *Counted("aten::conv2d", {data(std::move(in)), data(std::move(weight)), IValue(), ints({stride, stride}),
                                     ints({0, 0}), ints({dilation, dilation}), groups})
                .products;
  };
  EXPECT_EQ(conv({2, 3, 10, 10}, {4, 3, 3, 3}, 1, 1, 1), 2.0 * 2 * 4 * 8 * 8 * 3 * 9);
  EXPECT_EQ(conv({2, 3, 10, 10}, {4, 3, 3, 3}, 2, 1, 1), 2.0 * 2 * 4 * 4 * 4 * 3 * 9) << "stride";
  EXPECT_EQ(conv({2, 3, 10, 10}, {4, 3, 3, 3}, 1, 2, 1), 2.0 * 2 * 4 * 6 * 6 * 3 * 9) << "dilation";
  EXPECT_EQ(conv({2, 6, 10, 10}, {4, 3, 3, 3}, 1, 1, 2), 2.0 * 2 * 4 * 8 * 8 * 3 * 9) << "groups";
  EXPECT_EQ(conv({2, 6, 10, 10}, {6, 1, 3, 3}, 1, 1, 6), 2.0 * 2 * 6 * 8 * 8 * 9) << "depthwise";
  EXPECT_EQ(conv({3, 10, 10}, {4, 3, 3, 3}, 1, 1, 1), 2.0 * 4 * 8 * 8 * 3 * 9) << "without a batch";
  EXPECT_EQ(*Counted("aten::conv1d",
                     {data({2, 3, 10}), data({4, 3, 5}), IValue(), ints({1}), ints({0}), ints({1}), std::int64_t{1}})
                 .products,
            2.0 * 2 * 4 * 6 * 3 * 5);
}

TEST(OperatorWork, TransposedConvolutionsCountEachPositionOfTheirInput) {
  const Counted counted("aten::conv_transpose2d",
                        {data({2, 6, 5, 5}), data({6, 4, 3, 3}), IValue(), ints({2, 2}), ints({0, 0}), ints({0, 0}),
                         std::int64_t{2}, ints({1, 1})},
                        "input");
  EXPECT_EQ(*counted.products, 2.0 * 2 * 6 * 5 * 5 * 4 * 9);
  EXPECT_EQ(*Counted("aten::convolution", {data({2, 6, 5, 5}), data({6, 4, 3, 3}), IValue(), ints({2, 2}), ints({0, 0}),
                                           ints({1, 1}), true, ints({0, 0}), std::int64_t{2}})
                 .products,
            2.0 * 2 * 6 * 5 * 5 * 4 * 9);
}

TEST(OperatorWork, ProductsCountASumForEachElementThatTheyGive) {
  EXPECT_EQ(*Counted("aten::linear", {data({2, 5, 7}), data({3, 7}), data({3})}).products, 2.0 * 2 * 5 * 3 * 7);
  EXPECT_EQ(*Counted("aten::matmul", {data({2, 5, 7}), data({7, 3})}).products, 2.0 * 2 * 5 * 3 * 7);
  EXPECT_EQ(*Counted("aten::matmul", {data({5, 7}), data({4, 7, 3})}).products, 2.0 * 4 * 5 * 3 * 7) << "broadcast";
  EXPECT_EQ(*Counted("aten::matmul", {data({7}), data({7})}).products, 2.0 * 7);
  EXPECT_EQ(*Counted("aten::bmm", {data({4, 5, 7}), data({4, 7, 3})}).products, 2.0 * 4 * 5 * 3 * 7);
  EXPECT_EQ(*Counted("aten::addmm", {data({3}), data({5, 7}), data({7, 3}), 1, 1}).products, 2.0 * 5 * 3 * 7);
  EXPECT_FALSE(Counted("aten::relu", {data({5})}).products.has_value());
}

TEST(OperatorWork, AnOperatorWithoutAFormulaCountsWhatItCalled) {
  EXPECT_EQ(Counted("aten::relu", {data({5})}, "", torch::jit::Module("Nothing"), 77).work.flops, 77);
}

TEST(OperatorWork, ElementwiseOperatorsReadAndWriteEachElement) {
  const Counted add("aten::add", {data({2, 8}), data({2, 8}), 1}, "Tensor");
  EXPECT_EQ(add.work.flops, 16);
  EXPECT_EQ(add.work.data_bytes, 3 * 16 * 4);
  EXPECT_EQ(add.work.dtype, "float");
  EXPECT_EQ(Counted("aten::relu_", {data({2, 8})}).work.data_bytes, 2 * 16 * 4) << "in place";
  EXPECT_EQ(Counted("aten::add", {data({2, 8}), data({1, 8}).expand({2, 8}), 1}, "Tensor").work.data_bytes,
            (16 + 8 + 16) * 4)
      << "an expanded dimension holds its elements once";
  EXPECT_EQ(
      Counted("aten::max_pool2d", {data({1, 2, 8, 8}), ints({2, 2}), ints({2, 2}), ints({0, 0}), ints({1, 1}), false})
          .work.flops,
      2 * 8 * 8);
  EXPECT_EQ(Counted("aten::relu", {data({4}).to(at::kBFloat16)}).work.dtype, "bfloat16");
}

TEST(OperatorWork, ViewsAreFreeAndCopiesOnlyMove) {
  const Counted view("aten::transpose", {data({2, 8}), std::int64_t{0}, std::int64_t{1}}, "int");
  EXPECT_EQ(view.work.bytes(), 0);
  EXPECT_EQ(view.work.flops, 0);
  const at::Tensor tensor = data({2, 8});
  EXPECT_EQ(Counted("aten::contiguous", {tensor, IValue(static_cast<std::int64_t>(0))}).work.bytes(), 0)
      << "it is already";
  const Counted copy("aten::cat", {c10::List<at::Tensor>({tensor, tensor}), std::int64_t{0}});
  EXPECT_EQ(copy.work.bytes(), 2 * 2 * 16 * 4);
  EXPECT_EQ(copy.work.flops, 0);
  const Counted rows("aten::embedding",
                     {data({1000, 8}), torch::zeros({3}, at::kLong), std::int64_t{-1}, false, false});
  EXPECT_EQ(rows.work.bytes(), 3 * 8 * 4 + 3 * 8 + 3 * 8 * 4) << "only the rows that are looked up";
}

TEST(OperatorWork, WeightsAreToldFromData) {
  const at::Tensor weight = data({3, 7});
  const auto module =
      fusekit::test::make_module("Net", {{"fc.weight", weight}}, "def forward(self, x):\n    return x\n");
  const Counted counted("aten::linear", {data({5, 7}), module.attr("fc").toModule().attr("weight"), IValue()}, "",
                        module);
  EXPECT_EQ(counted.work.weight_bytes, 3 * 7 * 4);
  EXPECT_EQ(counted.work.data_bytes, (5 * 7 + 5 * 3) * 4);
}

IValue boxed(const char* name, torch::jit::Stack stack) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(&stack);
  return stack.front();
}

TEST(OperatorWork, PackedInt8WeightsTellTheirShape) {
  const at::Tensor weight = at::quantize_per_tensor(data({4, 3, 3, 3}), 0.1, 0, at::kQInt8);
  const IValue packed = boxed("quantized::conv2d_prepack",
                              {weight, data({4}), ints({2, 2}), ints({0, 0}), ints({1, 1}), std::int64_t{1}});
  torch::jit::Module layer("Layer");
  layer.register_attribute("packed", packed.type(), packed);
  torch::jit::Module module("Net");
  module.register_module("conv", layer);
  const at::Tensor input = at::quantize_per_tensor(data({2, 3, 9, 9}), 0.1, 0, at::kQUInt8);
  const Counted counted("quantized::conv2d", {input, packed, 0.1, std::int64_t{0}}, "new", module);
  EXPECT_EQ(*counted.products, 2.0 * 2 * 4 * 4 * 4 * 3 * 9);
  EXPECT_EQ(counted.work.dtype, "int8");
  EXPECT_EQ(counted.work.weight_bytes, 4 * 3 * 9 + 4 * 4);
  EXPECT_EQ(counted.work.data_bytes, 2 * 3 * 81 + 2 * 4 * 16);
  EXPECT_EQ(Weights(module).find(packed)->path, "conv");
}

TEST(OperatorWork, ALayerThatQuantizesItsInputComputesOnInt8) {
  const IValue packed =
      boxed("quantized::linear_prepack", {at::quantize_per_tensor(data({3, 8}), 0.1, 0, at::kQInt8), IValue()});
  const Counted counted("quantized::linear_dynamic", {data({5, 8}), packed, false});
  EXPECT_EQ(counted.work.dtype, "int8");
  EXPECT_EQ(*counted.products, 2.0 * 5 * 3 * 8);
}

TEST(OperatorWork, PackedFloatWeightsCountToo) {
  if (!c10::Dispatcher::singleton().findSchema({"mkldnn::_convolution_pointwise", ""}))
    GTEST_SKIP() << "this LibTorch has no mkldnn::_convolution_pointwise";
  const auto run = [](std::int64_t channels, std::vector<std::int64_t> weight, std::int64_t groups) {
    const at::Tensor input = data({1, channels, 8, 8});
    const IValue packed =
        boxed("mkldnn::_reorder_convolution_weight", {data(std::move(weight)), ints({1, 1}), ints({1, 1}), ints({1, 1}),
                                                      groups, c10::List<std::int64_t>({1, channels, 8, 8})});
    const Counted counted("mkldnn::_convolution_pointwise",
                          {input, packed, IValue(), ints({1, 1}), ints({1, 1}), ints({1, 1}), groups, "none",
                           c10::impl::GenericList(c10::OptionalType::create(c10::NumberType::get())), IValue()});
    return *counted.products;
  };
  EXPECT_EQ(run(16, {32, 16, 3, 3}, 1), 2.0 * 32 * 64 * 16 * 9);
  EXPECT_EQ(run(32, {32, 1, 3, 3}, 32), 2.0 * 32 * 64 * 9) << "depthwise";
}

}  // namespace
}  // namespace fusekit::bench
