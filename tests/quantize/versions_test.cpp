// Int8 files that FuseKit wrote on LibTorch 2.13 and on 1.13 (data/int8/make.py), in whichever of them this is.
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/engine.h"
#include "fusekit/model.h"
#include "support/text.h"

namespace fusekit {
namespace {

class Int8FileOf : public testing::TestWithParam<const char*> {
 protected:
  ~Int8FileOf() override { at::globalContext().setQEngine(before_); }
  [[nodiscard]] static std::filesystem::path file() { return test::data(std::string("int8/by_") + GetParam() + ".pt"); }

 private:
  at::QEngine before_ = at::globalContext().qEngine();
};

TEST_P(Int8FileOf, RunsHereUnderEveryEngine) {
  const torch::NoGradGuard no_grad;
  at::manual_seed(1);
  const at::Tensor x = at::randn({4, 3, 16, 16});
  const at::Tensor truth = torch::jit::load(test::data("int8/float.pt").string()).forward({x}).toTensor();
  for (const std::string& engine : quantized_engines()) {
    apply({.threads = 0, .engine = engine});
    torch::jit::Module module = torch::jit::load(file().string());
    for (int run = 0; run < 3; ++run) {
      const at::Tensor noise = module.forward({x}).toTensor() - truth;
      const double sqnr_db = 10 * std::log10((truth.square().sum() / noise.square().sum()).item<double>());
      // 43 dB when it was written. These engines saturate without VNNI, which the qconfig qnnpack does not mind.
      EXPECT_GT(sqnr_db, saturates(engine, engine_facts()) ? 10 : 35) << engine << ", run " << run;
    }
  }
}

TEST_P(Int8FileOf, IsReadAndKnownForWhatItIs) {
  const Model model = read(file());
  EXPECT_EQ(model.name(), "Net");
  const auto facts = int8_facts(file());
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->full_range, true);
  EXPECT_EQ(facts->against_qnnpack, "");
  EXPECT_FALSE(int8_facts(test::data("int8/float.pt")));
}

INSTANTIATE_TEST_SUITE_P(LibTorch, Int8FileOf, testing::Values("1.13", "2.13"),
                         [](const auto& info) { return std::string(info.param[0] == '1' ? "1_13" : "2_13"); });

}  // namespace
}  // namespace fusekit
