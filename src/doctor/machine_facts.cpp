#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <fstream>
#include <iterator>

#include "doctor/system.h"
#include "fusekit/doctor.h"
#include "fusekit/runtime.h"

namespace fusekit {
namespace {

constexpr std::int64_t kSide = 384;  // of the matrices: a product takes about 1 ms, and 3 of them fit a level-2 cache

/// LibTorch uses one thread during its lifetime.
class OneThread {
 public:
  OneThread() { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int threads_ = at::get_num_threads();
};

/// "MKL-DNN" is oneDNN's old name; LibTorch reports it "Intel(R) MKL-DNN v3.12 (Git Hash ...)".
std::string short_version(const std::string& text) {
  const auto v = text.find(" v");
  return v == std::string::npos ? text : text.substr(v + 2, text.find(' ', v + 1) - v - 2);
}

std::string default_engine() {
  std::string name = at::toString(at::globalContext().qEngine());
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

LibTorchFacts libtorch_facts() {
  LibTorchFacts facts;
  facts.version = TORCH_VERSION;
  facts.has_mkl = at::hasMKL();
  facts.has_onednn = at::hasMKLDNN();
  if (facts.has_onednn) facts.onednn_version = short_version(at::get_mkldnn_version());
  facts.quantized_engines = quantized_engines();
  facts.default_engine = default_engine();
  facts.has_xnnpack = at::Context::isXNNPACKAvailable();
  facts.threads = at::get_num_threads();
  std::ifstream maps("/proc/self/maps");
  facts.blas_libraries = doctor::blas_libraries({std::istreambuf_iterator<char>(maps), {}});
  return facts;
}

NoiseFacts measure_noise(double seconds) {
  using Clock = std::chrono::steady_clock;
  const OneThread one_thread;
  const at::NoGradGuard no_grad;
  const at::Tensor a = at::ones({kSide, kSide});
  const at::Tensor b = at::ones({kSide, kSide});
  at::Tensor out = at::empty({kSide, kSide});
  at::mm_out(out, a, b);
  NoiseFacts noise;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (auto begin = Clock::now(); begin < end || noise.microseconds.size() < 2;) {
    at::mm_out(out, a, b);
    const auto now = Clock::now();
    noise.microseconds.push_back(std::chrono::duration<double, std::micro>(now - begin).count());
    begin = now;
  }
  const double fastest = *std::min_element(noise.microseconds.begin(), noise.microseconds.end());
  noise.gigaflops = 2.0 * kSide * kSide * kSide / fastest / 1e3;
  return noise;
}

}  // namespace

CpuFacts cpu_facts() { return doctor::read_cpu("/"); }

MachineFacts gather_facts(double seconds) {
  // The matrix product is first: a BLAS that is loaded lazily appears in the memory map only after it.
  MachineFacts facts;
  facts.sandbox = possible_sandbox();
  facts.noise = measure_noise(seconds);
  facts.libtorch = libtorch_facts();
  facts.cpu = cpu_facts();
  return facts;
}

}  // namespace fusekit
