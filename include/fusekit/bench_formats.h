#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/bench_report.h"

/// A report as text.
namespace fusekit::bench {

/// All facts, in the schema "fusekit.bench/2", which src/bench/README.md describes. With `traces` also the raw data in
/// `processes`: the median of every slot, and the time of each run where these are at most 20,000.
std::string to_json(const Report& report, bool traces = true);
/// Reads what to_json wrote, without the traces. Error{file}: `text` (from `origin`) is something else.
Report from_json(const std::string& text, const std::string& origin);
/// Writes the report as JSON without its traces, to be a baseline later, or as a page with charts (`json`: to_json's,
/// possibly with more fields). Replaces what is at `path` at once. Error{file}.
void save(const Report& report, const std::filesystem::path& path);
void save_page(const std::string& json, const std::filesystem::path& path);
/// Error{file} now where one of these would fail later because of the path. Writes nothing.
void check_save(const std::filesystem::path& path);
/// Reads what `save` wrote. Error{file}.
Report load(const std::filesystem::path& path);

/// A self-contained HTML page with charts of `json` (to_json's, possibly with more fields).
std::string html_page(const std::string& json);
std::string to_csv(const Report& report);       ///< one line per variant, RFC 4180
std::string to_markdown(const Report& report);  ///< a table and the verdicts, for a comment on a pull request
/// For a terminal with so many columns (0: any number): names are shortened, and percentiles left out and told as such.
std::string to_table(const Report& report, std::size_t columns = 0);
/// For a terminal: load, first inference, peak memory and a histogram of the times; "" where these were not measured.
std::string to_start_table(const Report& report, std::size_t columns = 0);
/// Throughput by batch size: one sentence for each model and setting that was run with several batch sizes.
std::vector<std::string> scaling_texts(const Report& report);
/// For a terminal: the layers that take most of the time, for each profile; "" where there is no profile.
std::string to_profile_table(const Report& report, std::size_t columns = 0);

}  // namespace fusekit::bench
