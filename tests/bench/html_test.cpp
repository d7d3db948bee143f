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

constexpr const char* kBrowser = "/usr/bin/chromium";
constexpr const char* kNoBrowser = "NOT TESTED: the page in a browser (apt-get install chromium)";

/// The page as a browser has it in a window of that width, in pixels.
std::string in_browser(const std::string& page, int width) {
  const fusekit::test::TemporaryFolder folder;
  fusekit::test::write_bytes(folder / "page.html", page);
  const auto result = fusekit::test::run_command(
      {"timeout", "300", kBrowser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
       "--enable-logging=stderr", "--user-data-dir=" + (folder / "profile").string(), "--virtual-time-budget=2000",
       "--window-size=" + std::to_string(width) + ",2000", "--dump-dom", "file://" + (folder / "page.html").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err.find("CONSOLE"), std::string::npos) << result.err;
  return result.out;
}

TEST(HtmlPage, DrawsWithoutAnErrorInABrowser) {
  if (!std::filesystem::exists(kBrowser)) GTEST_SKIP() << kNoBrowser;
  const std::string drawn = in_browser(page_of(kHostile), 1280);
  EXPECT_NE(drawn.find("data-ready=\"yes\""), std::string::npos) << drawn.substr(0, 2000);
  EXPECT_GE(count_of(drawn, "<svg"), 4U);
  EXPECT_GT(count_of(drawn, "<rect"), 20U);
  EXPECT_NE(drawn.find(">OMP_WAIT_POLICY=passive</td>"), std::string::npos);
  EXPECT_NE(drawn.find("<th scope=\"col\">warm-up runs</th>"), std::string::npos);
  EXPECT_EQ(drawn.find(">streams</th>"), std::string::npos) << "a column without a figure";
  EXPECT_NE(drawn.find("&lt;/script&gt;&lt;script&gt;alert(1)"), std::string::npos);
}

TEST(HtmlPage, NotesStandApartAndSharedInputsAreSaidOnce) {
  if (!std::filesystem::exists(kBrowser)) GTEST_SKIP() << kNoBrowser;
  test::FakeClock clock;
  test::FakeLauncher launcher({.run_us = {20000, 10000, 5000}}, clock, 1);
  auto variants = test::variants(3);
  for (Variant& variant : variants) variant.inputs = "7x5x3 int";
  Report report = measure(variants, {}, launcher, clock);
  report.warnings = {"the machine was busy"};
  report.noise.steal = 0.0686051794;
  const std::string drawn = in_browser(html_page(to_json(report)), 1280);
  const std::string seen = drawn.substr(0, drawn.find("<script type"));
  EXPECT_EQ(count_of(seen, "7x5x3 int"), 1U);
  const std::size_t verdicts = seen.find("id=\"verdicts\"");
  EXPECT_EQ(seen.substr(verdicts, seen.find("</ul>", verdicts) - verdicts).find("busy"), std::string::npos);
  EXPECT_NE(seen.find("<li>the machine was busy</li>", seen.find("id=\"notes\"")), std::string::npos);
  EXPECT_NE(seen.find("6.9 %"), std::string::npos) << "rounded";
  EXPECT_FALSE(std::regex_search(seen, std::regex(">[0-9]+\\.[0-9]{5,}"))) << "not rounded";
}

/// Measures the drawn page, and notes what it found in the body's attributes.
constexpr const char* kMeasure = R"js(<script>
const seen = [...document.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 0);
const charts = seen.filter((svg) => svg.getAttribute("role") === "img");
const body = document.body.dataset;
body.fits = document.documentElement.scrollWidth <= innerWidth &&
  [...document.querySelectorAll("table")].every((table) => table.getBoundingClientRect().right <= innerWidth);
body.scale = Math.min(...seen.map((svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)).toFixed(2);
body.ticks = charts.every((svg) => svg.querySelectorAll(".tick").length >= 2 && svg.textContent.includes("(logarithmic)"));
body.apart = charts.every((svg) => {
  const boxes = [...svg.querySelectorAll("text")].map((text) => text.getBoundingClientRect());
  return boxes.every((a, i) => boxes.every((b, j) => i >= j || a.right < b.left || b.right < a.left ||
    a.bottom <= b.top + 2 || b.bottom <= a.top + 2));
});
body.charts = charts.length;
body.width = innerWidth;
</script>)js";

TEST(HtmlPage, IsDrawnForTheWidthOfTheWindow) {
  if (!std::filesystem::exists(kBrowser)) GTEST_SKIP() << kNoBrowser;
  const std::string page = page_of("a_network_with_a_rather_long_name_" + std::string(40, 'x') + "_for_a_file.pt");
  const std::size_t end = page.rfind("</body>");
  for (const int width : {400, 700, 1280}) {
    const std::string drawn = in_browser(page.substr(0, end) + kMeasure + page.substr(end), width);
    for (const char* fact : {"data-fits=\"true\"", "data-scale=\"1.00\"", "data-ticks=\"true\"", "data-apart=\"true\"",
                             "data-charts=\"4\""})
      EXPECT_NE(drawn.find(fact), std::string::npos)
          << width << ": no " << fact << " in " << drawn.substr(drawn.find("<body"), 200);
  }
}

}  // namespace
}  // namespace fusekit::bench
