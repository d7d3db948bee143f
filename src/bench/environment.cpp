// Describes this machine, so that a baseline from another machine is recognized.
#include <sched.h>
#include <sys/utsname.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "bench/statistics.h"
#include "fusekit/bench.h"
#include "runtime/cpu_name.h"

namespace fusekit::bench {
namespace {

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

std::string first_word_of(const char* path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

/// "150000 100000" is 1.5 CPUs; "max 100000" is no limit (cgroup v2).
double cpu_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::strtod(quota.c_str(), nullptr) / period;
}

void measure_clock(Clock& clock, Environment& environment) {
  constexpr int readings = 1000;
  std::vector<double> steps;
  double smallest = std::numeric_limits<double>::infinity();
  std::int64_t before = clock.now();
  for (int i = 0; i < readings; ++i) {
    const std::int64_t now = clock.now();
    const auto step = static_cast<double>(now - before);
    steps.push_back(step);
    if (step > 0) smallest = std::min(smallest, step);
    before = now;
  }
  environment.timer_overhead_ns = median(steps);
  environment.timer_resolution_ns = smallest < std::numeric_limits<double>::infinity() ? smallest : 0;
}

}  // namespace

Environment this_environment(Clock& clock) {
  Environment environment;
  environment.cpu = runtime::cpu_name();
  environment.cpus = usable_cpus();
  utsname system{};
  if (uname(&system) == 0) environment.kernel = std::string(system.sysname) + " " + system.release;
  environment.libtorch = TORCH_VERSION;
  environment.fusekit = FUSEKIT_VERSION;
  environment.governor = first_word_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  environment.load_average = std::strtod(first_word_of("/proc/loadavg").c_str(), nullptr);
  environment.cpu_quota = cpu_quota();
  measure_clock(clock, environment);
  return environment;
}

}  // namespace fusekit::bench
