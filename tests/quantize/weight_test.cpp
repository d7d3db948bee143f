#include "quantize/weights/weight.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "quantize/made_up_data.h"
#include "quantize/observe/observer.h"
#include "runtime/captured_output.h"

namespace fusekit::quantize {
namespace {

constexpr WeightScheme kTorchPerTensor{false, kSigned8, WeightScale::half_of_steps};
constexpr WeightScheme kTorchPerChannel{true, kSigned8, WeightScale::half_of_steps};

at::Tensor weight(const std::vector<std::int64_t>& shape) { return test::heavy(0, 5040).view(shape); }

at::Tensor as_tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

TEST(Weight, PerTensorIsWhatQuantizePerTensorMakes) {
  const runtime::CapturedOutput captured;
  const at::Tensor w = weight({20, 28, 3, 3});
  const at::Tensor q = quantize_weight(w, kTorchPerTensor, 0);
  EXPECT_EQ(q.qscheme(), at::kPerTensorAffine);
  EXPECT_EQ(q.q_scale(), static_cast<double>(w.abs().max().item<float>() / 127.5F));
  EXPECT_EQ(q.q_zero_point(), 0);
  EXPECT_TRUE(at::equal(q.int_repr(), at::quantize_per_tensor(w, q.q_scale(), 0, at::kQInt8).int_repr()));
}

TEST(Weight, PerChannelIsWhatQuantizePerChannelMakes) {
  const runtime::CapturedOutput captured;
  for (const std::int64_t axis : {0, 1}) {
    const at::Tensor w = weight({20, 28, 3, 3});
    const at::Tensor q = quantize_weight(w, kTorchPerChannel, axis);
    EXPECT_EQ(q.qscheme(), at::kPerChannelAffine);
    EXPECT_EQ(q.q_per_channel_axis(), axis);
    ASSERT_EQ(q.q_per_channel_scales().numel(), w.size(axis));
    EXPECT_EQ(q.q_per_channel_zero_points().abs().max().item<std::int64_t>(), 0);
    const at::Tensor expected =
        at::quantize_per_channel(w, q.q_per_channel_scales(), q.q_per_channel_zero_points(), axis, at::kQInt8);
    EXPECT_TRUE(at::equal(q.int_repr(), expected.int_repr()));
    EXPECT_LE((q.dequantize() - w).abs().max().item<float>(), 0.51 * q.q_per_channel_scales().max().item<double>());
  }
}

TEST(Weight, AnyShapeAndStrides) {
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{20, 252}, {20, 84, 3}, {20, 7, 3, 3, 4}, {5040}}) {
    EXPECT_EQ(quantize_weight(weight(shape), kTorchPerChannel, 0).sizes(), at::IntArrayRef(shape));
  }
  const at::Tensor w = weight({20, 28, 3, 3});
  const at::Tensor last = w.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::equal(quantize_weight(last, kTorchPerChannel, 0).int_repr(),
                        quantize_weight(w, kTorchPerChannel, 0).int_repr()));
}

TEST(Weight, ADeadChannelStaysZeroAndItsScaleIsNotZero) {
  at::Tensor w = weight({20, 252}).clone();
  w[7].zero_();
  for (const WeightScale scale : {WeightScale::half_of_steps, WeightScale::highest_level}) {
    const WeightScheme scheme{true, kSigned8, scale};
    EXPECT_EQ(weight_scales(w, scheme, 0).at(7), kSmallestScale);
    EXPECT_EQ(quantize_weight(w, scheme, 0).dequantize()[7].abs().max().item<float>(), 0);
  }
  EXPECT_EQ(weight_scales(at::zeros({3, 3}), kTorchPerTensor, 0), std::vector<double>{kSmallestScale});
}

TEST(Weight, TheHighestLevelClipsNothing) {
  const WeightScheme scheme{true, kSigned8Narrow, WeightScale::highest_level};
  const at::Tensor w = weight({20, 252});
  const at::Tensor error = (quantize_weight(w, scheme, 0).dequantize() - w).abs().amax(1);
  const at::Tensor half_steps = as_tensor(weight_scales(w, scheme, 0)) / 2;
  EXPECT_TRUE((error <= half_steps * 1.0001).all().item<bool>());
  EXPECT_EQ(weight_scales(at::tensor({-127.0F, 3.0F}), {false, kSigned8, WeightScale::highest_level}, 0),
            std::vector<double>{1});
}

TEST(Weight, FewerLevelsAreKeptTo) {
  const WeightScheme scheme{true, {-64, 63}, WeightScale::half_of_steps};
  const at::Tensor levels = quantize_weight(weight({20, 252}), scheme, 0).int_repr();
  EXPECT_EQ(levels.max().item<std::int64_t>(), 63);
  EXPECT_EQ(levels.min().item<std::int64_t>(), -64);
}

TEST(Weight, LevelsThatWereChosenElsewhereAreKept) {
  const at::Tensor levels = at::tensor({1, -2, 3, 4}, at::kChar).view({2, 2});
  const at::Tensor per_channel = quantized_weight(levels, {0.5, 2}, 0, true);
  EXPECT_TRUE(at::equal(per_channel.dequantize(), at::tensor({0.5F, -1.0F, 6.0F, 8.0F}).view({2, 2})));
  EXPECT_EQ(quantized_weight(levels.slice(0, 0, 1), {0.5}, 0, true).qscheme(), at::kPerChannelAffine);
  const at::Tensor per_tensor = quantized_weight(levels, {0.5}, 0, false);
  EXPECT_EQ(per_tensor.qscheme(), at::kPerTensorAffine);
  EXPECT_TRUE(at::equal(per_tensor.dequantize(), at::tensor({0.5F, -1.0F, 1.5F, 2.0F}).view({2, 2})));
}

TEST(Weight, RefusesWhatHasNoScale) {
  for (const bool per_channel : {false, true}) {
    const WeightScheme scheme{per_channel, kSigned8, WeightScale::half_of_steps};
    for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      at::Tensor w = weight({20, 252}).clone();
      w[3][5] = value;
      EXPECT_THROW((void)quantize_weight(w, scheme, 0), NotFinite);
    }
    EXPECT_THROW((void)quantize_weight(at::empty({0, 4}), scheme, 0), Error);
  }
}

}  // namespace
}  // namespace fusekit::quantize
