#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>

#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"
#include "target/cpu/packed_layer.h"

// The command as a user calls it: what it prints, what it returns, what it leaves behind.

namespace fusekit {
namespace {

namespace fs = std::filesystem;
using test::ProgramResult;
using test::run_fusekit;

fs::path network(const std::string& name) { return fs::path(FUSEKIT_SOURCE_DIR) / "tests/cases" / (name + ".pt"); }

const char* const kDims = "2,3,9,9";

class FuseCommand : public testing::Test {
 protected:
  FuseCommand() { fs::copy_file(network("plain.script"), in_); }

  [[nodiscard]] ProgramResult fuse(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"fuse", in_.string()});
    return run_fusekit(arguments);
  }

  /// Exit code 2, the message, nothing new in the folder, the input as it was.
  void expect_refusal(const ProgramResult& result, const std::string& message, std::size_t entries = 1,
                      int exit_code = 2) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(folder_.entries(), entries);
    EXPECT_EQ(test::bytes_of(in_), test::bytes_of(network("plain.script")));
  }

  test::TemporaryFolder folder_;
  fs::path in_ = folder_ / "in.pt";
  std::string out_ = (folder_ / "out.pt").string();
};

TEST_F(FuseCommand, FusesVerifiesAndWrites) {
  const ProgramResult result = fuse({"-o", out_, "--input_dims", kDims});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out.find(in_.string() + ": fused 1 place: 1 conv+bn\nverified on 2x3x9x9 float: max rel error "), 0U)
      << result.out;
  EXPECT_TRUE(result.out.ends_with("3 samples x 3 runs\nwrote " + out_ + "\n")) << result.out;
  EXPECT_EQ(folder_.entries(), 2U);
}

