// Networks with state: quantizing runs them many times, and the written file holds what the original holds.
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "verify/compare.h"

namespace fusekit {
namespace {

struct StatefulCase {
  const char* name;
  const char* body;  ///< of forward, after `y = conv(x)`
};

void PrintTo(const StatefulCase& given, std::ostream* out) { *out << given.name; }

const std::vector<StatefulCase>& stateful_cases() {
  static const std::vector<StatefulCase> cases = {
      {"BatchStatistics",
       "    y = torch.batch_norm(y, None, None, self.running_mean, self.running_var, True, 0.1, 1e-5, True)\n"},
      {"Chained", "    self.buffer.mul_(0.9).add_(y.mean([0, 2, 3]))\n"},
      {"Copied", "    self.buffer.copy_(torch.maximum(self.buffer, y.amax([0, 2, 3])))\n"},
      {"CopiedFromTheInput", "    self.buffer.copy_(torch.maximum(self.buffer, x.amax()))\n"},
      {"Augmented", "    self.buffer += 1\n    y = y + self.buffer.view([1, 4, 1, 1]) * 0.1\n"},
      {"SetItem", "    self.buffer[1] = y.mean()\n"},
      {"IndexPut", "    torch.index_put_(self.buffer, [torch.tensor([0])], torch.ones([1]), True)\n"},
      {"ThroughAView", "    part = self.buffer[1:3]\n    part.add_(2)\n"},
      {"Assigned", "    self.buffer = self.buffer * 0.5 + 1\n"},
      {"InABranch", "    if x.dim() == 4:\n        self.buffer.add_(1)\n"},
      {"AnotherName", "    self.buffer_too.add_(1)\n"},
      {"Number", "    self.steps = self.steps + 1\n    y = y * (1.0 + 0.1 * self.steps)\n"},
      {"List", "    self.log.append(float(self.log[-1] * 0.5))\n    y = y + self.log[-1]\n"},
      {"TensorInAList", "    self.tensors[0].add_(1)\n    y = y + self.tensors[0]\n"},
      {"TensorInADict", "    self.cache[\"a\"].add_(1)\n    y = y + self.cache[\"a\"]\n"},
      {"DictEntry", "    self.cache[\"a\"] = self.cache[\"a\"] + 1\n    y = y + self.cache[\"a\"]\n"}};
  return cases;
}

class QuantizedState : public testing::TestWithParam<StatefulCase> {
 protected:
  void SetUp() override {
    at::manual_seed(4);
    const at::Tensor shared = at::zeros({4});
    torch::jit::Module module = test::make_module(
        "Net", {{"c.weight", at::randn({4, 3, 3, 3}) / 5}, {"d.weight", at::randn({4, 4, 1, 1}) / 2}}, "");
    module.register_buffer("running_mean", at::randn({4}));
    module.register_buffer("running_var", at::rand({4}) + 0.5);
    module.register_buffer("buffer", shared);
    module.register_buffer("buffer_too", shared);
    module.register_attribute("steps", c10::IntType::get(), 2);
    module.register_attribute("log", c10::ListType::ofFloats(), c10::List<double>({0.25}));
    module.register_attribute("tensors", c10::ListType::ofTensors(), c10::List<at::Tensor>({at::zeros({1})}));
    c10::Dict<std::string, at::Tensor> cache;
    cache.insert("a", at::zeros({1}));
    module.register_attribute("cache", c10::DictType::create(c10::StringType::get(), c10::TensorType::get()), cache);
    module.define(std::string("def forward(self, x):\n    y = torch.conv2d(x, self.c.weight)\n") + GetParam().body +
                  "    return torch.conv2d(torch.relu(y), self.d.weight)\n");
    test::save_module(module, folder_ / "float.pt");
  }

  QuantizeReport quantize() {
    QuantizeOptions options;
    options.calibration.random = 8;
    options.calibration.inputs.dims = {{2, 3, 8, 8}};
    options.calibration.inputs.types = {"float"};
    Model model = read(folder_ / "float.pt");
    const QuantizeReport report = to_int8(model, options);
    const WriteReport written = write(std::move(model), folder_ / "int8.pt");
    EXPECT_TRUE(written.written) << (written.failure() != nullptr ? written.failure()->failure : "");
    return report;
  }

  test::TemporaryFolder folder_;
};

TEST_P(QuantizedState, IsTheFilesAndEveryLayerIsInt8) {
  const QuantizeReport report = quantize();
  for (const LayerCost& layer : report.layers) EXPECT_TRUE(layer.int8) << layer.path << ": " << to_text(layer.reason);
  torch::jit::Module before = torch::jit::load((folder_ / "float.pt").string());
  torch::jit::Module after = torch::jit::load((folder_ / "int8.pt").string());
  for (const auto& attribute : after.named_attributes(/*recurse=*/false)) {
    if (attribute.value.isModule() || !before.hasattr(attribute.name)) continue;
    const gate::Comparison same = gate::compare(before.attr(attribute.name), attribute.value, attribute.name);
    EXPECT_EQ(same.failure, "");
    EXPECT_EQ(same.error.max_abs, 0) << attribute.name;
  }
  for (int run = 0; run < 4; ++run) {
    const torch::NoGradGuard no_grad;
    const at::Tensor x = at::randn({2, 3, 8, 8});
    const auto compared = gate::compare(before.forward({x}), after.forward({x}));
    EXPECT_GT(compared.error.sqnr_db, 20) << "run " << run;
  }
}

INSTANTIATE_TEST_SUITE_P(All, QuantizedState, testing::ValuesIn(stateful_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace fusekit
