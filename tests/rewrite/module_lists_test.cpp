#include "rewrite/module_lists.h"

#include <gtest/gtest.h>

#include "support/module.h"
#include "support/refusal.h"

namespace fusekit {
namespace {

using rewrite::ModuleLists;

torch::jit::Module nested() {
  return test::make_module("Net", {{"layer1.0.conv1.weight", at::ones({1})}, {"layer1.0.bn1.weight", at::ones({1})}},
                           "def forward(self, x):\n    return x\n");
}

TEST(ModuleLists, OneOfNoModuleIsRefusedWithTheNearestPath) {
  const auto hint = [](const std::string& path) { return rewrite::hint_for_unknown(path, nested()); };
  EXPECT_EQ(hint("layer1.0.con1"), "did you mean layer1.0.conv1? fusekit::inspect lists the modules");
  EXPECT_EQ(hint("bn1"), "did you mean layer1.0.bn1? fusekit::inspect lists the modules") << "somewhere below";
  EXPECT_EQ(hint("classifier"),
            "it has layer1, layer1.0, layer1.0.bn1, layer1.0.conv1; fusekit::inspect lists the modules");
  EXPECT_TRUE(test::refuses(ErrorKind::usage, "FuseOptions::modules = a,b: the network has no such modules", [] {
    ModuleLists({{"layer1.0.conv1"}, {"a", "b"}}).refuse_unknown(nested());
  }));
  EXPECT_NO_THROW(ModuleLists({{"layer1.0.conv1", "b"}, {"layer1"}, {}}).refuse_unknown(nested()));
}

}  // namespace
}  // namespace fusekit
