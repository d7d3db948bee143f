// Files of times, as other tools write them.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "fusekit/bench_analysis.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

using nlohmann::json;
using Groups = std::vector<std::vector<double>>;  // a process each

constexpr const char* kByteOrderMark = "\xEF\xBB\xBF";
constexpr const char* kObserver = "PyTorchObserver ";

Error no_time(const std::filesystem::path& path, int line, const std::string& what) {
  constexpr std::size_t most = 60;
  const std::string shown = what.size() > most ? what.substr(0, most) + "..." : what;
  return {ErrorKind::file, fmt::format("'{}', line {}: '{}' is no time", path.string(), line, shown),
          "one positive number a line; a blank line begins the times of another process"};
}

/// A positive number with nothing but separators behind it.
std::optional<double> number_in(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool is_one = end != text.c_str() && std::string(end).find_first_not_of(" \t\r,;") == std::string::npos;
  return is_one && value > 0 && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

void begin_process(Groups& groups) {
  if (!groups.back().empty()) groups.emplace_back();
}

/// A number a line.
Groups plain_times(const std::filesystem::path& path, std::istream& lines) {
  Groups groups(1);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) {
      begin_process(groups);
    } else if (line[first] != '#') {
      const auto value = number_in(line);
      if (!value) throw no_time(path, number, line);
      groups.back().push_back(*value);
    }
  }
  return groups;
}

/// speed_benchmark_torch's output with --report_pep, any number of times: PyTorchObserver {"type": "NET", "unit": "us",
/// "metric": "latency", "value": "6189.07"}
Groups observed_times(const std::filesystem::path& path, std::istream& lines) {
  Groups groups(1);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.starts_with("Starting benchmark")) begin_process(groups);
    if (!line.starts_with(kObserver)) continue;
    const json entry = json::parse(line.substr(std::string(kObserver).size()), nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || !entry.contains("value")) throw no_time(path, number, line);
    if (entry.value("type", "NET") != "NET") continue;  // of an operator
    const json& value = entry["value"];
    const auto time = number_in(value.is_string() ? value.get<std::string>() : value.dump());
    if (!time || entry.value("unit", "us") != "us") throw no_time(path, number, line);
    groups.back().push_back(*time);
  }
  return groups;
}

/// nullopt: there is no such unit.
std::optional<double> us_of(const std::string& unit) {
  static const std::map<std::string, double> units = {{"ns", 1e-3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}};
  const auto found = units.find(unit);
  return found == units.end() ? std::nullopt : std::optional(found->second);
}

/// `hyperfine --export-json` (times in seconds) or `--benchmark_format=json` of google-benchmark, of one command or
/// benchmark.
Groups json_times(const std::filesystem::path& path, const std::string& text) {
  const auto refuse = [&](const std::string& what) {
    return Error(ErrorKind::file, fmt::format("'{}' {}", path.string(), what),
                 "hyperfine's or google-benchmark's JSON of one command or benchmark, or text with a time a line");
  };
  try {
    const json document = json::parse(text);
    Groups groups(1);
    if (document.contains("results")) {
      if (document["results"].size() != 1) throw refuse("holds the times of several commands, or of none");
      for (const double seconds : document["results"][0].at("times").get<std::vector<double>>())
        groups.back().push_back(1e6 * seconds);
    } else {
      std::set<std::string> names;
      for (const json& each : document.at("benchmarks")) {
        if (each.value("run_type", "iteration") != "iteration") continue;  // a mean of others
        names.insert(each.value("run_name", each.value("name", "")));
        const auto us = us_of(each.value("time_unit", "ns"));
        if (!us) throw refuse("has a time_unit that is none of ns, us, ms and s");
        groups.back().push_back(*us * each.at("real_time").get<double>());
      }
      if (names.size() > 1) throw refuse("holds the times of several benchmarks");
    }
    for (const double us : groups.back())
      if (!(us > 0) || !std::isfinite(us)) throw refuse(fmt::format("has {} us among its times", us));
    return groups;
  } catch (const json::exception&) {
    throw refuse("is no JSON that hyperfine or google-benchmark writes");
  }
}

Groups times_in(const std::filesystem::path& path, const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') return json_times(path, text);
  std::istringstream lines(text);
  const bool is_observed = text.starts_with(kObserver) || text.find(std::string("\n") + kObserver) != std::string::npos;
  return is_observed ? observed_times(path, lines) : plain_times(path, lines);
}

}  // namespace

Groups read_recorded_times(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path))
    throw Error(ErrorKind::file, fmt::format("can't read '{}'", path.string()), "give a text file with a time a line");
  std::ostringstream content;
  content << file.rdbuf();
  std::string text = content.str();
  if (text.starts_with(kByteOrderMark)) text.erase(0, std::string_view(kByteOrderMark).size());
  Groups groups = times_in(path, text);
  if (groups.back().empty()) groups.pop_back();
  if (groups.empty()) throw Error(ErrorKind::file, fmt::format("'{}' holds no times", path.string()));
  return groups;
}

}  // namespace fusekit::bench
