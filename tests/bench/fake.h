#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "fusekit/bench.h"
#include "fusekit/error.h"

namespace fusekit::bench::test {

class FakeClock : public Clock {
 public:
  std::int64_t now() override { return time_; }
  void advance(double microseconds) { time_ += static_cast<std::int64_t>(1e3 * microseconds); }
  [[nodiscard]] double seconds() const { return 1e-9 * static_cast<double>(time_); }

 private:
  std::int64_t time_ = 0;
};

/// The properties of the fake machine; all effects are on the logarithm of the time.
struct World {
  std::vector<double> run_us;   ///< each variant's true time
  double placement = 0.004;     ///< standard deviation of a variant's effect of its placement in a process
  double loaded_first = 0.004;  ///< slowdown of the variant that is loaded first
  double jitter = 0.02;         ///< standard deviation from run to run
  double drift = 0;             ///< growth per second, equal for all variants
  double correlation = 0;       ///< of the jitter from one run to the next (AR(1), of all variants together)
  double slow_mode = 0;         ///< slowdown while the machine is in its slow mode...
  double mode_seconds = 1;      ///< ...which starts and ends after this time on average
  double warmup_factor = 5;     ///< of a variant's first two runs
  double outlier_share = 0;     ///< of runs that take three times as long
  double slice_us = 0;          ///< additional time of a run when the kernel gives its CPU to another program...
  double sliced = 0;            ///< ...for this share of the runs in the slow mode
  double start_seconds = 0.3;   ///< of a process
};

struct Call {
  char what;  ///< 's'tart, 'l'oad, 'r'un, 'z': suspend, 'c'ommand, 'p'rofile
  std::size_t process;
  Slot slot;
};

/// Launches fake processes, whose time is that of the fake clock.
class FakeLauncher : public Launcher {
 public:
  FakeLauncher(World world, FakeClock& clock, std::uint64_t seed)
      : world_(std::move(world)), clock_(clock), generator_(seed) {}

  std::unique_ptr<Process> start(const RuntimeOptions& runtime, const std::vector<std::string>& environment) override {
    clock_.advance(1e6 * world_.start_seconds);
    calls.push_back({'s', ++started, {}});
    runtimes.push_back(runtime);
    environments.push_back(environment);
    return std::make_unique<FakeProcess>(*this, started);
  }

  /// The last of run_us is the true time of an external program.
  std::vector<double> times_of(const std::string& command, double) override {
    calls.push_back({'c', 0, {}});
    if (command == "hangs") throw Error(ErrorKind::input, "'hangs' was not done after 20 s");
    const double placement = normal() * world_.placement;
    std::vector<double> times;
    for (int i = 0; i < 40; ++i)
      times.push_back(world_.run_us.back() *
                      std::exp(placement + world_.jitter * normal() + world_.drift * clock_.seconds()) *
                      (i < 2 ? world_.warmup_factor : 1));
    clock_.advance(std::accumulate(times.begin(), times.end(), 0.0));
    return times;
  }

  std::vector<Call> calls;
  std::vector<std::size_t> paddings;
  std::vector<RuntimeOptions> runtimes;
  std::vector<std::vector<std::string>> environments;
  std::size_t started = 0;
  std::size_t alive = 0;
  std::size_t dies_in_process = 0;  ///< 0: none

 private:
  class FakeProcess : public Process {
   public:
    FakeProcess(FakeLauncher& world, std::size_t number) : world_(world), number_(number) {
      placement_.resize(world.world_.run_us.size());
      runs_.resize(placement_.size());
      ++world_.alive;
    }
    ~FakeProcess() override { --world_.alive; }

