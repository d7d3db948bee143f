#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "file/load.h"
#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/verify.h"
#include "fusekit/write.h"
#include "support/temporary_folder.h"

// Whole networks, made by make_cases.py, on which fusing goes wrong easily. cases.tsv says for each how many places may
// be fused; what is written has to compute what the original does, state and printed text included.

namespace fusekit {
namespace {

struct Case {
  std::string name;
  std::string dims;
  std::string type;
  int fused = 0;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

std::filesystem::path folder() { return std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/cases"; }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  std::ifstream file(folder() / "cases.tsv");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    Case given;
    std::string fused;
    std::getline(fields, given.name, '\t');
    std::getline(fields, given.dims, '\t');
    std::getline(fields, given.type, '\t');
    std::getline(fields, fused, '\t');
    given.fused = std::stoi(fused);
    cases.push_back(given);
  }
  return cases;
}

class Cases : public testing::TestWithParam<Case> {
 protected:
  Case given_ = GetParam();
  std::filesystem::path input_ = folder() / (given_.name + ".pt");
  test::TemporaryFolder work_;

  InputOptions inputs() const {
    InputOptions options;
    options.dims = parse_dims(given_.dims);
    options.types = {given_.type};
    return options;
  }

  FusionReport fuse_to(const std::filesystem::path& output) const {
    Model model = read(input_);
    FuseOptions options;
    options.inputs = inputs();
    FusionReport fusion = fuse(model, options);
    WriteOptions checked;
    checked.verify.inputs = options.inputs;
    EXPECT_TRUE(write(std::move(model), output, checked).written);
    return fusion;
  }
};

TEST_P(Cases, FusesWhatIsRightAndComputesTheSame) {
  const FusionReport fusion = fuse_to(work_ / "out.pt");
  EXPECT_EQ(fusion.fused(), static_cast<std::size_t>(given_.fused));
  VerifyOptions options;
  options.inputs = inputs();
  const VerifyReport report = verify(input_, work_ / "out.pt", options);
  EXPECT_TRUE(report.passed) << report.failure;
}

TEST_P(Cases, TheOutputIsAsLargeAsItsWeightsAndNeedsNoSecondFuse) {
  fuse_to(work_ / "out.pt");
  EXPECT_LT(std::filesystem::file_size(work_ / "out.pt"), 1.2 * std::filesystem::file_size(input_) + 4096);
  Model again = read(work_ / "out.pt");
  const FusionReport second = fuse(again);
  for (const FusionSite& entry : second.entries)
    EXPECT_TRUE(!entry.fused || entry.as_found) << entry.rule << " changed something at " << entry.modules.front();
}

INSTANTIATE_TEST_SUITE_P(All, Cases, testing::ValuesIn(all_cases()), [](const auto& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

TEST(CasesFolder, IsThere) { EXPECT_GT(all_cases().size(), 50U); }

TEST(CasesFolder, ExtraFilesSurvive) {
  const test::TemporaryFolder work;
  write_unverified(read(folder() / "extra_files.script.pt"), work / "out.pt");
  ir::ExtraFiles extra{{"notes.txt", ""}, {"labels/en.txt", ""}};
  torch::jit::load((work / "out.pt").string(), at::kCPU, extra);
  EXPECT_EQ(extra["notes.txt"], "kept");
  EXPECT_EQ(extra["labels/en.txt"], "cat,dog");
}

TEST(CasesFolder, TheSameProgramGivesTheSameBytesUnderAnyName) {
  const test::TemporaryFolder work;
  for (const char* name : {"a.pt", "another_name.pt"}) {
    Model model = read(folder() / "control_flow.script.pt");
    fuse(model);
    write_unverified(std::move(model), work / name);
  }
  EXPECT_EQ(test::bytes_of(work / "a.pt"), test::bytes_of(work / "another_name.pt"));
}

TEST(CasesFolder, AnotherMethodIsKept) {
  const test::TemporaryFolder work;
  write_unverified(read(folder() / "other_method.script.pt"), work / "out.pt");
  VerifyOptions options;
  options.inputs.dims = {{1, 3, 5, 5}};
  options.method = "features";
  const VerifyReport report = verify(folder() / "other_method.script.pt", work / "out.pt", options);
  EXPECT_TRUE(report.passed) << report.failure;
}

}  // namespace
}  // namespace fusekit