TEST_F(FuseCommand, AFileForTheCpuSaysWhichShapesItIsFor) {
  if (!target::PackedLayers::are_supported()) GTEST_SKIP() << "this LibTorch has no mkldnn::_convolution_pointwise";
  const ProgramResult result = fuse({"-o", out_, "--input_dims", kDims, "--for", "cpu"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(test::has(result.out, "another batch size: verified on 4x3x9x9")) << result.out;
  EXPECT_TRUE(result.out.ends_with("wrote " + out_ + ", fast on 2x3x9x9 float; other shapes take plain operators\n"))
      << result.out;
  const ProgramResult rounded =
      fuse({"-o", out_, "--force", "--input_dims", kDims, "--for", "cpu", "--dtype", "bf16", "--json"});
  EXPECT_EQ(rounded.exit_code, 0) << rounded.err;
  const auto json = nlohmann::json::parse(rounded.out);
  EXPECT_EQ(json["made_for"], "2x3x9x9 float");
  EXPECT_GT(json["verification"]["forward"]["max_rel"], 1e-5);
  EXPECT_TRUE(json["verification"].contains("forward on a doubled batch"));
}

TEST_F(FuseCommand, SaysWhatIsInTrainingMode) {
  fs::copy_file(network("train_mode.script"), in_, fs::copy_options::overwrite_existing);
  const ProgramResult loud = fuse({"-o", out_, "--input_dims", kDims});
  EXPECT_EQ(loud.exit_code, 0) << loud.err;
  EXPECT_NE(
      loud.err.find("warning: the file was saved in training mode: one module computes something else than after "
                    "eval(): bn; fuse with --eval, or save it anew after model.eval(), to get a file for inference"),
      std::string::npos)
      << loud.err;
  EXPECT_NE(loud.out.find("\nin eval(): verified on"), std::string::npos) << loud.out;
  const auto json = nlohmann::json::parse(fuse({"--json", "--dry-run", "--input_dims", kDims}).out);
  EXPECT_EQ(json.at("in_training"), nlohmann::json({"bn"}));

  const ProgramResult eval = fuse({"-o", out_, "--force", "--eval", "--input_dims", kDims});
  EXPECT_EQ(eval.exit_code, 0) << eval.err;
  EXPECT_EQ(eval.err.find("training"), std::string::npos) << eval.err;
  EXPECT_NE(eval.out.find("fused 1 place: 1 conv+bn\nverified"), std::string::npos) << eval.out;
  EXPECT_EQ(run_fusekit({"verify", in_.string(), out_, "--input_dims", kDims}).exit_code, 1);
  EXPECT_EQ(run_fusekit({"verify", in_.string(), out_, "--eval", "--input_dims", kDims}).exit_code, 0);

  const ProgramResult int8 =
      run_fusekit({"quantize", in_.string(), "-o", out_, "--force", "--random-calibration", "4"});
  EXPECT_EQ(int8.exit_code, 2);
  EXPECT_NE(int8.err.find("hint: give --eval"), std::string::npos) << int8.err;
  EXPECT_NE(run_fusekit({"inspect", in_.string()}).err.find("in training mode: one module"), std::string::npos);
}

TEST_F(FuseCommand, WorksTheInputOutByItself) {
  const ProgramResult result = fuse({"-o", out_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find(", inferred: max rel error"), std::string::npos) << result.out;
}

TEST_F(FuseCommand, TellsAProgramTheSameFacts) {
  const ProgramResult result = fuse({"-o", out_, "--input-dims", kDims, "--json"});
  const nlohmann::json report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["fused"], 1);
  EXPECT_EQ(report["sites"][0]["rule"], "conv+bn");
  EXPECT_EQ(report["sites"][0]["modules"], (std::vector<std::string>{"conv", "bn"}));
  EXPECT_EQ(report["output"], out_);
  EXPECT_TRUE(report["verification"]["forward"]["passed"]);
}

TEST_F(FuseCommand, TellsAProgramTheCodeOfAReason) {
  const ProgramResult result = run_fusekit({"fuse", network("second_reader.script"), "--dry-run", "--json"});
  const nlohmann::json report = nlohmann::json::parse(result.out);
  std::set<std::string> codes;
  for (const auto& site : report["sites"])
    if (!site["fused"]) codes.insert(site["reason_code"]);
  EXPECT_EQ(codes.size(), 1U) << result.out;
  EXPECT_TRUE(codes.begin()->starts_with("read_by_another")) << *codes.begin();
}

TEST_F(FuseCommand, ListsTheRulesInTheirOrder) {
  const ProgramResult result = run_fusekit({"fuse", "--list-rules", "--json"});
  std::vector<std::string> names;
  for (const auto& rule : nlohmann::json::parse(result.out)) names.push_back(rule["name"]);
  EXPECT_EQ(names, (std::vector<std::string>{"encoder_layer", "self_attention", "constant_weight", "pad+conv",
                                             "conv+bn+relu", "conv+bn", "conv_transpose+bn", "linear+bn",
                                             "linear+permute+bn", "conv+relu", "linear+relu", "bn+relu"}));
}

TEST_F(FuseCommand, ADryRunWritesNothing) {
  const ProgramResult result = fuse({"--dry-run", "--explain"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("fused    conv+bn           conv, bn"), std::string::npos) << result.out;
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(FuseCommand, ADisabledRuleDoesNotFire) {
  EXPECT_NE(fuse({"--dry-run", "--disable", "conv+bn"}).out.find("fused 0 places"), std::string::npos);
  expect_refusal(fuse({"--dry-run", "--disable", "conv+bm"}), "--disable conv+bm: there is no such rule");
}

TEST_F(FuseCommand, PrintsTheGraphAfterARule) {
  const ProgramResult result = fuse({"--dry-run", "--print-after", "conv+bn"});
  EXPECT_EQ(result.out.find("after conv+bn:\nforward:\ngraph(%self"), 0U) << result.out;
  EXPECT_EQ(result.out.find("batch_norm"), std::string::npos) << result.out;
}

// --modules, as fuse_modules takes them

TEST_F(FuseCommand, FusesJustTheListedModules) {
  EXPECT_NE(fuse({"--dry-run", "--modules", "conv,bn", "--strict"}).out.find("fused 1 place"), std::string::npos);
}

TEST_F(FuseCommand, AnUnsupportedListIsIgnoredWithAWarning) {
  const ProgramResult result = fuse({"--dry-run", "--modules", "bn,conv"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "warning: [bn, conv] is left as it is: no rule fuses BatchNorm2d, Conv2d\n");
  EXPECT_NE(result.out.find("fused 0 places"), std::string::npos);
  EXPECT_EQ(fuse({"--quiet", "--dry-run", "--modules", "bn,conv"}).err, result.err);
}

TEST_F(FuseCommand, StrictMakesAnUnsupportedListAnError) {
  expect_refusal(fuse({"-o", out_, "--modules", "conv,bn", "--modules", "conv,nothing", "--strict"}),
                 "error: [conv, nothing] is left as it is: there is no module nothing\nhint: ");
}

TEST_F(FuseCommand, AListOfNoModuleIsRefusedWithTheNearestOne) {
  expect_refusal(fuse({"-o", out_, "--modules", "conv1,bm"}),
                 "error: --modules conv1,bm: the network has no such modules\nhint: did you mean conv? ");
  expect_refusal(
      fuse({"--dry-run", "--modules", "conv,bn", "--modules", "nosuch"}),
      "error: --modules nosuch: the network has no such module\nhint: it has conv, bn; fusekit inspect lists");
  const ProgramResult partly = fuse({"--dry-run", "--modules", "conv,bnn"});
  EXPECT_EQ(partly.exit_code, 0);
  EXPECT_EQ(partly.err, "warning: [conv, bnn] is left as it is: there is no module bnn (did you mean bn?)\n");
}

// Names of outputs, and several inputs

TEST_F(FuseCommand, WithoutANameTheOutputIsBesideTheInput) {
  const std::string beside = (folder_ / "in_fused.pt").string();
  const ProgramResult result = fuse({"--input_dims", kDims});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(result.out.ends_with("wrote " + beside + "\n")) << result.out;
  EXPECT_EQ(folder_.entries(), 2U);
  expect_refusal(fuse({"--input_dims", kDims}), "in_fused.pt exists\nhint: give --force", 2);
  EXPECT_EQ(fuse({"--input_dims", kDims, "--force"}).exit_code, 0);
}

class SeveralFiles : public FuseCommand {
 protected:
  SeveralFiles() {
    fs::create_directories(folder_ / "a");
    fs::create_directories(folder_ / "b");
    fs::copy_file(in_, one_);
    fs::copy_file(in_, two_);
    test::write_bytes(bad_, "these are words\n");
  }

  [[nodiscard]] ProgramResult fuse_all(const std::vector<fs::path>& inputs, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"fuse", "--input_dims", kDims};
    for (const fs::path& input : inputs) words.push_back(input.string());
    words.insert(words.end(), more.begin(), more.end());
    return run_fusekit(words);
  }
  [[nodiscard]] std::vector<std::string> into(const std::string& name) const {
    return {"--out-dir", (folder_ / name).string()};
  }

  fs::path one_ = folder_ / "a/one.pt";
  fs::path two_ = folder_ / "b/two.pt";
  fs::path bad_ = folder_ / "b/bad.pt";
};

TEST_F(SeveralFiles, GoIntoAFolderByTheirNames) {
  const ProgramResult result = fuse_all({one_, two_}, into("new/out"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(test::count_of("fused 1 place: 1 conv+bn\nverified on 2x3x9x9", result.out), 2U) << result.out;
  EXPECT_TRUE(result.out.ends_with("2 of 2 files written\n")) << result.out;
  EXPECT_TRUE(fs::exists(folder_ / "new/out/one.pt"));
  EXPECT_EQ(
      run_fusekit({"verify", two_.string(), (folder_ / "new/out/two.pt").string(), "--input_dims", kDims}).exit_code,
      0);
  const ProgramResult single = fuse_all({one_}, into("single"));
  EXPECT_TRUE(single.out.ends_with("wrote " + (folder_ / "single/one.pt").string() + "\n")) << single.out;
}

TEST_F(SeveralFiles, OneThatFailsDoesNotStopTheOthers) {
  const ProgramResult result = fuse_all({bad_, one_, folder_ / "none.pt", two_});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("error: " + bad_.string()), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("none.pt: no such file"), std::string::npos) << result.err;
  EXPECT_TRUE(result.out.ends_with("2 of 4 files written\n")) << result.out;
  EXPECT_TRUE(fs::exists(folder_ / "a/one_fused.pt"));
  EXPECT_TRUE(fs::exists(folder_ / "b/two_fused.pt"));
  const ProgramResult beyond = fuse_all({one_, two_}, {"--tolerance", "0", "--force", "--quiet"});
  EXPECT_EQ(beyond.exit_code, 1) << beyond.err;
  EXPECT_EQ(fuse_all({one_, bad_, two_}, {"--tolerance", "0", "--force"}).exit_code, 2) << "the worst";
}

TEST_F(SeveralFiles, AsJsonAreAnArray) {
  const ProgramResult result = fuse_all({one_, bad_, two_}, {"--json"});
  EXPECT_EQ(result.exit_code, 2);
  const auto json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json.size(), 3U);
  EXPECT_EQ(json[0]["output"], (folder_ / "a/one_fused.pt").string());
  EXPECT_EQ(json[0]["fused"], 1);
  EXPECT_EQ(json[1]["input"], bad_.string());
  EXPECT_TRUE(json[1]["output"].is_null());
  EXPECT_EQ(json[1]["error"]["kind"], "file");
  EXPECT_FALSE(json[1].contains("fused"));
  EXPECT_TRUE(json[2]["verification"]["forward"]["passed"]);
  EXPECT_TRUE(nlohmann::json::parse(fuse_all({one_}, {"--json", "--force"}).out).is_object());
}

TEST_F(SeveralFiles, NoneIsWrittenWhereTwoWouldBecomeOne) {
  fs::copy_file(in_, folder_ / "b/one.pt");
  const auto refused = [&](const ProgramResult& result, const std::string& message) {
    expect_refusal(result, message, 3);
    EXPECT_FALSE(fs::exists(folder_ / "a/one_fused.pt"));
  };
  refused(fuse_all({one_, folder_ / "b/one.pt"}, into("out")), "/b/one.pt would both become ");
  refused(fuse_all({one_, folder_ / "a/../a/one.pt"}), "a/../a/one.pt would both become ");
  refused(fuse_all({one_, two_}, {"-o", out_}), "-o is one file, and there are 2 inputs");
  refused(fuse_all({one_}, {"-o", out_, "--out-dir", "x"}), "-o and --out-dir exclude each other");
  refused(fuse_all({one_, folder_ / "a/one_fused.pt"}), "which is one of the inputs, too");
  refused(fuse_all({one_, two_}, {"--out-dir", in_.string()}), "in.pt: is no folder");
  EXPECT_EQ(fuse_all({one_, folder_ / "b/one.pt"}).exit_code, 0);
}

// Bad calls

TEST_F(FuseCommand, RefusesBadCalls) {
  expect_refusal(run_fusekit({"fuse"}), "error: IN is missing");
  expect_refusal(fuse({"-o", out_, "--no-such-flag"}), "--no-such-flag");
  expect_refusal(fuse({"-o", out_, "--for", "toaster"}), "--for toaster: there is no such target");
  expect_refusal(fuse({"-o", out_, "--input_dims", "1,x"}), "x");
  expect_refusal(fuse({"-o", out_, "--input_dims", "1,4,9,9"}), "can't be run on 1x4x9x9 float");
  expect_refusal(fuse({"-o", out_, "--input_dims", kDims, "--input_type", "int64"}), "int64");
  expect_refusal(fuse({"-o", out_, "--input_dims", "2,3,9,9;1"}), "2");
  expect_refusal(fuse({"-o", out_, "--seed", "-1"}), "--seed");
}

TEST_F(FuseCommand, RefusesDtypesThatTheTargetLacks) {
  expect_refusal(fuse({"-o", out_, "--for", "mobile", "--dtype", "bf16"}), "--dtype bf16 is not --for mobile");
  expect_refusal(fuse({"-o", out_, "--int8-dialect", "onednn"}), "--int8-dialect needs --for cpu");
  expect_refusal(fuse({"-o", out_, "--layer-times", out_ + ".json"}), "--layer-times needs --for cpu");
  expect_refusal(fuse({"-o", out_, "--for", "cpu", "--dtype", "int4"}), "--dtype int4: there is no such conversion");
}

TEST_F(FuseCommand, RefusesUnknownMemoryFormats) {
  for (const char* target : {"portable", "mobile"}) {
    const auto refused = fuse({"-o", out_, "--for", target, "--memory-format", "spiral"});
    expect_refusal(refused, "there is no memory format spiral to write");
    expect_refusal(refused, "--memory-format is channels_last or preserve");
  }
}

TEST_F(FuseCommand, RefusesInputsThatAreNone) {
  const auto of = [&](const std::string& path) { return run_fusekit({"fuse", path, "-o", out_}); };
  expect_refusal(of((folder_ / "none.pt").string()), "none.pt");
  expect_refusal(of(folder_.path().string()), "folder");
  for (const auto& [bytes, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "empty"}, {"these are words\n", "text"}, {test::bytes_of(in_).substr(0, 5000), "cut short"}}) {
    test::write_bytes(folder_ / "bad.pt", bytes);
    expect_refusal(of((folder_ / "bad.pt").string()), message, 2);
  }
}

TEST_F(FuseCommand, RefusesOutputsThatCantBe) {
  expect_refusal(fuse({"-o", (folder_ / "no/such/out.pt").string()}), "no such folder");
  expect_refusal(fuse({"-o", folder_.path().string()}), "is a folder, not a regular file");
  expect_refusal(fuse({"-o", "/dev/full", "--force"}), "is a device, pipe or socket, not a regular file");
  expect_refusal(fuse({"-o", in_.string(), "--force"}), "is the input file itself");
  fs::create_symlink(in_, folder_ / "link.pt");
  expect_refusal(fuse({"-o", (folder_ / "link.pt").string(), "--force"}), "is the input file itself", 2);
}

TEST_F(FuseCommand, AnExistingOutputNeedsForce) {
  test::write_bytes(out_, "precious");
  expect_refusal(fuse({"-o", out_}), "error: " + out_ + " exists\nhint: give --force to replace it\n", 2);
  EXPECT_EQ(test::bytes_of(out_), "precious");
  EXPECT_EQ(fuse({"-o", out_, "--force", "--input_dims", kDims}).exit_code, 0);
  EXPECT_NE(test::bytes_of(out_), "precious");
}

TEST_F(FuseCommand, InPlaceReplacesTheInput) {
  EXPECT_EQ(fuse({"--in-place", "--input_dims", kDims}).exit_code, 0);
  EXPECT_NE(test::bytes_of(in_), test::bytes_of(network("plain.script")));
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(FuseCommand, InPlaceKeepsThePermissions) {
  fs::permissions(in_, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fuse({"--in-place", "--input_dims", kDims}).exit_code, 0);
  EXPECT_EQ(fs::status(in_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(FuseCommand, AnyBytesAndAnyLengthAreAName) {
  const std::string odd = (folder_ / "\xff\xfe.pt").string();
  const ProgramResult result = fuse({"-o", odd, "--input_dims", kDims, "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(nlohmann::json::parse(result.out)["output"].is_string()) << result.out;
  EXPECT_TRUE(fs::exists(odd));
  EXPECT_EQ(run_fusekit({"bench", odd, odd, "--input_dims", kDims, "--processes", "1", "--max-time", "1"}).exit_code,
            0);
  const std::string name = (folder_ / (std::string(250, 'n') + ".pt")).string();
  for (int k = 0; k < 2; ++k) EXPECT_EQ(fuse({"-o", name, "--input_dims", kDims, "--force"}).exit_code, 0);
}

TEST_F(FuseCommand, BeyondTheToleranceNothingIsWritten) {
  const ProgramResult result = fuse({"-o", out_, "--input_dims", kDims, "--tolerance", "0"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("out.pt was not written: verification failed"), std::string::npos) << result.err;
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(FuseCommand, AFullOrReadOnlyDiskLeavesNothing) {
  const fs::path disk = folder_ / "disk";
  fs::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4k") != 0) GTEST_SKIP() << "mounting needs root";
  test::write_bytes(disk / "filler", std::string(4096, 'x'));  // what LibTorch 1.13 writes of this model would fit
  const ProgramResult full = fuse({"-o", (disk / "out.pt").string(), "--input_dims", kDims});
  const auto files = std::distance(fs::directory_iterator(disk), fs::directory_iterator());
  mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "");
  const ProgramResult read_only = fuse({"-o", (disk / "out.pt").string(), "--input_dims", kDims});
  umount(disk.c_str());
  expect_refusal(full, "No space left on device\nhint: free some space", 2);
  EXPECT_EQ(files, 1) << "beside the filler";
  expect_refusal(read_only, "can't be written", 2);
}

TEST_F(FuseCommand, AnInterruptLeavesNothing) {
  // `timeout` sends the signal; the inputs are so large that the verification takes far longer than that.
  const ProgramResult result = test::run_command({"timeout", "--preserve-status", "--signal=INT", "2", FUSEKIT_PROGRAM,
                                                  "fuse", in_.string(), "-o", out_, "--input_dims", "64,3,1024,1024"});
  expect_refusal(result, "interrupted", 1, 130);
}

}  // namespace
}  // namespace fusekit
