#include "fusekit/ready.h"

#include <ATen/Config.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "bench/module_runner.h"
#include "bench/protocol.h"
#include "fusekit/error.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

class LoadReady : public testing::Test {
 protected:
  LoadReady() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // OpenMP waits for ever for threads that a fork does not copy
    at::manual_seed(2);
    test::save_module(test::make_module("Net", {{"c.weight", at::randn({8, 3, 3, 3})}, {"count", at::zeros({1})}},
                                        "def forward(self, x):\n    self.count += 1\n"
                                        "    return torch.relu(torch.conv2d(x, self.c.weight)) + self.count\n"),
                      counting_);
    test::save_module(
        test::make_module("Net", {{"c.weight", at::randn({8, 3, 3, 3})}},
                          "def forward(self, x):\n    return torch.relu(torch.conv2d(x, self.c.weight))\n"),
        plain_);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path counting_ = folder_ / "counting.pt";
  std::filesystem::path plain_ = folder_ / "plain.pt";
};

bool has_graph_fuser() {
#if __has_include(<torch/csrc/jit/codegen/onednn/interface.h>)
  return at::hasMKLDNN();
#else
  return false;
#endif
}

TEST_F(LoadReady, WarmUpLeavesTheStateAsItWas) {
  const torch::NoGradGuard no_grad;
  torch::jit::Module ready = load_ready(counting_, {.inputs = {.dims = {{1, 3, 8, 8}}}});
  torch::jit::Module fresh = torch::jit::load(counting_.string());
  EXPECT_EQ(ready.attr("count").toTensor().item<double>(), 0);
  const at::Tensor x = at::randn({1, 3, 8, 8});
  EXPECT_TRUE(at::equal(ready.forward({x}).toTensor(), fresh.forward({x}).toTensor()));
}

TEST_F(LoadReady, RefusesInputsThatTheNetworkDoesNotTake) {
  EXPECT_TRUE(test::refuses(ErrorKind::model, "plain.pt can't be run", [&] {
    (void)load_ready(plain_, {.inputs = {.dims = {{1, 5, 8, 8}}}});
  }));
}

/// The pass is the process's: each of these runs in one of its own.
void exit_with_whether_the_graph_fuser_compiles(torch::jit::Module module) {
  const torch::NoGradGuard no_grad;
  for (int run = 0; run < 3; ++run) module.forward({at::ones({1, 3, 8, 8})});
  std::exit(test::has(torch::jit::lastExecutedOptimizedGraph()->toString(false), "oneDNNFusionGroup") ? 0 : 1);
}

TEST_F(LoadReady, TurnsTheGraphFuserOnWhereItIsAskedTo) {
  if (!has_graph_fuser()) {
    EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "no oneDNN Graph fuser", [&] {
      (void)load_ready(plain_, {.inputs = {.dims = {{1, 3, 8, 8}}}, .graph_fuser = true});
    }));
    return;
  }
  const InputOptions inputs{.dims = {{1, 3, 8, 8}}};
  EXPECT_EXIT(exit_with_whether_the_graph_fuser_compiles(load_ready(plain_, {.inputs = inputs})),
              testing::ExitedWithCode(1), "");
  EXPECT_EXIT(exit_with_whether_the_graph_fuser_compiles(load_ready(plain_, {.inputs = inputs, .graph_fuser = true})),
              testing::ExitedWithCode(0), "");
}

TEST_F(LoadReady, BenchTimesItInAWorker) {
  if (!has_graph_fuser()) GTEST_SKIP() << "this LibTorch has no oneDNN Graph fuser";
  bench::Variant variant;
  variant.model = plain_;
  variant.arguments.inputs.dims = {{1, 3, 8, 8}};
  variant.graph_fuser = true;
  EXPECT_EXIT(
      {
        const auto runner = bench::load_runner(bench::variant_of(bench::to_request(variant)));
        for (int run = 0; run < 3; ++run) runner->run();
        std::exit(test::has(torch::jit::lastExecutedOptimizedGraph()->toString(false), "oneDNNFusionGroup") ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(LoadReady, ALibraryTurnsItOnForWhoCannotCallIt) {
  if (!has_graph_fuser()) GTEST_SKIP() << "this LibTorch has no oneDNN Graph fuser";
  EXPECT_EXIT(
      {
        if (dlopen(FUSEKIT_GRAPH_FUSER, RTLD_NOW) == nullptr) std::exit(2);
        torch::jit::Module module = torch::jit::load(plain_.string());
        exit_with_whether_the_graph_fuser_compiles(torch::jit::freeze(module));
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace fusekit
