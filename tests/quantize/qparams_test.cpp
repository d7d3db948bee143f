#include "quantize/observe/qparams.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "quantize/qconfig.h"

namespace fusekit::quantize {
namespace {

TEST(QParams, AffineLevelsSpanTheRange) {
  EXPECT_EQ(affine_qparams({-1, 254}, kUnsigned8), (QParams{1, 1}));
  EXPECT_EQ(affine_qparams({-1, 126}, kUnsigned8Reduced), (QParams{1, 1}));
  EXPECT_EQ(affine_qparams({-1, 254}, kSigned8), (QParams{1, -127}));
}

TEST(QParams, AffineRangesAreStretchedToZero) {
  EXPECT_EQ(affine_qparams({10, 255}, kUnsigned8), (QParams{1, 0}));
  EXPECT_EQ(affine_qparams({-255, -10}, kUnsigned8), (QParams{1, 255}));
  EXPECT_EQ(affine_qparams({255, 255}, kUnsigned8), (QParams{1, 0}));
}

TEST(QParams, ZeroPointsOnAHalfGoToTheEvenLevel) {
  EXPECT_EQ(affine_qparams({-2.5, 252.5}, kUnsigned8).zero_point, 2);
  EXPECT_EQ(affine_qparams({-3.5, 251.5}, kUnsigned8).zero_point, 4);
}

TEST(QParams, NoScaleIsSmallerThanEpsilon) {
  EXPECT_EQ(affine_qparams({0, 0}, kUnsigned8), (QParams{kSmallestScale, 0}));
  EXPECT_EQ(affine_qparams({-0.0, -0.0}, kUnsigned8), (QParams{kSmallestScale, 0}));
  EXPECT_EQ(affine_qparams({-1e-12, 1e-12}, kUnsigned8), (QParams{kSmallestScale, 0}));
  EXPECT_EQ(symmetric_qparams({0, 0}, kSigned8), (QParams{kSmallestScale, 0}));
}

TEST(QParams, SymmetricScalesComeFromTheLargestMagnitude) {
  EXPECT_EQ(symmetric_qparams({-255, 1}, kSigned8), (QParams{2, 0}));
  EXPECT_EQ(symmetric_qparams({-1, 255}, kSigned8), (QParams{2, 0}));
  EXPECT_EQ(symmetric_qparams({-1, 254}, kSigned8Narrow), (QParams{2, 0}));
  EXPECT_EQ(symmetric_qparams({-255, 1}, kUnsigned8), (QParams{2, 128}));
  EXPECT_EQ(symmetric_qparams({-127, 1}, kUnsigned8Reduced), (QParams{2, 64}));
}

TEST(QConfig, PyTorchsAreAsTheRecipeGivesThem) {
  const QConfig qnnpack = qconfig(Qconfig::qnnpack);
  EXPECT_EQ(qnnpack.activation, ObserverKind::histogram);
  EXPECT_EQ(qnnpack.activation_levels, (Levels{0, 255}));
  EXPECT_FALSE(qnnpack.weight.per_channel);
  for (const Qconfig name : {Qconfig::x86, Qconfig::fbgemm}) {
    const QConfig config = qconfig(name);
    EXPECT_EQ(config.name, name);
    EXPECT_EQ(config.activation, ObserverKind::histogram);
    EXPECT_EQ(config.activation_levels, (Levels{0, 127}));
    EXPECT_TRUE(config.weight.per_channel);
  }
  for (const Qconfig name : {Qconfig::qnnpack, Qconfig::x86, Qconfig::fbgemm}) {
    EXPECT_EQ(qconfig(name).weight.levels, (Levels{-128, 127}));
    EXPECT_EQ(qconfig(name).weight.scale, WeightScale::half_of_steps);
  }
}

TEST(QConfig, OursDifferInTheirActivationsLevelsOnly) {
  const QConfig full = qconfig(Qconfig::full);
  const QConfig reduced = qconfig(Qconfig::reduced);
  EXPECT_EQ(full.activation_levels, (Levels{0, 255}));
  EXPECT_EQ(reduced.activation_levels, (Levels{0, 127}));
  for (const QConfig& config : {full, reduced}) {
    EXPECT_EQ(config.activation, ObserverKind::squared_error);
    EXPECT_TRUE(config.weight.per_channel);
    EXPECT_EQ(config.weight.levels, (Levels{-127, 127}));
    EXPECT_EQ(config.weight.scale, WeightScale::highest_level);
  }
}

TEST(QuantizeNames, GoToTextAndBack) {
  for (const char* name : {"auto", "qnnpack", "x86", "fbgemm", "full", "reduced"})
    EXPECT_EQ(to_string(parse_qconfig(name)), name);
  for (const char* name : {"nearest", "corrected", "learned"}) EXPECT_EQ(to_string(parse_rounding(name)), name);
  EXPECT_EQ(parse_qconfig("x86"), Qconfig::x86);
  EXPECT_EQ(parse_rounding("corrected"), Rounding::corrected);
  EXPECT_THROW((void)parse_rounding("up"), Error);
}

TEST(QuantizeNames, UnknownOnesAreRefusedWithThoseThatThereAre) {
  try {
    (void)parse_qconfig("tensorrt");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(error.message(), "there is no qconfig 'tensorrt'");
    EXPECT_EQ(error.hint(), "one of auto, qnnpack, x86, fbgemm, full, reduced");
  }
}

}  // namespace
}  // namespace fusekit::quantize
