#include "quantize/observe/observer.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "fusekit/error.h"
#include "quantize/made_up_data.h"
#include "quantize/observe/histogram.h"
#include "quantize/observe/range_search.h"

namespace fusekit::quantize {
namespace {

using test::heavy;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

at::Tensor row(std::initializer_list<float> values) { return at::tensor(std::vector<float>(values)); }

std::unique_ptr<Observer> observed(ObserverKind kind, const std::vector<at::Tensor>& samples,
                                   const ObserverOptions& options = {}) {
  auto observer = make_observer(kind, options);
  for (const at::Tensor& sample : samples) observer->observe(sample);
  return observer;
}

/// What holds for every kind.
constexpr std::array kKinds = {ObserverKind::min_max,    ObserverKind::moving_average, ObserverKind::histogram,
                               ObserverKind::percentile, ObserverKind::entropy,        ObserverKind::squared_error};

class EveryObserver : public testing::TestWithParam<ObserverKind> {};

TEST_P(EveryObserver, IsEmptyUntilItHasSeenAnElement) {
  const auto observer = make_observer(GetParam());
  EXPECT_TRUE(observer->empty());
  observer->observe(at::empty({0, 3}));
  EXPECT_TRUE(observer->empty());
  EXPECT_THROW((void)observer->range(), Error);
  EXPECT_THROW((void)observer->chosen_range(kUnsigned8), Error);
  EXPECT_THROW((void)observer->qparams(kUnsigned8), Error);
  observer->observe(row({1}));
  EXPECT_FALSE(observer->empty());
}

TEST_P(EveryObserver, SamplesWithoutElementsChangeNothing) {
  const auto with = observed(GetParam(), {heavy(0), at::empty({0}), heavy(1)});
  const auto without = observed(GetParam(), {heavy(0), heavy(1)});
  EXPECT_EQ(with->qparams(kUnsigned8), without->qparams(kUnsigned8));
}

TEST_P(EveryObserver, RefusesWhatIsNotFiniteAndLearnsNothingFromIt) {
  const auto observer = observed(GetParam(), {heavy(0)});
  const QParams before = observer->qparams(kUnsigned8);
  for (const float value : {kNaN, kInfinity, -kInfinity}) {
    at::Tensor bad = heavy(1) * 100;
    bad[4321] = value;
    try {
      observer->observe(bad);
      ADD_FAILURE() << value << " was accepted";
    } catch (const NotFinite& refusal) {
      EXPECT_EQ(refusal.is_nan(), std::isnan(value));
      EXPECT_STREQ(refusal.what(), std::isnan(value) ? "NaN" : "an infinity");
    }
  }
  EXPECT_EQ(observer->qparams(kUnsigned8), before);
  EXPECT_EQ(observer->range(), observed(GetParam(), {heavy(0)})->range());
}

TEST_P(EveryObserver, TellsTheWholeRangeWhateverItChooses) {
  const auto observer = observed(GetParam(), {heavy(0), row({-50, 3}), heavy(1), row({70})});
  EXPECT_EQ(observer->range(), (Range{-50, 70}));
}

TEST_P(EveryObserver, DoesNotMindShapesAndStrides) {
  const at::Tensor x = heavy(0, 4800);
  const QParams expected = observed(GetParam(), {x})->qparams(kUnsigned8);
  const at::Tensor image = x.view({2, 6, 20, 20});
  at::Tensor spaced = at::full({4800, 2}, 1e6);
  spaced.select(1, 0).copy_(x);
  for (const at::Tensor& other :
       {image, image.contiguous(at::MemoryFormat::ChannelsLast), image.transpose(1, 3), spaced.select(1, 0)}) {
    EXPECT_EQ(observed(GetParam(), {other})->qparams(kUnsigned8), expected);
  }
  // a broadcast one counts each element as often as it is read
  EXPECT_EQ(observed(GetParam(), {x.expand({3, 4800})})->qparams(kUnsigned8),
            observed(GetParam(), {x.repeat({3, 1})})->qparams(kUnsigned8));
}

TEST_P(EveryObserver, TakesOtherFloatingPointTypes) {
  const at::Tensor x = heavy(0).to(at::kBFloat16);
  EXPECT_EQ(observed(GetParam(), {x})->qparams(kUnsigned8),
            observed(GetParam(), {x.to(at::kFloat)})->qparams(kUnsigned8));
}

TEST_P(EveryObserver, ConstantActivationsGetAScaleThatHoldsThem) {
  for (const float value : {2.5F, -3.0F}) {
    const auto observer = observed(GetParam(), {at::full({100}, value), at::full({7}, value)});
    const QParams qparams = observer->qparams(kUnsigned8);
    EXPECT_FLOAT_EQ(qparams.scale, std::abs(value) / 255);
    EXPECT_EQ(qparams.zero_point, value < 0 ? 255 : 0);
  }
}

TEST_P(EveryObserver, ZerosOfEitherSignGetTheSmallestScale) {
  for (const float value : {0.0F, -0.0F}) {
    EXPECT_EQ(observed(GetParam(), {at::full({100}, value)})->qparams(kUnsigned8), (QParams{kSmallestScale, 0}));
  }
}

TEST_P(EveryObserver, OneSidedActivationsUseAllLevelsOnTheirSide) {
  EXPECT_EQ(observed(GetParam(), {heavy(0).abs() + 1})->qparams(kUnsigned8).zero_point, 0);
  EXPECT_EQ(observed(GetParam(), {-heavy(0).abs() - 1})->qparams(kUnsigned8).zero_point, 255);
}

TEST_P(EveryObserver, KeepsMostOfTheRangeOfEvenData) {
  const Range range = observed(GetParam(), {test::even(0), test::even(1)})->chosen_range(kUnsigned8);
  EXPECT_NEAR(range.min, -1, 0.02);
  EXPECT_NEAR(range.max, 1, 0.02);
}

TEST_P(EveryObserver, HasAName) { EXPECT_EQ(parse_observer(to_string(GetParam())), GetParam()); }

INSTANTIATE_TEST_SUITE_P(Kinds, EveryObserver, testing::ValuesIn(kKinds), [](const auto& kind) {
  std::string name = to_string(kind.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(MinMaxObserver, KeepsAllThatWasSeen) {
  const auto observer = observed(ObserverKind::min_max, {row({1, 2}), row({-3}), row({0, 9, 4})});
  EXPECT_EQ(observer->chosen_range(kUnsigned8), (Range{-3, 9}));
}

TEST(MovingAverageObserver, WeighsEachNewSample) {
  const auto observer =
      observed(ObserverKind::moving_average, {row({-8, 8}), row({0, 16}), row({0, 0})}, {.averaging = 0.25});
  EXPECT_EQ(observer->chosen_range(kUnsigned8), (Range{-4.5, 7.5}));
  EXPECT_EQ(observer->range(), (Range{-8, 16}));
}

TEST(PercentileObserver, CutsItsShareOffOnBothSides) {
  const auto observer = observed(ObserverKind::percentile, {at::arange(0, 10000, at::kFloat)}, {.percentile = 90});
  EXPECT_NEAR(observer->chosen_range(kUnsigned8).min, 500, 10);
  EXPECT_NEAR(observer->chosen_range(kUnsigned8).max, 9500, 10);
}

TEST(Observers, SomeClipOutliersAndSomeDoNot) {
  const std::vector<at::Tensor> samples{heavy(0, 200000), row({-1000, 1000})};
  for (const ObserverKind kind : {ObserverKind::percentile, ObserverKind::entropy, ObserverKind::squared_error}) {
    EXPECT_LT(observed(kind, samples)->chosen_range(kUnsigned8).max, 900) << to_string(kind);
  }
  EXPECT_EQ(observed(ObserverKind::min_max, samples)->chosen_range(kUnsigned8).max, 1000);
}

TEST(Observers, UnknownNamesAndWrongOptionsAreRefused) {
  EXPECT_THROW((void)parse_observer("histo"), Error);
  for (const double averaging : {0.0, -1.0, 1.5}) {
    EXPECT_THROW((void)make_observer(ObserverKind::moving_average, {.averaging = averaging}), Error);
  }
  for (const double percentile : {0.0, -1.0, 100.5}) {
    EXPECT_THROW((void)make_observer(ObserverKind::percentile, {.percentile = percentile}), Error);
  }
  EXPECT_NO_THROW((void)make_observer(ObserverKind::percentile, {.percentile = 100}));
}

// 96 channels side by side in memory, one of which reaches far: whoever looks at every twelfth value never sees it.
TEST(Observer, OfSquaredErrorSeesEveryChannelOfALargeTensor) {
  at::manual_seed(5);
  at::Tensor x = at::randn({1, 96, 64, 64}).contiguous(at::MemoryFormat::ChannelsLast);
  x.select(1, 5).mul_(20);
  const auto observer = make_observer(ObserverKind::squared_error);
  observer->observe(x);
  Histogram all;
  all.add(x.contiguous().view(-1), observer->range());
  const Range wanted = least_squared_error(all, kUnsigned8);
  const Range chosen = observer->chosen_range(kUnsigned8);
  EXPECT_NEAR(chosen.max, wanted.max, 0.2 * wanted.max);
  EXPECT_NEAR(chosen.min, wanted.min, -0.2 * wanted.min);
}

}  // namespace
}  // namespace fusekit::quantize
