// The HTML page: its contents, the escaping of names, and (where chromium is installed) that it draws without errors.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "bench/fake.h"
#include "fusekit/bench.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace fusekit::bench {
namespace {

constexpr const char* kHostile = "</script><script>alert(1)</script><b>&\"'.pt";

std::string page_of(const std::string& label) {
  test::FakeClock clock;
  test::FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  auto variants = test::variants(2);
  variants[1].label = label;
  variants[1].environment = {"OMP_WAIT_POLICY=passive"};
  variants[1].samples = 8;
  return html_page(to_json(measure(variants, {.profile = true}, launcher, clock)));
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(HtmlPage, HoldsTheReportAndEscapesNames) {
  const std::string page = page_of(kHostile);
  EXPECT_EQ(count_of(page, "</script"), 2U);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  const std::string begin = "id=\"data\">";
  const std::size_t from = page.find(begin) + begin.size();
  const auto data = nlohmann::json::parse(page.substr(from, page.find("</script", from) - from));
  EXPECT_EQ(data["outcomes"][1]["label"], kHostile);
  EXPECT_FALSE(data["processes"][0]["blocks"][0][0]["run_us"].empty());
  EXPECT_EQ(data["profiles"].size(), 2U);
}

TEST(HtmlPage, PlaceholdersInNamesStayAsTheyAre) {
  const std::string plain = page_of("LABEL");
  const std::string page = page_of("@SCRIPT@@STYLE@@DATA@");
  EXPECT_EQ(count_of(page, "@SCRIPT@@STYLE@@DATA@"), count_of(plain, "LABEL"));
}

TEST(HtmlPage, LoadsNothingFromElsewhere) {
  const std::string page = page_of("b.pt");
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  const std::regex address("(src|href)\\s*=\\s*[\"']?(https?:|//)|@import|url\\(|fetch\\(|XMLHttpRequest|innerHTML");
  EXPECT_FALSE(std::regex_search(page, address));
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
}

TEST(HtmlPage, DrawsWithoutAnErrorInABrowser) {
  if (!std::filesystem::exists("/usr/bin/chromium"))
    GTEST_SKIP() << "NOT TESTED: the page in a browser (apt-get install chromium)";
  const fusekit::test::TemporaryFolder folder;
  fusekit::test::write_bytes(folder / "page.html", page_of(kHostile));
  const auto result = fusekit::test::run_command(
      {"timeout", "300", "/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
       "--enable-logging=stderr", "--user-data-dir=" + (folder / "profile").string(), "--virtual-time-budget=2000",
       "--dump-dom", "file://" + (folder / "page.html").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err.find("CONSOLE"), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("data-ready=\"yes\""), std::string::npos) << result.out.substr(0, 2000);
  EXPECT_GE(count_of(result.out, "<svg"), 4U);
  EXPECT_GT(count_of(result.out, "<rect"), 20U);
  EXPECT_NE(result.out.find("<td>OMP_WAIT_POLICY=passive</td>"), std::string::npos);
  EXPECT_NE(result.out.find("<th scope=\"col\">warm-up runs</th>"), std::string::npos);
  EXPECT_EQ(result.out.find("<th scope=\"col\">streams</th>"), std::string::npos) << "a column without a figure";
  EXPECT_NE(result.out.find("&lt;/script&gt;&lt;script&gt;alert(1)"), std::string::npos);
}

}  // namespace
}  // namespace fusekit::bench
