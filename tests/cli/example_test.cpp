#include <gtest/gtest.h>
#include <torch/script.h>

#include <nlohmann/json.hpp>

#include "fusekit/runtime.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

constexpr const char* kRecipeText = R"(AnnotatedConvBnReLUModel(
  (conv): Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1), bias=False)
  (bn): BatchNorm2d(5, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (relu): ReLU(inplace=True)
  (quant): QuantStub()
  (dequant): DeQuantStub()
)
AnnotatedConvBnReLUModel(
  (conv): Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1), bias=False)
  (bn): BNReLU2d(
    (0): BatchNorm2d(5, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
    (1): ReLU(inplace=True)
  )
  (relu): Identity()
  (quant): QuantStub()
  (dequant): DeQuantStub()
)
)";

class ExampleCommand : public ::testing::Test {
 protected:
  [[nodiscard]] test::ProgramResult run(std::vector<std::string> more = {}, const std::string& seconds = "0") const {
    std::vector<std::string> words = {"example", "-o", out().string(), "--threads", "1", "--bench", seconds};
    words.insert(words.end(), more.begin(), more.end());
    return test::run_fusekit(words);
  }
  [[nodiscard]] std::filesystem::path out() const { return folder_ / "out"; }
  [[nodiscard]] torch::jit::Module load(const std::string& name) const {
    return torch::jit::load((out() / name).string());
  }

 private:
  test::TemporaryFolder folder_;
};

bool has_batch_norm(const torch::jit::Module& module) {
  for (const auto& child : module.modules())
    if (child.hasattr("running_mean")) return true;
  return false;
}

TEST_F(ExampleCommand, PrintsTheRecipesTextAndWritesBothFiles) {
  const auto result = run();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, kRecipeText);
  auto plain = load("model_float.pt");
  auto fused = load("model_float_fused.pt");
  EXPECT_TRUE(has_batch_norm(plain));
  EXPECT_FALSE(has_batch_norm(fused));
  const at::NoGradGuard no_grad;
  const at::Tensor input = torch::randn({2, 3, 20, 20});
  EXPECT_TRUE(at::allclose(plain.forward({input}).toTensor(), fused.forward({input}).toTensor(), 1e-5, 1e-5));
}

/// The quantized operators of forward, in order.
std::string int8_operators(const torch::jit::Module& module) {
  std::string names;
  for (const auto* node : module.get_method("forward").graph()->nodes()) {
    const std::string name = node->kind().toQualString();
    if (name.starts_with("quantized::") || name == "aten::relu") names += name + " ";
  }
  return names;
}

double sqnr_db(const at::Tensor& truth, const at::Tensor& value) {
  return 10 * std::log10((truth.square().sum() / (truth - value).square().sum()).item<double>());
}

TEST_F(ExampleCommand, WritesTheRecipesQuantizedFilesForEveryEngine) {
  const auto result = run({"--seed", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::map<std::string, std::string> expected = {
      {"model.pt", "quantized::conv2d quantized::batch_norm aten::relu "},
      {"model_fused.pt", "quantized::conv2d quantized::batch_norm_relu "},
      {"model_fully_fused.pt", "quantized::conv2d_relu "}};
  const at::NoGradGuard no_grad;
  at::manual_seed(5);
  const at::Tensor input = torch::randn({2, 3, 40, 36});
  const at::Tensor truth = load("model_float.pt").forward({input}).toTensor();
  const at::QEngine before = at::globalContext().qEngine();
  for (const auto& [name, operators] : expected) {
    EXPECT_EQ(int8_operators(load(name)), operators) << name;
    for (const std::string& engine : quantized_engines()) {
      apply({.threads = 0, .engine = engine});
      auto module = load(name);
      for (int run = 0; run < 3; ++run)
        EXPECT_GT(sqnr_db(truth, module.forward({input}).toTensor()), 30) << name << " " << engine;
    }
  }
  at::globalContext().setQEngine(before);
  const auto metadata = nlohmann::json::parse(
      test::run_command({"unzip", "-p", (out() / "model.pt").string(), "*fusekit_quantize.json"}).out);
  EXPECT_TRUE(metadata["random_calibration"]);
  EXPECT_EQ(metadata["qconfig"], "qnnpack");
}

TEST_F(ExampleCommand, ComparesTheQuantizedFilesInOneRun) {
  const auto result = run({"--json"}, "0.1");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  const auto& ratios = json["comparison"]["ratios"];
  ASSERT_EQ(ratios.size(), 2U) << json["comparison"].dump(2);
  EXPECT_EQ(ratios[0]["variant"], "model_fused.pt");
  EXPECT_EQ(ratios[1]["variant"], "model_fully_fused.pt");
  EXPECT_EQ(ratios[1]["against"], "model.pt");
  EXPECT_EQ(json["files"]["int8_fused"], (out() / "model_fused.pt").string());
  EXPECT_EQ(json["int8"]["int8_operators"], 3);
  EXPECT_EQ(json["int8_fully_fused"]["int8_operators"], 1);
}

TEST_F(ExampleCommand, FusesTheListsThatAreGivenAndWarnsOfOthers) {
  const auto result = run({"--modules", "conv,bn", "--modules", "relu,conv"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(
      result.out.find("(conv): Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1))\n  (bn): Identity()\n  (relu): ReLU"),
      std::string::npos)
      << result.out;
  EXPECT_NE(result.err.find("relu,conv: ReLU, Conv2d is no sequence"), std::string::npos) << result.err;
  EXPECT_FALSE(has_batch_norm(load("model_float_fused.pt")));
  EXPECT_EQ(int8_operators(load("model_fused.pt")), "quantized::conv2d aten::relu ");
}

TEST_F(ExampleCommand, FusesAllOfResnet18) {
  const auto result = run({"--model", "resnet18", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["model"], "resnet18");
  EXPECT_TRUE(json["verification"]["passed"]);
  EXPECT_EQ(json["files"]["float_fused"], (out() / "model_float_fused.pt").string());
  EXPECT_EQ(json["before"].get<std::string>() + "\n",
            test::bytes_of(std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/golden/torchvision/resnet18.print.txt"));
  const std::string after = json["after"];
  EXPECT_EQ(after.find("BatchNorm2d"), std::string::npos) << after;
  EXPECT_NE(after.find("ConvReLU2d(\n    (0): Conv2d(3, 64,"), std::string::npos) << after;
  EXPECT_NE(after.find("(bn1): Identity()\n      (relu): ReLU(inplace=True)\n"), std::string::npos)
      << "a block's ReLU is called twice\n"
      << after;
  EXPECT_FALSE(has_batch_norm(load("model_float_fused.pt")));
}

TEST_F(ExampleCommand, KeepsExistingFilesWithoutForce) {
  std::filesystem::create_directory(out());
  test::write_bytes(out() / "model_float_fused.pt", "mine");
  const auto result = run();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("model_float_fused.pt exists"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("--force"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(out() / "model_float.pt"));
  EXPECT_EQ(test::bytes_of(out() / "model_float_fused.pt"), "mine");
}

TEST_F(ExampleCommand, RefusesAnUnknownModelAndLeavesNothingBehind) {
  const auto result = run({"--model", "lenet"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("conv_bn_relu"), std::string::npos) << result.err;
  EXPECT_FALSE(std::filesystem::exists(out()));
}

TEST_F(ExampleCommand, RefusesAFolderThatIsAFile) {
  test::write_bytes(out(), "mine");
  const auto result = run();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find(out().string()), std::string::npos) << result.err;
  EXPECT_EQ(test::bytes_of(out()), "mine");
}

}  // namespace
}  // namespace fusekit
