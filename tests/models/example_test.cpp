#include "fusekit/example.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <algorithm>
#include <sstream>

#include "fusekit/error.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

std::string golden(const std::string& name) {
  return test::bytes_of(std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/golden/torchvision" / name);
}

/// Name, dtype and shape of every parameter and buffer, in the order of state_dict().
std::string state_of(const torch::jit::Module& module) {
  std::string lines;
  for (const auto& attribute : module.named_attributes()) {
    if (!attribute.value.isTensor()) continue;
    const at::Tensor& tensor = attribute.value.toTensor();
    const char* type = tensor.scalar_type() == at::kLong ? "int64" : "float32";
    lines += fmt::format("{} {} [{}]\n", attribute.name, type, fmt::join(tensor.sizes(), ", "));
  }
  return lines;
}

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

at::Tensor run(torch::jit::Module& module, const at::Tensor& input) {
  const at::NoGradGuard no_grad;
  return module.forward({input}).toTensor();
}

class Example : public ::testing::TestWithParam<std::string> {};
class TorchvisionExample : public ::testing::TestWithParam<std::string> {};

TEST_P(TorchvisionExample, HasItsParameters) {
  EXPECT_EQ(sorted_lines(state_of(make_example(GetParam()))), sorted_lines(golden(GetParam() + ".state.txt")));
}

TEST_P(TorchvisionExample, ComputesWhatTorchvisionComputesWithTheseWeights) {
  auto module = make_example(GetParam());
  const at::Tensor input = torch::linspace(-2, 2, 3 * 64 * 64).reshape({1, 3, 64, 64});
  const at::Tensor output = run(module, input);
  ASSERT_EQ(output.sizes(), (std::vector<std::int64_t>{1, 1000}));
  std::istringstream wanted(golden(GetParam() + ".output.txt"));
  float value = 0;
  int row = 0;
  for (; wanted >> value; ++row) EXPECT_NEAR(output[0][row].item<float>(), value, 1e-4) << "logit " << row;
  EXPECT_EQ(row, 32);
}

INSTANTIATE_TEST_SUITE_P(Models, TorchvisionExample, ::testing::Values("resnet18", "mobilenet_v2"),
                         [](const auto& test) { return test.param; });

TEST_P(Example, ComputesTheSameAfterASave) {
  const test::TemporaryFolder folder;
  auto module = make_example(GetParam());
  module.save((folder / "model.pt").string());
  auto loaded = torch::jit::load((folder / "model.pt").string());
  const at::Tensor input = torch::randn({2, 3, 64, 64});
  const at::Tensor output = run(module, input);
  EXPECT_TRUE(at::equal(run(loaded, input), output));
  EXPECT_TRUE(at::isfinite(output).all().item<bool>());
  EXPECT_GT(output.std().item<double>(), 0.1) << "activations die out";
  EXPECT_LT(output.std().item<double>(), 20) << "activations blow up";
}

TEST_P(Example, IsInEval) {
  for (const auto& module : make_example(GetParam()).modules()) EXPECT_FALSE(module.is_training());
}

TEST_P(Example, DrawsItsWeightsFromTheSeed) {
  const auto first = make_example(GetParam(), 1);
  const auto again = make_example(GetParam(), 1);
  const auto other = make_example(GetParam(), 2);
  const auto same = again.named_parameters();
  const auto different = other.named_parameters();
  auto s = same.begin();
  auto d = different.begin();
  for (const auto& parameter : first.named_parameters()) {
    EXPECT_TRUE(at::equal(parameter.value, (*s).value)) << parameter.name;
    EXPECT_FALSE(at::equal(parameter.value, (*d).value)) << parameter.name;
    ++s;
    ++d;
  }
}

TEST_P(Example, HasBatchNormsThatAreNotTheDefaults) {
  int norms = 0;
  for (const auto& module : make_example(GetParam()).modules()) {
    if (!module.hasattr("running_mean")) continue;
    ++norms;
    EXPECT_GT(module.attr("running_mean").toTensor().abs().max().item<float>(), 0.01F);
    EXPECT_GT((module.attr("running_var").toTensor() - 1).abs().max().item<float>(), 0.01F);
    EXPECT_GT((module.attr("weight").toTensor() - 1).abs().max().item<float>(), 0.01F);
    EXPECT_GT(module.attr("bias").toTensor().abs().max().item<float>(), 0.01F);
  }
  EXPECT_GE(norms, 1);
}

INSTANTIATE_TEST_SUITE_P(Models, Example, ::testing::ValuesIn(example_names()),
                         [](const auto& test) { return test.param; });

TEST(Examples, ShareClassesAsScriptingDoes) {
  const auto module = make_example("conv_bn_relu");
  EXPECT_EQ(module.type()->name()->qualifiedName(), "__torch__.AnnotatedConvBnReLUModel");
  EXPECT_EQ(module.attr("conv").toModule().type()->name()->qualifiedName(), "__torch__.torch.nn.modules.conv.Conv2d");
  const auto resnet = make_example("resnet18");
  const auto block = [&](const char* name) { return resnet.attr("layer1").toModule().attr(name).toModule(); };
  EXPECT_EQ(block("0").type(), block("1").type());
  EXPECT_NE(resnet.attr("layer2").toModule().attr("0").toModule().type(), block("0").type());
}

TEST(Examples, KeepBatchNormsRankCheck) {
  const auto norm = make_example("conv_bn_relu").attr("bn").toModule();
  const std::string graph = norm.get_method("_check_input_dim").graph()->toString();
  EXPECT_NE(graph.find("aten::dim"), std::string::npos);
  EXPECT_NE(graph.find("prim::RaiseException"), std::string::npos);
}

TEST(Examples, AreWrittenAlikeWhateverTheNameOfTheFile) {
  const test::TemporaryFolder folder;
  write_example("conv_bn_relu", 7, folder / "a.pt");
  write_example("conv_bn_relu", 7, folder / "another.pt");
  write_example("conv_bn_relu", 8, folder / "other.pt");
  EXPECT_EQ(test::bytes_of(folder / "a.pt"), test::bytes_of(folder / "another.pt"));
  EXPECT_NE(test::bytes_of(folder / "a.pt"), test::bytes_of(folder / "other.pt"));
}

TEST(Examples, ReplaceAFileOnlyByForce) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.pt", "mine");
  EXPECT_THROW(write_example("conv_bn_relu", 0, folder / "a.pt"), Error);
  EXPECT_EQ(test::bytes_of(folder / "a.pt"), "mine");
  WriteOptions options;
  options.force = true;
  EXPECT_EQ(write_example("conv_bn_relu", 0, folder / "a.pt", options).class_name, "AnnotatedConvBnReLUModel");
  EXPECT_GT(test::bytes_of(folder / "a.pt").size(), 1000U);
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Examples, RefuseAnUnknownNameAndGiveTheKnown) {
  try {
    make_example("lenet");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(error.message(), "lenet: no such example");
    EXPECT_EQ(error.hint(), "use one of conv_bn_relu, resnet18, mobilenet_v2");
  }
}

}  // namespace
}  // namespace fusekit
