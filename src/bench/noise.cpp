#include "bench/noise.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace fusekit::bench {
namespace {

constexpr double kBusyCpus = 0.25;     // used by other programs
constexpr double kMinClockTicks = 50;  // per run: its error is then at most 2 %
constexpr double kLongWait = 0.01;     // share of the time in which it could have run
constexpr double kManyFaults = 50;     // per second

double cpu_seconds_of_this_process() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Seconds for which the cgroup's CPU quota stopped this process (cgroup v2).
double throttled_seconds() {
  std::ifstream file("/sys/fs/cgroup/cpu.stat");
  std::string key;
  double value = 0;
  while (file >> key >> value)
    if (key == "throttled_usec") return 1e-6 * value;
  return 0;
}

/// The mean of the CPUs' clock rates; 0 where the kernel does not show them.
double megahertz() {
  std::ifstream file("/proc/cpuinfo");
  double sum = 0;
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (!line.starts_with("cpu MHz") || colon == std::string::npos) continue;
    sum += std::strtod(line.c_str() + colon + 2, nullptr);
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

/// The CPU of a line of /proc/stat ("cpu3"); -1 for any other.
int cpu_of(const std::string& word) {
  if (!word.starts_with("cpu") || word.size() == 3) return -1;
  return static_cast<int>(std::strtol(word.c_str() + 3, nullptr, 10));
}

/// Whether this process may use it.
class AllowedCpus {
 public:
  AllowedCpus() {
    CPU_ZERO(&set_);
    known_ = sched_getaffinity(0, sizeof set_, &set_) == 0;
  }
  [[nodiscard]] bool has(int cpu) const { return !known_ || (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set_)); }

 private:
  cpu_set_t set_{};
  bool known_ = false;
};

/// What the rest of the system did during the measurement.
void add_system_warnings(Report& report) {
  const Noise& noise = report.noise;
  const auto warn = [&](std::string text) { report.warnings.push_back(std::move(text)); };
  if (noise.other_cpus > kBusyCpus)
    warn(fmt::format("other programs kept {:.1f} of {} CPUs busy; end them for narrower intervals", noise.other_cpus,
                     report.environment.cpus));
  if (noise.steal > 0.01)
    warn(fmt::format("the hypervisor took {:.1f} % of the time (steal); a dedicated machine would not",
                     100 * noise.steal));
  if (noise.throttled_seconds > 0.01 * report.seconds)
    warn(fmt::format(
        "the container's CPU quota stopped it for {:.2g} s; raise the limit or use fewer RuntimeOptions::threads",
        noise.throttled_seconds));
  if (std::abs(noise.clock_change) > 0.05)
    warn(fmt::format(
        "the CPUs' clock rate changed by {:+.0f} % during the measurement, and so did the absolute times; it "
        "stays constant with a fixed rate (`cpupower frequency-set`, no turbo) or on a cooler machine",
        100 * noise.clock_change));
  const double ready = noise.measured_cpu_seconds + noise.waited_seconds;
  if (noise.waited_seconds > kLongWait * ready && noise.measured_cpu_seconds > 0)
    warn(fmt::format(
        "it waited {:.1f} % of its time for a CPU that did something else ({:.0f} switches a second); use fewer "
        "RuntimeOptions::threads, or end other programs",
        100 * noise.waited_seconds / ready,
        static_cast<double>(noise.involuntary_switches) / noise.measured_cpu_seconds));
  if (static_cast<double>(noise.major_faults) > kManyFaults * std::max(1.0, noise.measured_cpu_seconds))
    warn(fmt::format(
        "{} pages had to be read from disk during the measurement; run it again, or give the machine more memory",
        noise.major_faults));
}

/// More threads than CPUs, or threads that share the CPUs with other programs. Names the first such variant of each.
void add_thread_warnings(Report& report) {
  const int cpus = report.environment.cpus;
  for (const Outcome& outcome : report.outcomes) {
    if (cpus == 0 || outcome.threads * outcome.streams <= cpus) continue;
    report.warnings.push_back(fmt::format("{} asks for {} threads where {} CPUs may be used; they wait for each other",
                                          outcome.label, outcome.threads * outcome.streams, cpus));
    break;
  }
  if (report.noise.other_cpus <= kBusyCpus) return;
  for (const Outcome& outcome : report.outcomes) {
    const int threads = outcome.threads == 0 ? cpus : outcome.threads;
    if (threads < 2 || outcome.engine.empty()) continue;
    report.warnings.push_back(fmt::format(
        "{} runs on {} threads beside other programs: LibTorch's threads wait by spinning, so that they can "
        "be 20 times slower than one; give RuntimeOptions::threads = 1, or try bench::Variant::environment = "
        "OMP_WAIT_POLICY=passive",
        outcome.label, threads));
    break;
  }
}

/// Runs that are too short for the clock. Names the first such variant.
void add_clock_resolution_warning(Report& report) {
  const Environment& machine = report.environment;
  const double clock_us = 1e-3 * (machine.timer_overhead_ns + machine.timer_resolution_ns);
  for (const Outcome& outcome : report.outcomes) {
    if (!(outcome.median_us > 0) || outcome.engine.empty() || outcome.median_us > kMinClockTicks * clock_us) continue;
    report.warnings.push_back(
        fmt::format("{}: a run of {:.3g} us is close to the resolution of the clock ({:.0f} ns resolution, {:.0f} ns a "
                    "reading); give it a larger batch",
                    outcome.label, outcome.median_us, machine.timer_resolution_ns, machine.timer_overhead_ns));
    break;
  }
}

}  // namespace

