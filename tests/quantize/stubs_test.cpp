// QuantStub and DeQuantStub: what is outside of them stays float, through fusing and control flow.
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/error.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

torch::jit::Module stub(const std::string& class_name, const std::string& body = "return x") {
  torch::jit::Module module("__torch__.torch.ao.quantization.stubs." + class_name);
  module.register_attribute("training", c10::BoolType::get(), false);
  module.define("def forward(self, x: Tensor) -> Tensor:\n    " + body + "\n");
  return module;
}

/// Three convolutions, a, b and c, and stubs as `source` calls them.
torch::jit::Module network(const std::string& source, const std::string& stub_body = "return x") {
  at::manual_seed(2);
  torch::jit::Module module = test::make_module("Net",
                                                {{"a.weight", at::randn({3, 3, 1, 1})},
                                                 {"b.weight", at::randn({3, 3, 1, 1})},
                                                 {"c.weight", at::randn({3, 3, 1, 1})}},
                                                "def unused(self, x):\n    return x\n");
  module.register_module("quant", stub("QuantStub", stub_body));
  module.register_module("dequant", stub("DeQuantStub"));
  module.define(source);
  return module;
}

struct Result {
  QuantizeReport report;
  std::string graph;
};

Result quantized(const torch::jit::Module& module) {
  const test::TemporaryFolder folder;
  test::save_module(module, folder / "float.pt");
  QuantizeOptions options;
  options.calibration.random = 4;
  options.calibration.inputs.dims = {{1, 3, 6, 6}};
  options.calibration.inputs.types = {"float"};
  Model model = read(folder / "float.pt");
  Result result{to_int8(model, options), ""};
  EXPECT_TRUE(write(std::move(model), folder / "int8.pt").written);
  torch::jit::Module written = torch::jit::load((folder / "int8.pt").string());
  result.graph = written.get_method("forward").graph()->toString(false);
  const torch::NoGradGuard no_grad;
  at::manual_seed(3);
  const at::Tensor x = at::randn({1, 3, 6, 6});
  torch::jit::Module original = module.clone();
  const at::Tensor truth = original.forward({x}).toTensor();
  const at::Tensor noise = written.forward({x}).toTensor() - truth;
  EXPECT_GT((10 * (truth.square().sum() / noise.square().sum()).log10()).item<double>(), 20);
  return result;
}

std::string int8_layers(const Result& result) {
  std::set<std::string> names;
  for (const LayerCost& layer : result.report.layers)
    if (layer.int8) names.insert(layer.path);
  return c10::Join(" ", names);
}

std::string conv(const std::string& name) { return "torch.conv2d(x, self." + name + ".weight)"; }

TEST(Stubs, OnlyWhatIsBetweenThemIsInt8) {
  const Result result =
      quantized(network("def forward(self, x):\n"
                        "    x = torch.relu(" +
                        conv("a") +
                        ")\n"
                        "    x = self.quant.forward(x)\n"
                        "    x = torch.relu(" +
                        conv("b") +
                        ")\n"
                        "    x = self.dequant.forward(x)\n"
                        "    return torch.relu(" +
                        conv("c") + ")\n"));
  EXPECT_EQ(int8_layers(result), "b");
  EXPECT_NE(result.graph.find("quantized::conv2d_relu"), std::string::npos) << result.graph;
  ASSERT_EQ(result.report.layers.size(), 3U);
  for (std::size_t i : {1U, 2U}) EXPECT_EQ(result.report.layers[i].reason.code, ReasonCode::outside_of_stubs);
}

TEST(Stubs, AnActivationBehindTheEndStaysFloat) {
  const Result result =
      quantized(network("def forward(self, x):\n"
                        "    x = self.quant.forward(x)\n"
                        "    x = " +
                        conv("a") +
                        "\n"
                        "    x = self.dequant.forward(x)\n"
                        "    return torch.relu(x)\n"));
  EXPECT_EQ(int8_layers(result), "a");
  EXPECT_EQ(result.graph.find("_relu"), std::string::npos) << result.graph;
  EXPECT_LT(result.graph.find("aten::dequantize"), result.graph.find("aten::relu")) << result.graph;
}

TEST(Stubs, TheirDataIsFollowedThroughBranchesAndLoops) {
  const Result result =
      quantized(network("def forward(self, x):\n"
                        "    if x.size(0) == 1:\n"
                        "        y = self.quant.forward(x)\n"
                        "        z = x\n"
                        "    else:\n"
                        "        y = x\n"
                        "        z = x\n"
                        "    for i in range(2):\n"
                        "        x = y\n"
                        "        y = " +
                        conv("b") +
                        "\n"
                        "        x = z\n"
                        "        z = " +
                        conv("c") +
                        "\n"
                        "    x = y\n"
                        "    y = " +
                        conv("a") +
                        "\n"
                        "    return self.dequant.forward(y) + z\n"));
  EXPECT_EQ(int8_layers(result), "a b");
}

TEST(Stubs, AFileWithoutAQuantStubHasNoBorders) {
  const Result result = quantized(network("def forward(self, x):\n    x = " + conv("a") +
                                          "\n    x = self.dequant.forward(x)\n    return " + conv("b") + "\n"));
  EXPECT_EQ(int8_layers(result), "a b");
}

TEST(Stubs, AClassOfThatNameThatComputesIsNone) {
  const Result result = quantized(network(
      "def forward(self, x):\n    x = " + conv("a") + "\n    x = self.quant.forward(x)\n    return " + conv("b") + "\n",
      "return x * 0.5"));
  EXPECT_EQ(int8_layers(result), "a b");
}

TEST(Stubs, NothingBetweenThemIsAnError) {
  try {
    quantized(network("def forward(self, x):\n    x = self.dequant.forward(self.quant.forward(x))\n    return " +
                      conv("a") + "\n"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("QuantStub"), std::string::npos) << error.hint();
  }
}

}  // namespace
}  // namespace fusekit
