#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fusekit/sandbox.h"

namespace fusekit {

/// How LibTorch was built and what it uses.
struct LibTorchFacts {
  std::string version;                      ///< "2.13.0"
  bool has_mkl = false;                     ///< MKL inside LibTorch
  std::vector<std::string> blas_libraries;  ///< paths of the BLAS libraries that this process has loaded
  bool has_onednn = false;
  std::string onednn_version;                  ///< as LibTorch reports it
  std::vector<std::string> quantized_engines;  ///< "qnnpack", "onednn", "x86", "fbgemm"
  std::string default_engine;                  ///< of these
  bool has_xnnpack = false;
  int threads = 0;  ///< intra-op threads by default
};

/// What the operating system reports about the processor.
struct CpuFacts {
  std::string model;
  std::string architecture;           ///< "x86_64", "aarch64"
  std::vector<std::string> features;  ///< of: avx, avx2, avx512, vnni, bf16, amx, dotprod, i8mm, sve
  double megahertz = 0;               ///< 0: unknown
  int logical = 0;                    ///< CPUs that are online
  int physical = 0;                   ///< cores; 0: unknown
  int allowed = 0;                    ///< CPUs that this process may run on
  std::optional<double> quota;        ///< CPU limit of the control group, in CPUs
  std::string governor;               ///< frequency governor; empty: not visible, as in a virtual machine
  std::optional<bool> turbo;
  double load = 0;  ///< load average of the last minute
};

/// Times of one fixed task (a single-threaded float matrix product) that is repeated.
struct NoiseFacts {
  std::vector<double> microseconds;  ///< of each run
  double gigaflops = 0;              ///< of the fastest run
};

struct MachineFacts {
  LibTorchFacts libtorch;
  CpuFacts cpu;
  NoiseFacts noise;
  Sandbox sandbox{true, true};  ///< what the kernel can bound
};

enum class Severity { ok, warn, bad };

/// One line of the diagnosis.
struct Finding {
  std::string subject;  ///< "BLAS"
  Severity severity = Severity::ok;
  std::string value;   ///< what was found
  std::string advice;  ///< what to do about it; may be empty
};

/// Collects the facts of this process and this machine; measures the noise for about `seconds`.
MachineFacts gather_facts(double seconds = 1.0);

/// Evaluates the facts: problems for the speed of networks and for timing them. Pure.
std::vector<Finding> diagnose(const MachineFacts& facts);

/// What the operating system reports about this processor.
CpuFacts cpu_facts();

/// Why layers that compute in this dtype ("float", "bfloat16", "int8") are slow on such a processor; "" where they are not.
std::string slowness(const std::string& dtype, const CpuFacts& cpu);

/// Relative spread of the middle 80 % of the samples: (p90 - p10) / median; 0 for fewer than 2.
double spread(std::vector<double> samples);

}  // namespace fusekit