NoiseMeter::NoiseMeter() : begin_(count()) {}

NoiseMeter::Counters NoiseMeter::count() {
  Counters counters;
  const AllowedCpus allowed;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string cpu;
    double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
    words >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
    const int number = cpu_of(cpu);
    if (number < 0 || !allowed.has(number)) continue;  // what happens on other CPUs does not disturb
    const double busy = (user + nice + system + irq + softirq) / ticks;
    counters.busy += busy;
    counters.steal += steal / ticks;
    counters.total += busy + (steal + idle + iowait) / ticks;
  }
  counters.wall = 1e-9 * static_cast<double>(std::chrono::steady_clock::now().time_since_epoch().count());
  counters.throttled = throttled_seconds();
  counters.megahertz = megahertz();
  counters.self = cpu_seconds_of_this_process();
  return counters;
}

Noise NoiseMeter::read(const Usage& own, const Usage& measured) const {
  const Counters now = count();
  Noise noise;
  const double wall = now.wall - begin_.wall;
  const double total = now.total - begin_.total;
  if (wall > 0 && total > 0) {
    const double ours = own.cpu_seconds + now.self - begin_.self;
    noise.other_cpus = std::max(0.0, (now.busy - begin_.busy - ours) / wall);
    noise.steal = (now.steal - begin_.steal) / total;
  }
  noise.throttled_seconds = now.throttled - begin_.throttled;
  noise.clock_change = begin_.megahertz > 0 ? now.megahertz / begin_.megahertz - 1 : 0;
  noise.cpu_seconds = own.cpu_seconds;
  noise.major_faults = measured.major_faults;
  noise.involuntary_switches = measured.involuntary_switches;
  noise.measured_cpu_seconds = measured.cpu_seconds;
  noise.waited_seconds = measured.waited_seconds;
  return noise;
}

void add_noise_warnings(Report& report) {
  add_system_warnings(report);
  add_thread_warnings(report);
  add_clock_resolution_warning(report);
  const std::string& governor = report.environment.governor;
  if (!governor.empty() && governor != "performance")
    report.warnings.push_back(fmt::format(
        "the CPU's frequency governor is '{}'; `cpupower frequency-set -g performance` keeps the frequency constant",
        governor));
}

}  // namespace fusekit::bench