    LoadFigures load(std::size_t index, const Variant&, std::size_t padding) override {
      world_.paddings.push_back(padding);
      world_.calls.push_back({'l', number_, {index, 0, 0}});
      placement_[index] = world_.normal() * world_.world_.placement + (loaded_++ == 0 ? world_.world_.loaded_first : 0);
      world_.clock_.advance(1e5);
      events_ += 500;
      return {1e5, one_run(index), 1000};
    }
    Times run(const Slot& slot) override {
      world_.calls.push_back({'r', number_, slot});
      if (number_ == world_.dies_in_process) throw Error(ErrorKind::model, "a worker process was ended by signal 9");
      for (int i = 0; i < slot.lead_in; ++i) one_run(slot.variant);
      Times times;
      for (int i = 0; i < slot.runs; ++i) times.run_us.push_back(one_run(slot.variant));
      times.wall_us = std::accumulate(times.run_us.begin(), times.run_us.end(), 0.0);
      return times;
    }
    void suspend() override { world_.calls.push_back({'z', number_, {}}); }
    Profile profile(const Variant& variant, double) override {
      world_.calls.push_back({'p', number_, {}});
      Profile profile{.label = variant.label, .forward_us = 100};
      profile.layers = {{"conv", "aten::conv2d", 60, 1, 3e6, 1e5, "float", 40.0, Bound::compute},
                        {"conv", "aten::relu", 30, 1, 1e4, 8e4, "float", 4.0, Bound::memory}};
      profile.machine = {1, {{"float", 75e9}}, {{1e5, 80e9}, {1e8, 9e9}}, 0.5, 0.2};
      return profile;
    }
    /// Counts 500 page faults and context switches in each load, and one in each run.
    Usage usage() override { return {1000, events_, events_, 1e-6 * busy_us_, 0}; }

   private:
    double one_run(std::size_t index) {
      const World& world = world_.world_;
      const double now = world_.clock_.seconds();
      double time =
          world.run_us[index] * std::exp(placement_[index] + world_.jitter() + world_.mode(now) + world.drift * now);
      if (++runs_[index] <= 2) time *= world.warmup_factor;
      if (world_.uniform() < world.outlier_share) time *= 3;
      if (world_.uniform() < world.sliced && world_.mode(now) > 0) time += world.slice_us;
      world_.clock_.advance(time);
      busy_us_ += time;
      ++events_;
      return time;
    }

    FakeLauncher& world_;
    std::size_t number_;
    std::size_t loaded_ = 0;
    std::int64_t events_ = 0;
    double busy_us_ = 0;
    std::vector<double> placement_;
    std::vector<int> runs_;
  };

  /// Its standard deviation is world_.jitter for any correlation.
  double jitter() {
    const double rho = world_.correlation;
    jitter_ = rho * jitter_ + std::sqrt(1 - rho * rho) * world_.jitter * normal();
    return jitter_;
  }
  double mode(double now) {
    if (world_.slow_mode == 0) return 0;
    for (; now > next_change_; slow_ = !slow_)
      next_change_ += std::exponential_distribution<double>(1 / world_.mode_seconds)(generator_);
    return slow_ ? world_.slow_mode : 0;
  }
  double normal() { return std::normal_distribution<double>(0, 1)(generator_); }
  double uniform() { return std::uniform_real_distribution<double>(0, 1)(generator_); }

  World world_;
  FakeClock& clock_;
  std::mt19937_64 generator_;
  double jitter_ = 0;
  bool slow_ = false;
  double next_change_ = 0;
};

inline std::vector<Variant> variants(std::size_t count) {
  std::vector<Variant> list(count);
  for (std::size_t i = 0; i < count; ++i) {
    list[i].label = std::string(1, static_cast<char>('a' + i)) + ".pt";
    list[i].model = list[i].label;
  }
  return list;
}

/// Measures as many variants as `world` has, against each other.
inline Report run(const World& world, const Options& options, std::uint64_t seed) {
  FakeClock clock;
  FakeLauncher launcher(world, clock, seed);
  Options seeded = options;
  seeded.seed = seed;
  return measure(variants(world.run_us.size()), seeded, launcher, clock);
}

inline bool warns_of(const Report& report, const std::string& what) {
  return std::any_of(report.warnings.begin(), report.warnings.end(),
                     [&](const std::string& warning) { return warning.find(what) != std::string::npos; });
}

}  // namespace fusekit::bench::test
