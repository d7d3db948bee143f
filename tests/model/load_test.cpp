#include "model/load.h"

#include <gtest/gtest.h>

#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

TEST(Load, GivesTheModuleBack) {
  const test::TemporaryFolder folder;
  auto module = test::make_module("Scale", {{"weight", torch::full({1}, 3.0)}},
                                  "def forward(self, x):\n    return x * self.weight\n");
  test::save_module(module, folder / "scale.pt");
  auto loaded = model::load(folder / "scale.pt").module;
  EXPECT_EQ(loaded.forward({torch::ones({2})}).toTensor().sum().item<float>(), 6.0F);
}

}  // namespace
}  // namespace fusekit
