#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fusekit {

/// What LibTorch was built with and runs on.
struct LibTorchFacts {
  std::string version;                      ///< "2.13.0"
  bool has_mkl = false;                     ///< MKL inside LibTorch
  std::vector<std::string> blas_libraries;  ///< paths of the BLAS libraries that this process has loaded
  bool has_onednn = false;
  std::string onednn_version;                  ///< as LibTorch words it
  std::vector<std::string> quantized_engines;  ///< "qnnpack", "onednn", "x86", "fbgemm"
  std::string default_engine;                  ///< of these
  bool has_xnnpack = false;
  int threads = 0;  ///< intra-op threads by default
};

/// What the system tells of the processor.
struct CpuFacts {
  std::string model;
  std::string architecture;           ///< "x86_64", "aarch64"
  std::vector<std::string> features;  ///< of: avx, avx2, avx512, vnni, bf16, amx, dotprod, i8mm, sve
  double megahertz = 0;               ///< 0: not told
  int logical = 0;                    ///< CPUs that are online
  int physical = 0;                   ///< cores; 0: not told
  int allowed = 0;                    ///< CPUs that this process may run on
  std::optional<double> quota;        ///< CPUs that the control group grants
  std::string governor;               ///< of the frequency; empty: not visible, as in a virtual machine
  std::optional<bool> turbo;
  double load = 0;  ///< runnable processes over the last minute
};

/// One fixed piece of work (a single-threaded float matrix product), over and over.
struct NoiseFacts {
  std::vector<double> microseconds;  ///< of each run
  double gigaflops = 0;              ///< of the fastest run
};

struct MachineFacts {
  LibTorchFacts libtorch;
  CpuFacts cpu;
  NoiseFacts noise;
};

enum class Verdict { ok, warn, bad };

/// One line of the doctor's answer.
struct Finding {
  std::string subject;  ///< "BLAS"
  Verdict verdict = Verdict::ok;
  std::string value;   ///< what was found
  std::string advice;  ///< what to do; may be empty
};

/// Looks at this process and this machine; measures for about `seconds`.
MachineFacts gather_facts(double seconds = 1.0);

/// What the facts mean for running networks and for timing them. Pure.
std::vector<Finding> judge(const MachineFacts& facts);

/// Relative spread of the middle 80 % of the samples: (p90 - p10) / median; 0 for fewer than 2.
double spread(std::vector<double> samples);

}  // namespace fusekit
