// Networks with a torch.autocast in their code, made by data/autocast/make.py.
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/version.h>

#include "fusekit/fuse.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

/// The reasons of what was left; the written file is verified.
std::vector<ReasonCode> left_in(const std::string& name) {
#if TORCH_VERSION_MAJOR < 2
  return {ReasonCode::under_autocast};  // it can't load the files
#endif
  const test::TemporaryFolder folder;
  Model model = read(test::data("autocast/" + name + ".pt"));
  const FusionReport fusion = fuse(model);
  WriteOptions options;
  options.verify.inputs.dims = {{2, 3, 9, 9}};
  const WriteReport written = write(std::move(model), folder / "out.pt", options);
  EXPECT_TRUE(written.written) << name << ": " << (written.failure() != nullptr ? written.failure()->failure : "");
  std::vector<ReasonCode> reasons;
  for (const FusionSite& site : fusion.entries)
    if (!site.fused) reasons.push_back(site.reason.code);
  return reasons;
}

TEST(Autocast, WhatIsCastAtRunTimeIsLeft) { EXPECT_EQ(left_in("inside"), std::vector{ReasonCode::under_autocast}); }

TEST(Autocast, WhatStandsBehindItIsFolded) { EXPECT_EQ(left_in("behind"), std::vector{ReasonCode::under_autocast}); }

TEST(Autocast, OneThatIsOffCastsNothing) { EXPECT_EQ(left_in("off_inside"), std::vector{ReasonCode::under_autocast}); }

TEST(Autocast, ALayerUnderItStaysFloat) {
#if TORCH_VERSION_MAJOR >= 2
  const test::TemporaryFolder folder;
  QuantizeOptions options;
  options.calibration.random = 4;
  options.calibration.inputs.dims = {{2, 3, 9, 9}};
  Model model = read(test::data("autocast/behind.pt"));
  const QuantizeReport report = to_int8(model, options);
  EXPECT_TRUE(write(std::move(model), folder / "int8.pt").written);
  ASSERT_EQ(report.layers.size(), 2U);
  int cast = 0;
  for (const LayerCost& layer : report.layers) {
    const bool is_cast = layer.reason == Reason(ReasonCode::under_autocast);
    EXPECT_EQ(layer.int8, !is_cast) << layer.path;
    cast += is_cast ? 1 : 0;
  }
  EXPECT_EQ(cast, 1);
#endif
}

}  // namespace
}  // namespace fusekit
