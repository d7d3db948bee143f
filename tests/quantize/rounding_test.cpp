#include "quantize/weights/rounding.h"

#include <gtest/gtest.h>

#include <limits>

#include "fusekit/error.h"
#include "quantize/weights/cholesky.h"

namespace fusekit::quantize {
namespace {

struct Layer {
  at::Tensor weight;  ///< [groups, out / groups, in]
  at::Tensor second;
  std::vector<double> scales;
};

/// The second moment of inputs like those after a ReLU: correlated, with a spectrum that falls fast, and not centred.
at::Tensor correlated_moment(std::int64_t groups, std::int64_t in, std::int64_t rows = 400) {
  const at::Tensor spectrum = 1 / (1 + at::arange(in, at::kFloat).view({1, in, 1}) / 4);
  const at::Tensor mix = spectrum * at::randn({groups, in, in}) / std::sqrt(static_cast<double>(in));
  const at::Tensor x = at::randn({groups, rows, in}).matmul(mix).relu();
  return x.transpose(1, 2).matmul(x) / static_cast<double>(rows);
}

std::vector<double> largest_over(const at::Tensor& weight, double steps) {
  const at::Tensor scales = (weight.abs().amax(2) / steps).flatten().to(at::kDouble).contiguous();
  return {scales.data_ptr<double>(), scales.data_ptr<double>() + scales.numel()};
}

Layer layer(std::int64_t groups, std::int64_t out, std::int64_t in, int seed) {
  at::manual_seed(seed);
  const at::Tensor weight = at::randn({groups, out, in});
  return {weight, correlated_moment(groups, in), largest_over(weight, 127)};
}

at::Tensor nearest(const Layer& layer, Levels levels = kSigned8) {
  return nearest_levels(layer.weight.flatten(0, 1), layer.scales, 0, levels).view_as(layer.weight);
}

at::Tensor errors(const Layer& layer, const at::Tensor& levels) {
  return output_errors(layer.weight, dequantized_weight(levels, layer.scales), layer.second);
}

double sum_of(const at::Tensor& tensor) { return tensor.sum().item<double>(); }

TEST(RoundWeight, IsNearestWhereInputsAreIndependentAndAlike) {
  Layer l = layer(2, 10, 300, 1);
  l.second = at::eye(300).expand({2, 300, 300});
  EXPECT_TRUE(at::equal(round_weight(l.weight, l.second, l.scales), nearest(l)));
  l.second = at::diag(at::rand({300}) + 0.1).expand({2, 300, 300});
  EXPECT_TRUE(at::equal(round_weight(l.weight, l.second, l.scales), nearest(l)));
}

TEST(RoundWeight, NoRowIsWorseThanNearestAndAllTogetherAreFarBetter) {
  int seed = 0;
  for (const auto& [groups, out, in] :
       std::vector<std::array<std::int64_t, 3>>{{1, 32, 300}, {1, 1, 64}, {4, 8, 72}, {50, 1, 9}, {3, 5, 1}}) {
    SCOPED_TRACE(fmt::format("{} groups, {} rows, {} columns", groups, out, in));
    const Layer l = layer(groups, out, in, ++seed);
    const at::Tensor before = errors(l, nearest(l));
    for (const bool largest_first : {false, true}) {
      for (const int sweeps : {0, 10}) {
        const at::Tensor levels =
            round_weight(l.weight, l.second, l.scales, {.largest_first = largest_first, .sweeps = sweeps});
        EXPECT_EQ(levels.scalar_type(), at::kChar);
        const at::Tensor after = errors(l, levels);
        EXPECT_TRUE((after <= before).all().item<bool>());
        EXPECT_LE(sum_of(after), (in > 64 ? 0.5 : in > 1 ? 0.9 : 1) * sum_of(before));
      }
    }
  }
}

TEST(RoundWeight, SweepsLowerTheErrorOrLeaveIt) {
  const Layer l = layer(1, 40, 200, 11);
  const at::Tensor without = errors(l, round_weight(l.weight, l.second, l.scales, {.sweeps = 0}));
  const at::Tensor with = errors(l, round_weight(l.weight, l.second, l.scales));
  EXPECT_TRUE((with <= without).all().item<bool>());
  EXPECT_LT(sum_of(with), 0.995 * sum_of(without));
}

/// The least error of a row of `n` weights over all levels within one of the nearest.
double least_of_all(const at::Tensor& weight, const at::Tensor& second, double scale, Levels levels) {
  const std::int64_t n = weight.numel();
  const at::Tensor w = weight.to(at::kDouble);
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t code = 0; code < static_cast<std::int64_t>(std::pow(3, n)); ++code) {
    at::Tensor q = (w / scale).round();
    std::int64_t rest = code;
    for (std::int64_t i = 0; i < n; ++i, rest /= 3) q[i] += static_cast<double>(rest % 3 - 1);
    const at::Tensor e = w - q.clamp(levels.low, levels.high) * scale;
    least = std::min(least, e.matmul(second.to(at::kDouble)).dot(e).item<double>());
  }
  return least;
}

TEST(RoundWeight, IsNearTheBestOfAllLevelsOfATinyProblem) {
  double found = 0;
  double best = 0;
  double simple = 0;
  for (int seed = 0; seed < 10; ++seed) {
    const Layer l = layer(1, 1, 5, 100 + seed);
    found += sum_of(errors(l, round_weight(l.weight, l.second, l.scales)));
    simple += sum_of(errors(l, nearest(l)));
    const double least = least_of_all(l.weight.flatten(), l.second[0], l.scales[0], kSigned8);
    EXPECT_GE(sum_of(errors(l, round_weight(l.weight, l.second, l.scales))), 0.9999 * least);
    best += least;
  }
  EXPECT_LT(found, 1.15 * best);
  EXPECT_GT(simple, 1.3 * best);
}

TEST(RoundWeight, KeepsToItsLevels) {
  Layer l = layer(1, 16, 100, 21);
  for (double& scale : l.scales) scale /= 3;  // so that many are clipped
  const Levels few{-7, 7};
  const at::Tensor levels = round_weight(l.weight, l.second, l.scales, {.levels = few});
  EXPECT_EQ(levels.max().item<std::int64_t>(), 7);
  EXPECT_EQ(levels.min().item<std::int64_t>(), -7);
  EXPECT_TRUE((errors(l, levels) <= errors(l, nearest(l, few))).all().item<bool>());
}

TEST(RoundWeight, DeadInputsAreRoundedToNearest) {
  Layer l = layer(2, 8, 40, 31);
  for (const int dead : {0, 17, 39}) {
    l.second.select(1, dead).zero_();
    l.second.select(2, dead).zero_();
  }
  const at::Tensor levels = round_weight(l.weight, l.second, l.scales);
  for (const int dead : {0, 17, 39}) EXPECT_TRUE(at::equal(levels.select(2, dead), nearest(l).select(2, dead)));
  EXPECT_LT(sum_of(errors(l, levels)), 0.6 * sum_of(errors(l, nearest(l))));
  // none alive: nothing was learned
  EXPECT_TRUE(at::equal(round_weight(l.weight, at::zeros_like(l.second), l.scales), nearest(l)));
}

TEST(RoundWeight, FewerRowsThanInputsAreEnough) {
  Layer l = layer(1, 8, 200, 41);
  l.second = correlated_moment(1, 200, 20);
  const at::Tensor levels = round_weight(l.weight, l.second, l.scales);
  EXPECT_LT(sum_of(errors(l, levels)), 0.2 * sum_of(errors(l, nearest(l))));
  // damping keeps the weights themselves near
  EXPECT_LT((dequantized_weight(levels, l.scales) - l.weight).abs().max().item<float>(), 0.1);
}

TEST(RoundWeight, OneScaleServesAllRowsAndDeadChannelsStayZero) {
  Layer l = layer(2, 4, 30, 51);
  l.weight[1][2].zero_();
  l.scales = {l.weight.abs().max().item<float>() / 127.0};
  const at::Tensor levels = round_weight(l.weight, l.second, l.scales);
  EXPECT_EQ(levels[1][2].abs().max().item<std::int64_t>(), 0);
  EXPECT_LT(sum_of(errors(l, levels)), sum_of(errors(l, nearest(l))));
}

TEST(RoundWeight, IsRepeatable) {
  const Layer l = layer(3, 40, 150, 61);
  const at::Tensor once = round_weight(l.weight, l.second, l.scales);
  EXPECT_TRUE(at::equal(round_weight(l.weight, l.second, l.scales), once));
}

TEST(RoundWeight, RefusesShapesThatDoNotFit) {
  const Layer l = layer(2, 4, 30, 71);
  EXPECT_THROW((void)round_weight(l.weight, l.second.slice(0, 0, 1), l.scales), Error);
  EXPECT_THROW((void)round_weight(l.weight, l.second.slice(1, 0, 9), l.scales), Error);
  EXPECT_THROW((void)round_weight(l.weight[0], l.second, l.scales), Error);
  EXPECT_THROW((void)round_weight(l.weight, l.second, {1, 2, 3}), Error);
}

TEST(Cholesky, GivesAnUpperFactorOfTheDampedMoment) {
  at::manual_seed(5);
  const at::Tensor second = correlated_moment(3, 20);
  const at::Tensor factor = upper_factor(second, 0.01);
  EXPECT_TRUE(at::equal(factor, factor.triu()));
  EXPECT_TRUE(at::allclose(factor.matmul(factor.transpose(1, 2)), damped(second, 0.01), 1e-4, 1e-5));
  const at::Tensor mean = second.diagonal(0, 1, 2).mean(1);
  EXPECT_TRUE(at::allclose(damped(second, 0.01).diagonal(0, 1, 2) - second.diagonal(0, 1, 2),
                           (0.01 * mean).unsqueeze(1).expand({3, 20}), 1e-3, 1e-6));
}

TEST(Cholesky, DampsMoreWhereThatIsNotEnoughAndRefusesWhatIsNoMoment) {
  EXPECT_NO_THROW((void)upper_factor(at::ones({1, 50, 50}), 0));
  EXPECT_THROW((void)upper_factor(at::full({1, 4, 4}, std::nanf("")), 0.01), Error);
}

TEST(AdaptedWeight, IsTheWeightItselfWhereNothingIsLacking) {
  const Layer l = layer(2, 6, 20, 81);
  EXPECT_TRUE(at::equal(adapted_weight(l.weight, l.second, at::zeros_like(l.weight)), l.weight));
}

TEST(AdaptedWeight, MakesUpForWhatAnEarlierLayerDidToTheInputs) {
  at::manual_seed(91);
  const at::Tensor y = at::randn({1, 500, 12});
  const at::Tensor x = y * (1 + 0.3 * at::rand({12})) + 0.1 * at::randn({1, 500, 12});
  const at::Tensor weight = at::randn({1, 7, 12});
  const at::Tensor second = x.transpose(1, 2).matmul(x) / 500;
  const at::Tensor residual = (y - x).matmul(weight.transpose(1, 2)).transpose(1, 2).matmul(x) / 500;
  const auto loss = [&](const at::Tensor& w) {
    return (y.matmul(weight.transpose(1, 2)) - x.matmul(w.transpose(1, 2))).square().sum().item<double>();
  };
  const at::Tensor adapted = adapted_weight(weight, second, residual, 1e-6);
  EXPECT_LT(loss(adapted), 0.5 * loss(weight));
  for (int i = 0; i < 20; ++i) EXPECT_LE(loss(adapted), loss(adapted + 0.01 * at::randn_like(adapted)) * 1.0001);
  // more damping holds it nearer to the weight
  EXPECT_LT((adapted_weight(weight, second, residual, 10) - weight).norm().item<float>(),
            0.5 * (adapted - weight).norm().item<float>());
}

TEST(AdaptedWeight, LeavesWeightsOfDeadInputs) {
  Layer l = layer(1, 6, 20, 95);
  l.second.select(1, 3).zero_();
  l.second.select(2, 3).zero_();
  const at::Tensor adapted = adapted_weight(l.weight, l.second, -0.1 * l.weight.matmul(l.second));
  EXPECT_TRUE(at::equal(adapted.select(2, 3), l.weight.select(2, 3)));
  EXPECT_FALSE(at::allclose(adapted.select(2, 4), l.weight.select(2, 4), 1e-3, 1e-3));
}

TEST(SearchScales, LowersTheErrorOfEachRowAndNeverRaisesIt) {
  Layer l = layer(2, 10, 200, 85);
  l.weight = l.weight.pow(3);
  const Levels few{-7, 7};
  const std::vector<double> start = largest_over(l.weight, 7);
  const at::Tensor identity = at::eye(200).expand({2, 200, 200});
  const at::Tensor power = at::diag_embed(l.second.diagonal(0, 1, 2));
  for (const bool weighed : {false, true}) {
    const std::vector<double> found = search_scales(l.weight, start, few, weighed ? l.second : at::Tensor());
    const auto error = [&](const std::vector<double>& scales) {
      const Layer with{l.weight, weighed ? power : identity, scales};
      return errors(with, nearest(with, few));
    };
    EXPECT_TRUE((error(found) <= error(start) * 1.00001).all().item<bool>());
    EXPECT_LT(sum_of(error(found)), 0.9 * sum_of(error(start)));
  }
}

TEST(SearchScales, KeepsTheWholeRangeWhereClippingCostsMore) {
  const at::Tensor even = at::linspace(-1, 1, 2001).expand({1, 2, 2001});
  const std::vector<double> start = largest_over(even, 127);
  const std::vector<double> found = search_scales(even, start, kSigned8);
  for (std::size_t row = 0; row < start.size(); ++row) EXPECT_NEAR(found[row], start[row], 0.02 * start[row]);
}

TEST(SearchScales, OneForAllStaysOne) {
  const Layer l = layer(2, 10, 50, 86);
  const std::vector<double> found =
      search_scales(l.weight.pow(3), {l.weight.pow(3).abs().max().item<float>() / 7.0}, {-7, 7});
  ASSERT_EQ(found.size(), 1);
  EXPECT_GE(search_scales(at::zeros({1, 2, 3}), {kSmallestScale}, kSigned8).front(), kSmallestScale);
}

}  // namespace
}  // namespace fusekit::quantize
