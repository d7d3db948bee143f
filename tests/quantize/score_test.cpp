// How int8 networks are judged, and which layers go back to float.
#include "quantize/score.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "ir/model_parts.h"
#include "quantize/fallback.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::quantize {
namespace {

ir::Program program_of(const std::string& body) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {}, "def forward(self, x):\n" + body), folder / "net.pt");
  const Model model = read(folder / "net.pt");
  return ir::copy_of(ModelParts::of(model).program);
}

Built built_of(const std::string& body) {
  Built built;
  built.program = program_of(body);
  return built;
}

/// A judge whose float network gives its input back, doubled.
class JudgedNetwork : public ::testing::Test {
 protected:
  JudgedNetwork() : program_(program_of("    y = x * 2\n    return y + 0\n")), numbers_(forward()) {
    observed_.program = &program_;
    observed_.numbers = &numbers_;
  }

  Graph& forward() { return *program_.methods.front().graph; }
  Judge judge(const std::vector<at::Tensor>& samples) {
    std::vector<Sample> list;
    for (const at::Tensor& sample : samples) list.push_back({"sample", {sample}});
    return {observed_, list};
  }

  ir::Program program_;
  Numbering numbers_;
  Observed observed_;
};

TEST_F(JudgedNetwork, TheWorstSampleIsThatWithTheLeastSqnr) {
  const Built built = built_of("    return x * 2 + 0.02\n");
  for (const bool worst_first : {true, false}) {
    const at::Tensor small = at::ones({4});
    const at::Tensor large = small * 100;
    const Score score = judge(worst_first ? std::vector{small, large} : std::vector{large, small}).score(built);
    EXPECT_NEAR(score.worst_sqnr_db, 40, 0.01);
    EXPECT_NEAR(score.whole.sqnr_db, 77, 0.1) << "over all samples";
  }
}

TEST_F(JudgedNetwork, TimesSayHowManyTimesAsLongTheFirstTakes) {
  const Built slow = built_of("    for i in range(100):\n        x = torch.tanh(torch.mm(x, x))\n    return x\n");
  const Built fast = built_of("    return torch.tanh(x)\n");
  const Judge judge = this->judge({at::ones({64, 64})});
  EXPECT_GT(judge.relative_time(slow, fast), 3);
  EXPECT_LT(judge.relative_time(fast, slow), 1.0 / 3);
}

/// Two layers, the first of which does more harm when it alone is int8.
class FallbackSearch : public JudgedNetwork {
 protected:
  FallbackSearch() {
    for (const Node* node : forward().nodes())
      if (node->kind().is_aten()) layers_.push_back(node);
  }

  /// `needed`: the layers that have to be float.
  Fallback find(const std::set<const Node*>& needed) {
    std::set<const Node*> floats;
    const std::function<Built(const std::function<Reason(const Node*)>&)> build = [&](const auto& keep_float) {
      floats.clear();
      for (const Node* node : layers_)
        if (keep_float(node)) floats.insert(node);
      return built_of(floats.count(layers_[0]) > 0 ? "    return x * 2.001\n" : "    return x * 2.1\n");
    };
    const std::function<bool(const Score&)> holds = [&](const Score&) {
      return std::includes(floats.begin(), floats.end(), needed.begin(), needed.end());
    };
    return find_fallback(build, layers_, judge({at::ones({4})}), holds, nullptr);
  }

  std::vector<const Node*> layers_;
};

TEST_F(FallbackSearch, WhatTurnsOutToBeUnneededGoesBackToInt8) {
  ASSERT_EQ(layers_.size(), 2U);
  const Fallback fallback = find({layers_[1]});
  EXPECT_TRUE(fallback.holds);
  EXPECT_LT(fallback.alone_db.at(layers_[0]), fallback.alone_db.at(layers_[1]));
  EXPECT_EQ(fallback.floats, std::set<const Node*>{layers_[1]});
}

TEST_F(FallbackSearch, WhereNotEvenAllSufficeItSaysSo) {
  const Fallback fallback = find({nullptr});
  EXPECT_FALSE(fallback.holds);
  EXPECT_EQ(fallback.floats.size(), 2U);
}

TEST_F(FallbackSearch, WhereTheBoundHoldsNoneGoesBack) {
  const Fallback fallback = find({});
  EXPECT_TRUE(fallback.holds);
  EXPECT_TRUE(fallback.floats.empty());
}

}  // namespace
}  // namespace fusekit::quantize
