#include "cli/flags.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit::cli {
namespace {

namespace fs = std::filesystem;

TEST(Flags, OptionsAreCalledByTheirFlags) {
  EXPECT_EQ(in_flags("give InputOptions::dims and InputOptions::types"), "give --input_dims and --input_type");
  EXPECT_EQ(in_flags("use RuntimeOptions::engine = qnnpack"), "use --engine qnnpack");
  EXPECT_EQ(in_flags("bench::OnceOptions::warmup, bench::Options::warmup"), "--warmup, --warmup");
  EXPECT_EQ(in_flags("MyInputOptions::dims, InputOptions::dimsum, a::InputOptions::dims"),
            "MyInputOptions::dims, InputOptions::dimsum, a::InputOptions::dims");
  EXPECT_EQ(in_flags("std::move(x) = 3"), "std::move(x) = 3");
}

TEST(Flags, TheProgramSpeaksOfThemOnly) {
  const test::TemporaryFolder folder;
  const auto result = test::run_fusekit({"inspect", (folder / "none.npy").string(), "--library", "/none.so"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(test::has(result.err, "--library /none.so: ")) << result.err;
}

/// The string literals of all rooms behind the command line, comments left out.
std::vector<std::pair<std::string, std::string>> literals_of_the_library() {
  static const std::regex literal(R"re("((?:[^"\\\n]|\\.)*)")re");
  std::vector<std::pair<std::string, std::string>> all;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(fs::path(FUSEKIT_SOURCE_DIR) / "src")) {
    const std::string path = entry.path().string();
    if (!(path.ends_with(".cpp") || path.ends_with(".h")) || test::has(path, "/src/cli/")) continue;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      line = line.substr(0, line.find("///"));
      if (line.starts_with("#include")) continue;
      for (std::sregex_iterator it(line.begin(), line.end(), literal), end; it != end; ++it)
        all.emplace_back(path, (*it)[1]);
    }
  }
  return all;
}

TEST(Flags, TheLibraryKnowsNone) {
  static const std::regex flag("(^|[ (\"'`])--[a-z]");
  const auto literals = literals_of_the_library();
  EXPECT_GT(literals.size(), 1000U);
  for (const auto& [path, text] : literals) EXPECT_FALSE(std::regex_search(text, flag)) << path << ": " << text;
}

TEST(Flags, EveryOptionThatTheLibrarySpeaksOfHasOne) {
  static const std::regex option(R"((?:bench::)?[A-Z]\w*(?:Options|Arguments|Variant)::[a-z]\w*|bench::Options::\w+)");
  std::size_t found = 0;
  for (const auto& [path, text] : literals_of_the_library())
    for (std::sregex_iterator it(text.begin(), text.end(), option), end; it != end; ++it, ++found)
      EXPECT_NE(in_flags(it->str()), it->str()) << path << ": " << text;
  EXPECT_GT(found, 40U);
}

TEST(Flags, EveryOptionOfTheTableIsThere) {
  std::string headers;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(FUSEKIT_SOURCE_DIR) / "include/fusekit"))
    headers += test::bytes_of(entry.path());
  for (const OptionFlag& entry : option_flags()) {
    const auto colons = entry.option.rfind("::");
    const std::string rest(entry.option.substr(colons + 2));  // "check_baseline's allow_mismatch": the function
    const std::regex member("\\b" + rest.substr(0, rest.find('\'')) + "\\b");
    EXPECT_TRUE(std::regex_search(headers, member)) << entry.option;
  }
}

}  // namespace
}  // namespace fusekit::cli
