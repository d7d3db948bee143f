#include "doctor/system.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

namespace fusekit::doctor {
namespace {

namespace fs = std::filesystem;

/// The first line; empty where the file can't be read.
std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<double> number_in(const fs::path& path) {
  std::istringstream stream(first_line(path));
  double value = 0;
  return stream >> value ? std::optional(value) : std::nullopt;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// The kernel's names of features and ours; several flags may mean the same feature.
constexpr std::array<std::pair<const char*, const char*>, 12> kFeatures = {{{"avx", "avx"},
                                                                            {"avx2", "avx2"},
                                                                            {"avx512f", "avx512"},
                                                                            {"avx512_vnni", "vnni"},
                                                                            {"avx_vnni", "vnni"},
                                                                            {"avx512_bf16", "bf16"},
                                                                            {"amx_bf16", "bf16"},
                                                                            {"amx_int8", "amx"},
                                                                            {"asimddp", "dotprod"},
                                                                            {"i8mm", "i8mm"},
                                                                            {"bf16", "bf16"},
                                                                            {"sve", "sve"}}};

void read_features(const std::string& flags, CpuFacts& cpu) {
  std::istringstream words(flags);
  std::set<std::string> present;
  for (std::string word; words >> word;) present.insert(word);
  for (const auto& [flag, feature] : kFeatures)
    if (present.count(flag) > 0 && std::find(cpu.features.begin(), cpu.features.end(), feature) == cpu.features.end())
      cpu.features.emplace_back(feature);
}

/// /proc/cpuinfo: x86's "flags" and "model name", Arm's "Features"; cores counted by (physical id, core id).
void read_cpuinfo(const fs::path& path, CpuFacts& cpu) {
  std::ifstream file(path);
  std::set<std::pair<std::string, std::string>> cores;
  std::string package;
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = trimmed(line.substr(0, colon));
    const std::string value = trimmed(line.substr(colon + 1));
    if (key == "processor") ++cpu.logical;
    if (key == "model name" && cpu.model.empty()) cpu.model = value;
    if (key == "cpu MHz") cpu.megahertz = std::max(cpu.megahertz, std::atof(value.c_str()));
    if (key == "physical id") package = value;
    if (key == "core id") cores.emplace(package, value);
    if (key == "flags") cpu.architecture = "x86_64";
    if (key == "Features") cpu.architecture = "aarch64";
    if ((key == "flags" || key == "Features") && cpu.features.empty()) read_features(value, cpu);
  }
  cpu.physical = static_cast<int>(cores.size());
}

/// Path of this process in the control group hierarchy of `controller`; "": in that of version 2.
std::string group_of(const fs::path& root, const std::string& controller) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    std::string name;
    const bool is_unified = controller.empty() && second == first + 1;
    bool found = is_unified;
    while (!found && std::getline(names, name, ',')) found = !controller.empty() && name == controller;
    if (found) return fs::path(line.substr(second + 1)).relative_path();
  }
  return {};
}

/// The CPU limit of one control group: version 2's cpu.max ("200000 100000" or "max 100000"), version 1's two files.
std::optional<double> quota_of(const fs::path& group) {
  std::istringstream max(first_line(group / "cpu.max"));
  double quota = 0;
  double period = 0;
  if (max >> quota >> period && period > 0) return quota / period;
  const auto old_quota = number_in(group / "cpu.cfs_quota_us");
  const auto old_period = number_in(group / "cpu.cfs_period_us");
  if (old_quota && old_period && *old_quota > 0 && *old_period > 0) return *old_quota / *old_period;
  return std::nullopt;
}

/// The smallest quota of the process's group and its parents; inside a container its group is the top one.
std::optional<double> read_quota(const fs::path& root) {
  std::optional<double> smallest;
  const fs::path sys = root / "sys/fs/cgroup";
  const std::array<std::pair<fs::path, std::string>, 3> hierarchies = {
      {{sys, group_of(root, "")}, {sys / "cpu", group_of(root, "cpu")}, {sys / "cpu,cpuacct", group_of(root, "cpu")}}};
  for (const auto& [top, below] : hierarchies) {
    fs::path group = below;
    while (true) {
      if (const auto quota = quota_of(top / group)) smallest = std::min(smallest.value_or(*quota), *quota);
      if (group.empty()) break;
      group = group.parent_path();
    }
  }
  return smallest;
}

std::optional<bool> read_turbo(const fs::path& cpus) {
  if (const auto off = number_in(cpus / "intel_pstate/no_turbo")) return *off == 0;
  if (const auto boost = number_in(cpus / "cpufreq/boost")) return *boost != 0;
  return std::nullopt;
}

int count_allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

}  // namespace

CpuFacts read_cpu(const fs::path& root) {
  CpuFacts cpu;
  read_cpuinfo(root / "proc/cpuinfo", cpu);
  const fs::path cpus = root / "sys/devices/system/cpu";
  cpu.governor = first_line(cpus / "cpu0/cpufreq/scaling_governor");
  cpu.turbo = read_turbo(cpus);
  cpu.quota = read_quota(root);
  cpu.load = number_in(root / "proc/loadavg").value_or(0);
  cpu.allowed = count_allowed();
  return cpu;
}

std::vector<std::string> blas_libraries(const std::string& maps) {
  std::set<std::string> found;
  std::istringstream lines(maps);
  for (std::string line; std::getline(lines, line);) {
    const auto slash = line.find('/');
    if (slash == std::string::npos) continue;
    const fs::path path = line.substr(slash);
    const std::string name = path.filename();
    for (const char* prefix :
         {"libblas.so", "libopenblas", "libmkl_", "libblis", "libatlas", "libcblas.so", "libnvpl_blas"})
      if (name.starts_with(prefix)) found.insert(path);
  }
  return {found.begin(), found.end()};
}

}  // namespace fusekit::doctor
