// A profile as text for a terminal: the layers where most time can be won, operators, and what is not theirs.
#include <fmt/ranges.h>

#include <algorithm>

#include "bench/text_table.h"
#include "fusekit/bench_formats.h"
#include "fusekit/columns.h"

namespace fusekit::bench {
namespace {

constexpr std::size_t kMostLayers = 15, kMostOperators = 6;
constexpr double kDisturbed = 1.2;  ///< whole runs against the sum of their parts

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string whole_percent(double share) {
  return share > 0 && share < 0.01 ? "<1 %" : fmt::format("{:.0f} %", 100 * share);
}

std::string name_of(Bound bound) {
  return bound == Bound::compute ? "compute" : bound == Bound::memory ? "memory" : "call";
}

/// `work` a second of `us`, in units of 1e9; "-" where there is none.
std::string rate(double work, double us) { return work > 0 && us > 0 ? figure(1e-3 * work / us) : "-"; }

/// Rows of times; all have the same columns.
class ProfileRows {
 public:
  ProfileRows(const Profile& profile, const std::string& what, const std::string& last) : profile_(profile) {
    rows_ = {{what, "us", "share", "GFLOP/s", "GB/s", "reached", "to win us", "bound by", last}};
  }

  void add(const std::string& name, const LayerTime& layer, const std::string& last) {
    const bool is_known = layer.attainable_us && layer.us > 0;
    rows_.push_back({name, figure(layer.us), percent(layer.us / profile_.forward_us), rate(layer.flops, layer.us),
                     rate(layer.bytes, layer.us), is_known ? whole_percent(*layer.attainable_us / layer.us) : "-",
                     is_known ? figure(layer.gain_us()) : "-", is_known ? name_of(layer.bound) : "-", last});
  }

  /// What is no operator's.
  void add(const std::string& name, double us) {
    rows_.push_back({name, figure(us), percent(us / profile_.forward_us), "", "", "", "", "", ""});
  }

  [[nodiscard]] std::string text(std::size_t columns) {
    if (columns > 0) shorten(rows_, rows_.front().size() - 1, columns * 3 / 8);
    fit(rows_, columns, {"GB/s", "GFLOP/s", "bound by", "to win us", "reached"});
    const bool tells_bound = rows_.front().at(rows_.front().size() - 2) == "bound by";
    return aligned(rows_, rows_.front().size() - (tells_bound ? 3 : 2));
  }

 private:
  const Profile& profile_;
  std::vector<Row> rows_;
};

LayerTime sum_of(const std::vector<LayerTime>& layers, std::size_t from) {
  std::vector<LayerTime> rest;
  for (std::size_t i = from; i < layers.size(); ++i) {
    rest.push_back(layers[i]);
    rest.back().op = "";
  }
  return sum_by_operator(rest).front();
}

std::string layer_table(const Profile& profile, std::size_t columns) {
  std::vector<LayerTime> layers = profile.layers;
  std::stable_sort(layers.begin(), layers.end(),
                   [](const auto& a, const auto& b) { return a.gain_us() > b.gain_us(); });
  ProfileRows rows(profile, "layer", "operator");
  for (std::size_t i = 0; i < std::min(layers.size(), kMostLayers); ++i)
    rows.add(layers[i].scope.empty() ? "-" : layers[i].scope, layers[i],
             layers[i].calls > 1.005 ? fmt::format("{} x{:.3g}", layers[i].op, layers[i].calls) : layers[i].op);
  if (layers.size() > kMostLayers)
    rows.add(fmt::format("{} more", layers.size() - kMostLayers), sum_of(layers, kMostLayers), "");
  rows.add("between operators", profile.between_us());
  if (profile.plain_us > 0) rows.add("the observer", profile.observer_us());
  return rows.text(columns);
}

std::string operator_table(const Profile& profile, std::size_t columns) {
  const std::vector<LayerTime> operators = sum_by_operator(profile.layers);
  ProfileRows rows(profile, "operator", "calls");
  for (std::size_t i = 0; i < std::min(operators.size(), kMostOperators); ++i)
    rows.add(operators[i].op, operators[i], fmt::format("{:.3g}", operators[i].calls));
  if (operators.size() > kMostOperators)
    rows.add(fmt::format("{} more", operators.size() - kMostOperators), sum_of(operators, kMostOperators), "");
  return rows.text(columns);
}

/// "this machine reaches 71 GFLOP/s in float; 9.2 GB/s from memory, 48 from its caches; ..."
std::string reached_text(const MachineSpeed& machine) {
  std::vector<std::string> parts;
  for (const auto& [dtype, flops] : machine.flops_per_second)
    parts.push_back(fmt::format("{} G{}/s in {}", figure(1e-9 * flops), dtype == "int8" ? "OP" : "FLOP", dtype));
  if (!machine.bandwidth.empty())
    parts.push_back(fmt::format("{} GB/s from memory, {} from the nearest cache",
                                figure(1e-9 * machine.bandwidth.back().bytes_per_second),
                                figure(1e-9 * machine.bandwidth.front().bytes_per_second)));
  return fmt::format("measured beside it on {} thread{}: {}", machine.threads, machine.threads == 1 ? "" : "s",
                     fmt::join(parts, "; "));
}

}  // namespace

std::string to_profile_table(const Report& report, std::size_t columns) {
  std::string text;
  for (const Profile& profile : report.profiles) {
    if (!text.empty()) text += "\n\n";
    text += fmt::format("{}: {} us a run", profile.label, figure(profile.forward_us));
    const bool was_disturbed = profile.plain_us > kDisturbed * profile.forward_us;
    text += was_disturbed          ? fmt::format(" undisturbed; other programs made it {}\n", figure(profile.plain_us))
            : profile.plain_us > 0 ? fmt::format(" ({} without the observer)\n", figure(profile.plain_us))
                                   : std::string(" under the observer\n");
    if (!profile.machine.bandwidth.empty()) text += reached_text(profile.machine) + "\n";
    text += layer_table(profile, columns) + "\n\n" + operator_table(profile, columns);
    const double faults_us = profile.page_faults * profile.machine.fault_us;
    if (profile.plain_us > 0)
      text += fmt::format("\npage faults: {:.0f} a run, about {} us of these times", profile.page_faults,
                          figure(faults_us));
    const std::vector<std::string> next = next_bottlenecks(profile);
    for (std::size_t i = 0; i < next.size(); ++i) text += fmt::format("\n{} {}", i == 0 ? "next:" : "     ", next[i]);
  }
  return text;
}

}  // namespace fusekit::bench
