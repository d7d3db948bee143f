#include "inputs/observed_ranks.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "fusekit/runtime.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

/// Of all tensors in forward, in the graph's order; nullopt: not known.
std::vector<std::optional<std::int64_t>> ranks_in(const std::string& body, const at::Tensor& x) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {}, "def forward(self, x):\n" + body), folder / "net.pt");
  const file::Original original(folder / "net.pt");
  const torch::jit::Method forward = original.module().get_method("forward");
  const auto graph = forward.graph()->copy();
  const auto seen = inputs::observed_ranks(original, *graph, forward.function().getSchema(), {x});
  std::vector<std::optional<std::int64_t>> ranks;
  for (torch::jit::Node* node : graph->nodes())
    for (const torch::jit::Value* value : node->outputs()) {
      if (!value->type()->isSubtypeOf(*c10::TensorType::get()) || node->kind() == c10::prim::Constant) continue;
      const auto found = seen.find(value->unique());
      ranks.push_back(found != seen.end() ? std::optional(found->second) : std::nullopt);
    }
  return ranks;
}

TEST(ObservedRanks, AreThoseOfARun) {
  using Ranks = std::vector<std::optional<std::int64_t>>;
  EXPECT_EQ(ranks_in("    return x.flatten(1).unsqueeze(0)\n", at::ones({2, 3, 4})), (Ranks{2, 3}));
  EXPECT_EQ(ranks_in("    y = x.flatten(0)\n    return y.view(7, 7)\n", at::ones({2, 3})), Ranks(2)) << "does not run";
}

TEST(ObservedRanks, ARunThatExceedsItsLimitsIsToldSo) {
  set_limits({.run_limit = 0.3});
  EXPECT_TRUE(test::refuses(ErrorKind::model, "a run of forward on the given inputs takes longer than 0.3 s", [] {
    ranks_in("    y = x\n    while bool(y.numel() > 0):\n        y = y + 1\n    return y\n", at::ones({2}));
  }));
  set_limits({});
}

}  // namespace
}  // namespace fusekit
