// Lowering: what a written file runs.
#include <gtest/gtest.h>
#include <torch/csrc/jit/testing/file_check.h>

#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/lower.h"
#include "ir/program.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

using torch::jit::testing::FileCheck;

class Portable : public testing::Test {
 protected:
  Model network(const std::string& body) {
    test::save_module(
        test::make_module("Net", {{"c.weight", torch::randn({4, 3, 3, 3})}}, "def forward(self, x):\n" + body),
        folder_ / "in.pt");
    return read(folder_ / "in.pt");
  }

  static std::string text(const Model& model) {
    return model.to_module().get_method("forward").graph()->toString(false);
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Portable, AGroupsActivationWorksInPlaceOnlyWhenTheNetworkIsLowered) {
  Model model = network("  return torch.relu(torch.conv2d(x, self.c.weight))\n");
  fuse(model);
  FileCheck().check("aten::relu(")->run(text(model));
  lower(model);
  FileCheck().check("aten::relu_(")->run(text(model));
  lower(model);  // once is enough
  FileCheck().check_count("aten::relu_(", 1, /*exactly=*/true)->run(text(model));
}

TEST_F(Portable, WhatIsInNoGroupStaysAsItWas) {
  Model model = network("  y = torch.conv2d(x, self.c.weight)\n  return torch.sigmoid(torch.relu(y) + y)\n");
  fuse(model);
  lower(model);
  FileCheck().check("aten::relu(")->check("aten::sigmoid(")->run(text(model));
}

TEST_F(Portable, AFileThatWorkedInPlaceIsReadFunctionalAndWrittenInPlace) {
  Model model = network("  y = torch.conv2d(x, self.c.weight)\n  y.mul_(2)\n  return y.sigmoid_()\n");
  FileCheck().check("aten::mul(")->check("aten::sigmoid(")->run(text(model));
  lower(model);
  FileCheck().check("aten::mul_(")->check("aten::sigmoid_(")->run(text(model));
}

TEST_F(Portable, AnUnknownTargetNamesThoseThereAre) {
  Model model = network("  return torch.conv2d(x, self.c.weight)\n");
  try {
    lower(model, "toaster");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.hint().find("portable"), std::string::npos) << error.hint();
  }
  EXPECT_EQ(targets().at(0).name, "portable");
}

}  // namespace
}  // namespace fusekit
