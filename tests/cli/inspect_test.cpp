#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fusekit/example.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

class InspectCommand : public ::testing::Test {
 protected:
  InspectCommand() { write_example("conv_bn_relu", 0, model_); }

  test::TemporaryFolder folder_;
  std::filesystem::path model_ = folder_ / "model.pt";
};

TEST_F(InspectCommand, ShowsTreeMethodsSizesOperatorsAndWhatCouldBeFused) {
  const auto result = test::run_fusekit({"inspect", model_.string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* part :
       {"TorchScript, file format version", "\n  (conv): Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1), bias=False)\n",
        "method: forward(x: Tensor) -> Tensor\n", "parameters: 145 elements in 3 tensors, 580 B\n",
        "buffers: 11 elements in 3 tensors, 48 B\n", "      1  aten::conv2d\n", "\ncan be fused: fused 1 place"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\nis not in\n" << result.out;
}

TEST_F(InspectCommand, GivesTheSameAsJson) {
  const auto result = test::run_fusekit({"inspect", "--json", model_.string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["bytes"], std::filesystem::file_size(model_));
  EXPECT_EQ(json["methods"]["forward"], "forward(x: Tensor) -> Tensor");
  EXPECT_EQ(json["parameters"]["elements"], 145);
  EXPECT_EQ(json["operators"]["aten::conv2d"], 1);
  EXPECT_EQ(json["tree"]["class"], "AnnotatedConvBnReLUModel");
  EXPECT_EQ(json["tree"]["children"][1]["name"], "bn");
  EXPECT_EQ(json["fuse"]["fused"], 1);
}

TEST_F(InspectCommand, CountsMultiplyAddsForGivenShapes) {
  const auto result = test::run_fusekit({"inspect", model_.string(), "--input_dims", "1,3,34,34"});
  EXPECT_NE(result.out.find("\nmultiply-adds: 138 k for 1x3x34x34 float\n"), std::string::npos) << result.out;
  const auto json =
      nlohmann::json::parse(test::run_fusekit({"inspect", "--json", model_.string(), "--input-dims", "1,3,34,34"}).out);
  EXPECT_EQ(json["multiply_adds"]["count"], 135 * 32 * 32);
  EXPECT_EQ(json["multiply_adds"]["unknown"], 0);
  EXPECT_TRUE(
      nlohmann::json::parse(test::run_fusekit({"inspect", "--json", model_.string()}).out)["multiply_adds"].is_null());
  const auto wrong = test::run_fusekit({"inspect", model_.string(), "--input_dims", "1,3,34,34;2"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("takes 1 tensor, and 2 shapes are given"), std::string::npos) << wrong.err;
}

TEST_F(InspectCommand, OffersNothingForAFileThatIsFused) {
  const std::string fused = (folder_ / "fused.pt").string();
  ASSERT_EQ(test::run_fusekit({"fuse", model_.string(), "-o", fused}).exit_code, 0);
  const auto result = test::run_fusekit({"inspect", fused});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("\nnothing is left to fuse"), std::string::npos) << result.out;
}

TEST_F(InspectCommand, RefusesWhatIsNoTorchScriptFile) {
  test::write_bytes(folder_ / "notes.txt", "hello");
  const auto result = test::run_fusekit({"inspect", (folder_ / "notes.txt").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("notes.txt"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace fusekit
