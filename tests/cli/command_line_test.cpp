// Words that are wrong, words that ask for text, and errors as JSON.
#include <gtest/gtest.h>
#include <torch/version.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/command.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit::cli {
namespace {

using test::has;
using test::run_fusekit;

TEST(CommandLine, UnknownWordsAreNamedWithTheNearestRightOne) {
  const auto told = [](std::vector<std::string> words) {
    const auto result = run_fusekit(std::move(words));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  EXPECT_EQ(told({"fuze", "a.pt"}), "error: there is no command fuze\nhint: did you mean fuse? see `fusekit --help`\n");
  EXPECT_EQ(told({"deploy"}), "error: there is no command deploy\nhint: see `fusekit --help`\n");
  EXPECT_EQ(told({"fuse", "a.pt", "--ouput", "b.pt"}),
            "error: fusekit fuse has no option --ouput\nhint: did you mean --output? see `fusekit fuse --help`\n");
  EXPECT_EQ(
      told({"fuse", "a.pt", "--input-dim=1,2"}),
      "error: fusekit fuse has no option --input-dim\nhint: did you mean --input-dims? see `fusekit fuse --help`\n");
  EXPECT_EQ(told({"inspect", "a.pt", "b.pt"}),
            "error: fusekit inspect has no use for \"b.pt\"\nhint: see `fusekit inspect --help`\n");
  EXPECT_EQ(told({"--versoin"}),
            "error: fusekit has no option --versoin\nhint: did you mean --version? see `fusekit --help`\n");
  EXPECT_TRUE(has(told({"help", "fuze"}), "there is no command fuze"));
  EXPECT_TRUE(has(told({"fuze", "--help"}), "there is no command fuze"));
  EXPECT_TRUE(has(told({}), "command is required"));
}

TEST(CommandLine, HelpIsACommandToo) {
  EXPECT_EQ(run_fusekit({"help"}).out, run_fusekit({"--help"}).out);
  for (const auto& command : all_commands()) {
    if (command->hidden()) continue;
    const auto help = run_fusekit({"help", command->name()});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_EQ(help.out, run_fusekit({command->name(), "--help"}).out);
    EXPECT_TRUE(has(help.out, command->example())) << help.out;
  }
  const std::string all = run_fusekit({"--help"}).out;
  for (const char* part : {"Exit codes:", "130 interrupted", "NO_COLOR", "TERM=dumb"})
    EXPECT_TRUE(has(all, part)) << all;
}

TEST(CommandLine, WhatReadsInputsTakesThemAlike) {
  for (const char* command : {"fuse", "quantize", "verify", "bench"}) {
    const std::string help = run_fusekit({command, "--help"}).out;
    for (const char* word : {"--inputs PATH", ".pt", ".npy", ".npz", ".png", ".jpg", "folder", "Pictures (", "--resize",
                             "--crop", "--mean", "--std"})
      EXPECT_NE(help.find(word), std::string::npos) << command << ": " << word;
  }
}

TEST(CommandLine, TheVersionTellsLibTorchs) {
  const auto result = run_fusekit({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, std::string("fusekit ") + FUSEKIT_VERSION + " (LibTorch " + TORCH_VERSION + ")\n");
}

/// Every flag of every command's help, which comes from another place of CLI11 than the table does.
std::set<std::string> flags_in_help(const std::string& command) {
  std::set<std::string> flags;
  std::istringstream help(run_fusekit({command, "--help"}).out);
  for (std::string line; std::getline(help, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream names(line.substr(2, line.find_first_of(" [", 2) - 2));
    for (std::string name; std::getline(names, name, ',');) flags.insert(name.substr(0, name.find('{')));
  }
  return flags;
}

TEST(CommandLine, CompletionsAndManPagesKnowEveryFlag) {
  const test::TemporaryFolder folder;
  std::map<std::string, std::string> scripts;
  for (const char* shell : {"bash", "zsh", "fish"}) scripts[shell] = run_fusekit({"--completion", shell}).out;
  for (const auto& command : all_commands()) {
    if (command->hidden()) {
      for (const auto& [shell, script] : scripts) EXPECT_FALSE(has(script, command->name())) << shell;
      continue;
    }
    const std::string page = run_fusekit({"--man-page", command->name()}).out;
    EXPECT_TRUE(has(page, ".SH EXIT STATUS")) << page;
    const std::set<std::string> flags = flags_in_help(command->name());
    EXPECT_GT(flags.size(), 4U);
    for (const std::string& flag : flags) {
      std::string in_roff;
      for (const char c : flag) in_roff += c == '-' ? "\\-" : std::string(1, c);
      EXPECT_TRUE(has(page, in_roff)) << command->name() << " " << flag;
      EXPECT_TRUE(has(scripts["bash"], flag)) << flag;
      EXPECT_TRUE(has(scripts["zsh"], "'*" + flag)) << flag;
      EXPECT_TRUE(has(scripts["fish"], flag.starts_with("--") ? "-l " + flag.substr(2) : "-s " + flag.substr(1)))
          << flag;
    }
  }
  test::write_bytes(folder / "fusekit.bash",
                    scripts["bash"] +
                        "COMP_WORDS=(fusekit fuse --outp) COMP_CWORD=2\n_fusekit\necho \"${COMPREPLY[@]}\"\n"
                        "COMP_WORDS=(fusekit qua) COMP_CWORD=1\n_fusekit\necho \"${COMPREPLY[@]}\"\n");
  EXPECT_EQ(test::run_command({"bash", (folder / "fusekit.bash").string()}).out, "--output\nquantize\n");
  EXPECT_EQ(run_fusekit({"--completion", "tcsh"}).exit_code, 2);
  EXPECT_EQ(run_fusekit({"--man-page", "nothing"}).exit_code, 2);
}

TEST(CommandLine, ErrorsAreJsonUnderJson) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"inspect", "/nowhere/none.pt", "--json"}, {"verify", "/nowhere/none.pt", "/nowhere/none.pt", "--json"}}) {
    const auto result = run_fusekit(words);
    EXPECT_EQ(result.exit_code, 2);
    const auto document = nlohmann::json::parse(result.out);
    EXPECT_EQ(document["error"]["kind"], "file");
    EXPECT_EQ(document["error"]["message"], "/nowhere/none.pt: no such file");
    EXPECT_EQ(document["error"]["hint"], "check the path");
    EXPECT_TRUE(has(result.err, "error: /nowhere/none.pt: no such file")) << "people read it, too";
  }
  const auto wrong = run_fusekit({"fuze", "--json"});
  EXPECT_EQ(nlohmann::json::parse(wrong.out)["error"]["kind"], "usage");
}

}  // namespace
}  // namespace fusekit::cli
