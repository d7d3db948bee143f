// Running a network piece by piece on several samples gives what running it whole gives.
#include "quantize/weights/lockstep.h"

#include <gtest/gtest.h>

#include "fusekit/model.h"
#include "ir/model_parts.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::quantize {
namespace {

const char* const kForked =
    "def forward(self, x):\n"
    "    a = torch.mul(x, self.weight)\n"
    "    if bool(torch.sum(a) > 0):\n"
    "        b = torch.add(a, self.weight)\n"
    "    else:\n"
    "        b = torch.neg(a)\n"
    "    c = torch.relu(b)\n"
    "    return torch.add(c, a)\n";

class LockstepTest : public ::testing::Test {
 protected:
  LockstepTest() : weight_(at::tensor({1.0F, -2.0F, 3.0F})), model_(written_and_read()) {
    samples_ = {{"positive", {at::tensor({1.0F, 1.0F, 1.0F})}}, {"negative", {at::tensor({1.0F, 4.0F, 1.0F})}}};
  }

  Model written_and_read() {
    test::save_module(test::make_module("Net", {{"weight", weight_}}, kForked), folder_ / "net.pt");
    return read(folder_ / "net.pt");
  }
  ir::Program& program() { return ModelParts::of(model_).program; }

  const Value* result_of(const char* kind) {
    for (const Node* node : program().methods.front().graph->nodes())
      if (node->kind() == c10::Symbol::fromQualString(kind)) return node->output();
    return nullptr;
  }

  test::TemporaryFolder folder_;
  at::Tensor weight_;
  Model model_;
  std::vector<Sample> samples_;
};

TEST_F(LockstepTest, StopsWhereItIsTold) {
  Lockstep run(program(), samples_);
  run.run_until(result_of("aten::mul"));
  EXPECT_TRUE(run.tensor(0, result_of("aten::mul")).equal(at::tensor({1.0F, -2.0F, 3.0F})));
  EXPECT_TRUE(run.tensor(1, result_of("aten::mul")).equal(at::tensor({1.0F, -8.0F, 3.0F})));
}

TEST_F(LockstepTest, GoesOnThroughControlFlow) {
  Lockstep run(program(), samples_);
  run.run_until(result_of("aten::mul"));
  run.run_until(result_of("aten::relu"));
  EXPECT_TRUE(run.tensor(0, result_of("aten::relu")).equal(at::tensor({2.0F, 0.0F, 6.0F})));
  EXPECT_TRUE(run.tensor(1, result_of("aten::relu")).equal(at::tensor({0.0F, 8.0F, 0.0F})));
}

TEST_F(LockstepTest, AWeightIsReadWhenItsFirstOperatorRuns) {
  Lockstep run(program(), samples_);
  run.run_until(result_of("aten::mul"));
  for (auto& [key, weight] : program().weights) weight.tensor = weight.tensor * 10;
  run.run_until(result_of("aten::relu"));
  EXPECT_TRUE(run.tensor(0, result_of("aten::relu")).equal(at::tensor({11.0F, 0.0F, 33.0F})));
}

TEST_F(LockstepTest, KeepsNothingThatIsNotNeededAnyMore) {
  Lockstep run(program(), samples_);
  const Value* input = program().methods.front().graph->inputs().at(1);
  EXPECT_TRUE(run.can_stop_at(input));
  EXPECT_TRUE(run.tensor(1, input).equal(samples_[1].inputs[0].toTensor()));
  run.run_until(result_of("aten::mul"));
  EXPECT_THROW(run.tensor(0, input), std::out_of_range);
}

TEST_F(LockstepTest, DoesNotStopInsideOfControlFlow) {
  const Lockstep run(program(), samples_);
  for (const Node* node : ir::all_nodes(*program().methods.front().graph)) {
    if (node->kind() == c10::Symbol::fromQualString("aten::neg")) {
      EXPECT_FALSE(run.can_stop_at(node->output()));
    }
  }
}

}  // namespace
}  // namespace fusekit::quantize
