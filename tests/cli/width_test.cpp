// What is printed at a terminal has its width; what a script reads is as wide as it is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "cli/layout.h"
#include "cli/report_quantize.h"
#include "fusekit/columns.h"
#include "support/module.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit::cli {
namespace {

using test::has;

/// What fusekit prints on a terminal of so many columns.
std::string at_terminal(const std::vector<std::string>& words, unsigned short columns) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return "no terminal";
  const winsize size{50, columns, 0, 0};
  const int slave = ::open(ptsname(master), O_RDWR | O_NOCTTY);
  ioctl(slave, TIOCSWINSZ, &size);
  std::vector<char*> arguments = {const_cast<char*>(FUSEKIT_PROGRAM)};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(slave, STDOUT_FILENO);
    dup2(slave, STDERR_FILENO);
    unsetenv("COLUMNS");
    execv(FUSEKIT_PROGRAM, arguments.data());
    _exit(127);
  }
  ::close(slave);
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(master, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  ::close(master);
  waitpid(child, nullptr, 0);
  for (std::size_t at = 0; (at = text.find("\r\033[K")) != std::string::npos;) text.replace(at, 4, "\n");  // progress
  std::erase(text, '\r');
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string words_of(const std::string& text) {
  std::istringstream stream(text);
  std::string words;
  for (std::string word; stream >> word;) words += word + " ";
  return words;
}

TEST(Wrapping, BreaksBetweenWordsAndContinuesBelowTheLastColumn) {
  EXPECT_EQ(wrapped("one two three four", 9), "one two\n  three\n  four");
  EXPECT_EQ(wrapped("left  conv+bn  conv1, bn1: its reason", 30),
            "left  conv+bn  conv1, bn1: its\n               reason");
  EXPECT_EQ(wrapped("  (conv): Conv2d(3, 5, bias=False)", 24), "  (conv): Conv2d(3, 5,\n    bias=False)");
  EXPECT_EQ(wrapped("fits\n\nas it is", 20), "fits\n\nas it is");
  EXPECT_EQ(wrapped("a/path/that/is/longer/than/the/line", 10), "a/path/that/is/longer/than/the/line");
  EXPECT_EQ(wrapped("see a/path/that/is/longer/than here", 10), "see\n  a/path/that/is/longer/than\n  here");
  EXPECT_EQ(wrapped("µµµµ µµµµ", 9), "µµµµ µµµµ") << "columns are characters";
  EXPECT_EQ(wrapped("exactly ten", 11), "exactly ten");
  EXPECT_EQ(wrapped("one two three four", 0), "one two three four");
}

TEST(Names, AreShortenedInTheMiddleAndStayDifferent) {
  EXPECT_EQ(shortened(std::string("encoder.layers.0.attention"), 11), "encod…ntion");
  EXPECT_EQ(shortened(std::string("short"), 5), "short");
  EXPECT_EQ(shortened(std::string("µµµµµµ"), 3), "µ…µ");
  const std::vector<std::string> names = {"network_a_of_all", "network_b_of_all", "short"};
  for (const std::string& name : names) EXPECT_LE(columns_of(shortened(name, 10)), 10U);
  const std::vector<std::string> short_names = shortened(names, 11);
  EXPECT_NE(short_names[0], short_names[1]);
  EXPECT_EQ(shortened(names, 0), names);
  const std::vector<std::string> far = {std::string(30, 'a') + "1" + std::string(30, 'b'),
                                        std::string(30, 'a') + "2" + std::string(30, 'b')};
  EXPECT_EQ(shortened(far, 12), (std::vector<std::string>{"aa…1bbbbbbb…", "aa…2bbbbbbb…"}));
}

TEST(Names, OfLayersFitBesideTheirFigures) {
  QuantizeReport report;
  LayerCost cost;
  cost.int8 = true;
  cost.operation = "convolution";
  for (const char* end : {"query", "value"}) {
    cost.path = "encoder.layers.11.some.rather.deeply.nested.module.attention." + std::string(end);
    report.layers.push_back(cost);
  }
  for (const std::string& line : lines_of(quantize_explanation(report, 80))) EXPECT_LE(columns_of(line), 80U) << line;
  EXPECT_NE(lines_of(quantize_explanation(report, 80))[1], lines_of(quantize_explanation(report, 80))[2]);
  EXPECT_TRUE(has(quantize_explanation(report), cost.path));
}

TEST(AtATerminal, NoLineIsWiderThanIt) {
  const test::TemporaryFolder folder;
  const std::string file =
      (folder / ("a_network_with_a_long_name_" + std::string(30, 'x') + "_in_the_end.pt")).string();
  test::save_module(test::make_module("Net", {{"w", at::ones({2, 3})}},
                                      "def forward(self, x):\n    return torch.matmul(x, self.w)\n"),
                    file);
  const std::vector<std::vector<std::string>> calls = {{"--help"},
                                                       {"help", "bench"},
                                                       {"help", "fuse"},
                                                       {"help", "quantize"},
                                                       {"help", "verify"},
                                                       {"help", "example"},
                                                       {"inspect", file},
                                                       {"doctor", "--seconds", "0.1"},
                                                       {"fuse", "--list-rules"},
                                                       {"fuse", file, "--dry-run", "--explain"},
                                                       {"verify", file, file, "--input_dims", "1,2"}};
  for (const unsigned short columns : {60, 80})
    for (const auto& words : calls) {
      if (columns == 60 && words.front() != "help") continue;
      const std::string text = at_terminal(words, columns);
      EXPECT_GT(text.size(), 20U) << words.front();
      for (const std::string& line : lines_of(text))
        EXPECT_TRUE(columns_of(line) <= columns || !has(words_of(line).substr(0, words_of(line).size() - 1), " "))
            << words.front() << ": " << line;
    }
}

TEST(AtATerminal, HelpHasTheSameWordsAsInAPipe) {
  for (const char* command : {"bench", "fuse", "quantize", "verify", "inspect", "example", "doctor", "tune"}) {
    const std::string piped = test::run_fusekit({"help", command}).out;
    EXPECT_EQ(words_of(at_terminal({"help", command}, 80)), words_of(piped)) << command;
    EXPECT_EQ(test::run_fusekit({"help", command}, {"COLUMNS=60"}).out, piped) << "scripts read what they always read";
    for (const std::string& line : lines_of(piped))
      EXPECT_TRUE(!line.starts_with("  fusekit ") || columns_of(line) <= 80)
          << "no command to copy is wrapped: " << line;
  }
}

TEST(AtATerminal, JsonIsNotWrapped) {
  const test::ProgramResult piped = test::run_fusekit({"fuse", "--list-rules", "--json"});
  EXPECT_EQ(at_terminal({"fuse", "--list-rules", "--json"}, 40), piped.out);
}

TEST(Width, ControlCharactersAreShownAndNotSent) {
  EXPECT_EQ(without_control_characters("a\x1b[31m\xC2\x9B"
                                       "b\x7f\r\n\tc \xC3\xA9"),
            "a\\x1b[31m\\x9bb\\x7f\\x0d\n\tc \xC3\xA9");
  EXPECT_EQ(without_control_characters("\x9b"
                                       "31m\xE2\x82\xAC\xE2\x82"),
            "\\x9b31m\xE2\x82\xAC\\xe2\\x82");
  const auto result = test::run_fusekit({"inspect", "no\x1b[2Jfile"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.err, "no\\x1b[2Jfile")) << result.err;
  EXPECT_FALSE(has(result.err, "\x1b")) << result.err;
}

}  // namespace
}  // namespace fusekit::cli
