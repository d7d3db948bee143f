#include "file/code_depth.h"

#include <gtest/gtest.h>
#include <zip.h>

#include "file/load.h"
#include "fusekit/error.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;

constexpr int kFarTooDeep = 2000;

std::string times(const std::string& text, int count) {
  std::string all;
  for (int k = 0; k < count; ++k) all += text;
  return all;
}

std::string blocks(int count, const std::string& header) {
  std::string all;
  for (int k = 0; k < count; ++k) all += std::string(static_cast<std::size_t>(k), ' ') + header + "\n";
  return all;
}

TEST(CodeDepth, CountsWhateverTheParserGoesIntoItselfFor) {
  for (const std::string& code : {times("(", kFarTooDeep), times("torch.neg(", kFarTooDeep), times("[", kFarTooDeep),
                                  "y = " + times("-", kFarTooDeep) + "1", "y = " + times("not ", kFarTooDeep) + "x",
                                  "y = x" + times(" + x", kFarTooDeep), "y = x" + times(" +\\\n  x", kFarTooDeep),
                                  "y = x" + times(".x", kFarTooDeep), "y = x" + times("(x)", kFarTooDeep),
                                  "y = (x" + times("\n + x", kFarTooDeep) + ")",
                                  "x : Optional[" + times("List[", kFarTooDeep), "# type: " + times("(", kFarTooDeep),
                                  blocks(kFarTooDeep, "if x:"), "if x:\n  y\n" + times("elif x:\n  y\n", kFarTooDeep)})
    EXPECT_GE(file::code_depth(code), kFarTooDeep) << code.substr(0, 50);
}

TEST(CodeDepth, IsSmallWhereManyThingsStandSideBySide) {
  for (const std::string& code :
       {times("y = torch.neg(x)\n", kFarTooDeep), "y = [" + times("x, ", kFarTooDeep) + "]",
        times("if x:\n  y\nelse:\n  y\n", kFarTooDeep), times("if x:\n  y\nelif x:\n  y\n", kFarTooDeep),
        "y = \"" + times("(", kFarTooDeep) + "\"", "y = '\\'" + times("[", kFarTooDeep) + "'",
        "y = \"\"\"\"\n" + times("(", kFarTooDeep) + "\"\"\"", "# " + times("(", kFarTooDeep), times(")", kFarTooDeep)})
    EXPECT_LE(file::code_depth(code), 20) << code.substr(0, 50);
}

TEST(CodeDepth, ReadsStringsToTheirEndAlone) {
  const std::string deep = times("(", kFarTooDeep);
  EXPECT_GE(file::code_depth("y = \"\\\\\" + " + deep), kFarTooDeep);
  EXPECT_GE(file::code_depth("y = 'a\"' + 'b' + " + deep), kFarTooDeep);
  EXPECT_GE(file::code_depth("y = \"\"\"a\"\"\" + " + deep), kFarTooDeep);
  EXPECT_LE(file::code_depth("y = \"no end\n" + deep), 20);  // the lexer stops there
  EXPECT_LE(file::code_depth("y = \"" + times("\\\"", 500'000)), 20);
}

class CodeDepthOfFile : public testing::Test {
 protected:
  /// A network that computes `expression` of its input x.
  fs::path with_code(const std::string& expression) {
    fs::path path = folder_ / "model.pt";
    test::make_module("M", {}, "def forward(self, x):\n    return x + 12345\n").save(path.string());
    zip_t* archive = zip_open(path.c_str(), 0, nullptr);
    zip_uint64_t index = 0;
    while (!std::string(zip_get_name(archive, index, 0)).ends_with(".py")) ++index;
    std::string code(100'000, '\0');
    zip_file_t* file = zip_fopen_index(archive, index, 0);
    code.resize(static_cast<std::size_t>(zip_fread(file, code.data(), code.size())));
    zip_fclose(file);
    const std::size_t begin = code.find("return ") + 7;
    code.replace(begin, code.find('\n', begin) - begin, expression);
    zip_source_t* source = zip_source_buffer(archive, code.data(), code.size(), 0);
    zip_file_replace(archive, index, source, 0);
    zip_close(archive);
    return path;
  }

  test::TemporaryFolder folder_;
};

TEST_F(CodeDepthOfFile, IsRefusedWhereTheParserWouldCrash) {
  const fs::path path = with_code(times("torch.neg(", kFarTooDeep) + "x" + times(")", kFarTooDeep));
  try {
    file::load(path);
    FAIL() << "loaded";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find(".py is nested too deep"), std::string::npos) << error.message();
  }
}

TEST_F(CodeDepthOfFile, MayBeMuchLargerThanAnyNetworks) {
  torch::jit::Module module = file::load(with_code(times("torch.neg(", 200) + "x" + times(")", 200))).module;
  EXPECT_EQ(module.forward({at::ones({1})}).toTensor().item<float>(), 1);
}

}  // namespace
}  // namespace fusekit
