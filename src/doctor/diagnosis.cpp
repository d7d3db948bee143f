#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "fusekit/doctor.h"

namespace fusekit {
namespace {

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Floating-point operations per cycle that a good BLAS nearly reaches: two fused multiply-adds on full registers. For
/// AVX-512 it is one, because many processors have no second unit of that width.
double flops_per_cycle(const CpuFacts& cpu) {
  if (has(cpu.features, "avx512") || has(cpu.features, "avx2")) return 32;
  if (has(cpu.features, "avx") || cpu.architecture == "aarch64") return 16;
  return 8;
}

double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

Finding check_version(const LibTorchFacts& libtorch) {
  int major = 0;
  int minor = 0;
  std::sscanf(libtorch.version.c_str(), "%d.%d", &major, &minor);
  Finding finding{"LibTorch", Severity::ok, libtorch.version, ""};
  if (std::pair(major, minor) < std::pair(1, 13)) {
    finding.severity = Severity::warn;
    finding.advice = "FuseKit is tested with 1.13.1 and 2.13.0";
  }
  return finding;
}

/// Debian's libtorch links libblas.so.3, which can be any BLAS. The reference BLAS is in a folder blas/.
std::string blas_name(const LibTorchFacts& libtorch) {
  const auto& libraries = libtorch.blas_libraries;
  const auto any = [&](const char* part) {
    return std::any_of(libraries.begin(), libraries.end(),
                       [&](const std::string& path) { return path.find(part) != std::string::npos; });
  };
  if (any("openblas")) return "OpenBLAS";
  if (libtorch.has_mkl || any("libmkl")) return "MKL";
  if (any("blis")) return "BLIS";
  if (any("atlas")) return "ATLAS";
  if (any("nvpl")) return "NVPL";
  return libraries.empty() ? "none that is visible" : "reference BLAS";
}

Finding check_blas(const MachineFacts& facts) {
  constexpr double slow = 0.15;  // the reference BLAS gets 1-3 % of the peak, any optimized one more than half
  const std::string name = blas_name(facts.libtorch);
  const double peak = facts.cpu.megahertz / 1e3 * flops_per_cycle(facts.cpu);
  Finding finding{"BLAS", Severity::ok, fmt::format("{}, {:.0f} GFLOP/s in one thread", name, facts.noise.gigaflops),
                  ""};
  if (name == "reference BLAS" || (peak > 0 && facts.noise.gigaflops < slow * peak)) {
    finding.severity = Severity::bad;
    if (peak > 0) finding.value += fmt::format("; a good one reaches at least about {:.0f}", peak / 2);
    finding.advice =
        name == "reference BLAS" || facts.libtorch.blas_libraries.empty()
            ? "install an optimized one: apt-get install libopenblas0-pthread (resnet50 runs 9 times as fast)"
            : "far below this processor's peak: is the machine busy, or was the BLAS built for another one?";
  }
  return finding;
}

Finding check_onednn(const LibTorchFacts& libtorch) {
  if (libtorch.has_onednn) return {"oneDNN", Severity::ok, libtorch.onednn_version, ""};
  return {"oneDNN", Severity::bad, "missing",
          "without it convolutions run several times slower: use another build of LibTorch"};
}

Finding check_engines(const LibTorchFacts& libtorch) {
  Finding finding{"Quantized engines", Severity::ok,
                  fmt::format("{} (default {})", fmt::join(libtorch.quantized_engines, ", "), libtorch.default_engine),
                  ""};
  if (libtorch.quantized_engines.empty()) {
    finding = {finding.subject, Severity::bad, "none", "int8 networks can't run: use another build of LibTorch"};
  } else if (!has(libtorch.quantized_engines, libtorch.default_engine)) {
    finding.severity = Severity::warn;
    finding.advice = fmt::format(
        "the default has no kernels for this CPU: a program has to choose {} before it loads an "
        "int8 file (Python: torch.backends.quantized.engine)",
        libtorch.quantized_engines.front());
  } else if (!has(libtorch.quantized_engines, "onednn") && !has(libtorch.quantized_engines, "x86") &&
             !has(libtorch.quantized_engines, "fbgemm")) {
    finding.severity = Severity::warn;
    finding.advice = "only qnnpack: int8 is slow on a server's processor; a build with onednn or x86 is faster";
  }
  return finding;
}

/// qnnpack and XNNPACK have a thread pool of their own, which conflicts with OpenMP's: with 2 threads they were 15 to 20
/// times slower.
Finding check_thread_pools(const LibTorchFacts& libtorch) {
  const bool several = libtorch.threads > 1;
  if (libtorch.default_engine == "qnnpack" && several)
    return {"Thread pools", Severity::bad, fmt::format("default engine qnnpack with {} threads", libtorch.threads),
            "its thread pool conflicts with OpenMP's (20 times slower was seen): give RuntimeOptions::engine = onednn, "
            "or RuntimeOptions::threads = 1"};
  if (libtorch.has_xnnpack && several)
    return {"Thread pools", Severity::warn, fmt::format("XNNPACK with {} threads", libtorch.threads),
            "files made by optimize_for_mobile are slow with several threads (20 times slower was seen): give "
            "RuntimeOptions::threads = 1"};
  if (several && has(libtorch.quantized_engines, "qnnpack"))
    return {"Thread pools", Severity::ok, fmt::format("OpenMP, {} threads", libtorch.threads),
            "keep away from RuntimeOptions::engine = qnnpack with more than one thread"};
  return {"Thread pools", Severity::ok, fmt::format("{} thread{}", libtorch.threads, several ? "s" : ""), ""};
}

Finding check_xnnpack(const LibTorchFacts& libtorch) {
  if (libtorch.has_xnnpack) return {"XNNPACK", Severity::ok, "available", ""};
  return {"XNNPACK", Severity::ok, "missing", "LibTorch's optimize_for_mobile throws here; FuseKit does not need it"};
}

Finding check_cpu(const CpuFacts& cpu) {
  Finding finding{"Processor", Severity::ok,
                  fmt::format("{} ({})", cpu.model.empty() ? cpu.architecture : cpu.model,
                              cpu.features.empty() ? "no vector extension is visible"
                                                   : fmt::format("{}", fmt::join(cpu.features, ", "))),
                  ""};
  finding.advice = slowness("float", cpu);
  if (!finding.advice.empty()) {
    finding.severity = Severity::warn;
    return finding;
  }
  std::vector<std::string> lacks;
  for (const char* dtype : {"int8", "bfloat16"})
    if (std::string why = slowness(dtype, cpu); !why.empty()) lacks.push_back(std::move(why));
  finding.advice = fmt::format("{}", fmt::join(lacks, "; "));
  return finding;
}

Finding check_threads(const MachineFacts& facts) {
  const CpuFacts& cpu = facts.cpu;
  const int threads = facts.libtorch.threads;
  std::string value = fmt::format("{} by default, {} CPUs", threads, cpu.logical);
  if (cpu.physical > 0 && cpu.physical != cpu.logical) value += fmt::format(" on {} cores", cpu.physical);
  if (cpu.allowed > 0 && cpu.allowed != cpu.logical) value += fmt::format(", {} allowed", cpu.allowed);
  if (cpu.quota) value += fmt::format(", quota {:.3g}", *cpu.quota);
  double granted = cpu.allowed > 0 ? cpu.allowed : cpu.logical;
  if (cpu.quota) granted = std::min(granted, *cpu.quota);
  if (granted > 0 && threads > granted)
    return {"Threads", Severity::bad, value,
            fmt::format("more threads than this process may use at once: give RuntimeOptions::threads = {} or set "
                        "OMP_NUM_THREADS={}",
                        std::max(1, static_cast<int>(granted)), std::max(1, static_cast<int>(granted)))};
  if (cpu.physical > 0 && threads > cpu.physical)
    return {"Threads", Severity::warn, value,
            fmt::format("two threads share a core: RuntimeOptions::threads = {} is often faster", cpu.physical)};
  return {"Threads", Severity::ok, value, ""};
}

Finding check_clock(const CpuFacts& cpu) {
  if (cpu.governor.empty())
    return {"Clock", Severity::ok, "governor not visible (a virtual machine or a container?)", ""};
  Finding finding{"Clock", Severity::ok, "governor " + cpu.governor, ""};
  if (cpu.turbo) finding.value += *cpu.turbo ? ", turbo on" : ", turbo off";
  if (cpu.governor != "performance") {
    finding.severity = Severity::warn;
    finding.advice = "the clock rate changes with the load, and so do timings: cpupower frequency-set -g performance";
  }
  return finding;
}

Finding check_load(const CpuFacts& cpu) {
  const double share = cpu.logical > 0 ? cpu.load / cpu.logical : 0;
  Finding finding{"Load", Severity::ok, fmt::format("{:.2f} on {} CPUs", cpu.load, cpu.logical), ""};
  if (share > 0.5) {
    finding.severity = Severity::warn;
    finding.advice =
        "other programs are running: timings will be slower and noisier than this machine can do, several threads many "
        "times slower, as they wait for each other by spinning: RuntimeOptions::threads = 1, or "
        "OMP_WAIT_POLICY=passive";
  }
  return finding;
}

Finding check_noise(const NoiseFacts& noise) {
  const double width = spread(noise.microseconds);
  Finding finding{
      "Noise", Severity::ok,
      fmt::format("the middle 80 % of {} equal runs spread over {:.1f} %", noise.microseconds.size(), 100 * width), ""};
  if (width > 0.03) {
    finding.severity = width > 0.15 ? Severity::bad : Severity::warn;
    finding.advice =
        "only interleaved comparisons are reliable here: let `fusekit bench A B` run until its interval is "
        "narrow, and stop other programs";
  }
  return finding;
}

Finding check_sandbox(const Sandbox& sandbox) {
  Finding finding{"Sandbox", Severity::ok, "writes, network and programs of files from strangers are bounded", ""};
  if (sandbox.files && sandbox.system_calls) return finding;
  finding.severity = Severity::warn;
  finding.value = sandbox.files          ? "only writes are bounded: there is no seccomp"
                  : sandbox.system_calls ? "only network and programs are bounded: there is no Landlock (Linux 5.13)"
                                         : "there is neither Landlock nor seccomp";
  finding.advice = "open files from strangers in a container or a virtual machine";
  return finding;
}

}  // namespace

std::string slowness(const std::string& dtype, const CpuFacts& cpu) {
  const auto lacks = [&](const char* feature) { return !has(cpu.features, feature); };
  const bool is_x86 = cpu.architecture == "x86_64";
  const bool is_arm = cpu.architecture == "aarch64";
  if (is_x86 && dtype == "float" && lacks("avx2"))
    return "no AVX2: kernels fall back to slow code, and timings say little about other machines";
  if (is_x86 && dtype == "int8" && lacks("vnni") && lacks("amx"))
    return "no VNNI: int8 gains less than the usual factor of 2 to 4";
  if (is_arm && dtype == "int8" && lacks("dotprod")) return "no dot product of bytes: int8 gains little";
  if (dtype != "bfloat16" || !(is_x86 || is_arm) || !lacks("bf16")) return "";
  return is_x86 && lacks("avx512") ? "neither bfloat16 arithmetic nor AVX-512: bf16 is many times slower than float"
                                   : "no bfloat16 arithmetic: bf16 will not be faster than float";
}

double spread(std::vector<double> samples) {
  if (samples.size() < 2) return 0;
  std::sort(samples.begin(), samples.end());
  return (quantile(samples, 0.9) - quantile(samples, 0.1)) / quantile(samples, 0.5);
}

std::vector<Finding> diagnose(const MachineFacts& facts) {
  return {check_version(facts.libtorch), check_blas(facts),
          check_onednn(facts.libtorch),  check_engines(facts.libtorch),
          check_xnnpack(facts.libtorch), check_thread_pools(facts.libtorch),
          check_cpu(facts.cpu),          check_threads(facts),
          check_clock(facts.cpu),        check_load(facts.cpu),
          check_noise(facts.noise),      check_sandbox(facts.sandbox)};
}

}  // namespace fusekit
