#include <gtest/gtest.h>

#include "fusekit/doctor.h"

namespace fusekit {
namespace {

/// A machine on which everything is as it should be.
MachineFacts healthy() {
  MachineFacts facts;
  facts.libtorch = {.version = "2.13.0",
                    .has_mkl = true,
                    .blas_libraries = {},
                    .has_onednn = true,
                    .onednn_version = "3.12",
                    .quantized_engines = {"qnnpack", "onednn", "x86", "fbgemm"},
                    .default_engine = "x86",
                    .has_xnnpack = false,
                    .threads = 4};
  facts.cpu = {.model = "EPYC",
               .architecture = "x86_64",
               .features = {"avx", "avx2", "avx512", "vnni", "bf16"},
               .megahertz = 3000,
               .logical = 8,
               .physical = 4,
               .allowed = 8,
               .quota = std::nullopt,
               .governor = "performance",
               .turbo = true,
               .load = 0.1};
  facts.noise = {.microseconds = std::vector<double>(100, 1000.0), .gigaflops = 90};
  return facts;
}

Finding finding(const MachineFacts& facts, const std::string& subject) {
  for (const Finding& finding : diagnose(facts))
    if (finding.subject == subject) return finding;
  ADD_FAILURE() << "nothing about " << subject;
  return {};
}

TEST(Doctor, FindsNothingWrongWithAHealthyMachine) {
  for (const Finding& finding : diagnose(healthy())) EXPECT_EQ(finding.severity, Severity::ok) << finding.subject;
}

TEST(Doctor, FindsReferenceBlasByItsPath) {
  MachineFacts facts = healthy();
  facts.libtorch.has_mkl = false;
  facts.libtorch.blas_libraries = {"/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"};
  facts.noise.gigaflops = 2;
  const Finding blas = finding(facts, "BLAS");
  EXPECT_EQ(blas.severity, Severity::bad);
  EXPECT_EQ(blas.value, "reference BLAS, 2 GFLOP/s in one thread; a good one reaches at least about 48");
  EXPECT_NE(blas.advice.find("libopenblas0-pthread"), std::string::npos);
}

TEST(Doctor, FindsABlasThatIsSlowWhateverItsName) {
  MachineFacts facts = healthy();
  facts.libtorch.has_mkl = false;
  facts.libtorch.blas_libraries = {"/opt/openblas/libopenblas.so.0"};
  facts.noise.gigaflops = 3;
  EXPECT_EQ(finding(facts, "BLAS").severity, Severity::bad);
  facts.noise.gigaflops = 50;
  EXPECT_EQ(finding(facts, "BLAS").severity, Severity::ok);
  EXPECT_EQ(finding(facts, "BLAS").value, "OpenBLAS, 50 GFLOP/s in one thread");
}

TEST(Doctor, KnowsNoPeakWithoutTheClockRate) {
  MachineFacts facts = healthy();
  facts.cpu.megahertz = 0;
  facts.noise.gigaflops = 3;
  EXPECT_EQ(finding(facts, "BLAS").severity, Severity::ok);
  EXPECT_EQ(finding(facts, "BLAS").value, "MKL, 3 GFLOP/s in one thread");
}

TEST(Doctor, KnowsTheBlasOfPyTorchsWheelForArm) {
  MachineFacts facts = healthy();
  facts.libtorch.has_mkl = false;
  facts.libtorch.blas_libraries = {"/opt/libnvpl_blas_lp64_gomp.so.0"};
  EXPECT_TRUE(finding(facts, "BLAS").value.starts_with("NVPL"));
}

TEST(Doctor, FindsMissingLibraries) {
  MachineFacts facts = healthy();
  facts.libtorch.has_onednn = false;
  facts.libtorch.quantized_engines = {"qnnpack"};
  facts.libtorch.default_engine = "qnnpack";
  facts.libtorch.version = "1.12.1";
  EXPECT_EQ(finding(facts, "oneDNN").severity, Severity::bad);
  EXPECT_EQ(finding(facts, "Quantized engines").severity, Severity::warn);
  EXPECT_EQ(finding(facts, "LibTorch").severity, Severity::warn);
  facts.libtorch.quantized_engines = {};
  EXPECT_EQ(finding(facts, "Quantized engines").severity, Severity::bad);
}

TEST(Doctor, FindsADefaultEngineWithoutKernels) {
  MachineFacts facts = healthy();
  facts.libtorch.quantized_engines = {"qnnpack", "onednn"};  // as LibTorch 2.13 on ARM, where x86 is the default
  EXPECT_EQ(finding(facts, "Quantized engines").severity, Severity::warn);
  EXPECT_EQ(finding(facts, "Quantized engines").value, "qnnpack, onednn (default x86)");
  facts.libtorch.default_engine = "onednn";
  EXPECT_EQ(finding(facts, "Quantized engines").severity, Severity::ok);
}

TEST(Doctor, FindsConflictingThreadPools) {
  MachineFacts facts = healthy();
  facts.libtorch.has_xnnpack = true;
  EXPECT_EQ(finding(facts, "Thread pools").severity, Severity::warn);
  facts.libtorch.default_engine = "qnnpack";
  EXPECT_EQ(finding(facts, "Thread pools").severity, Severity::bad);
  facts.libtorch.threads = 1;
  EXPECT_EQ(finding(facts, "Thread pools").severity, Severity::ok);
}

TEST(Doctor, FindsMoreThreadsThanGranted) {
  MachineFacts facts = healthy();
  facts.cpu.quota = 1.5;
  EXPECT_EQ(finding(facts, "Threads").severity, Severity::bad);
  EXPECT_EQ(finding(facts, "Threads").value, "4 by default, 8 CPUs on 4 cores, quota 1.5");
  EXPECT_NE(finding(facts, "Threads").advice.find("RuntimeOptions::threads = 1 "), std::string::npos);
  facts.cpu.quota.reset();
  facts.cpu.allowed = 2;
  EXPECT_EQ(finding(facts, "Threads").severity, Severity::bad);
  facts.cpu.allowed = 8;
  facts.libtorch.threads = 8;
  EXPECT_EQ(finding(facts, "Threads").severity, Severity::warn);
}

TEST(Doctor, SaysWhatTheProcessorLacks) {
  MachineFacts facts = healthy();
  facts.cpu.features = {"avx", "avx2", "avx512", "vnni"};
  EXPECT_EQ(finding(facts, "Processor").advice, "no bfloat16 arithmetic: bf16 will not be faster than float");
  facts.cpu.features = {"avx", "avx2"};
  EXPECT_EQ(finding(facts, "Processor").severity, Severity::ok);
  EXPECT_EQ(finding(facts, "Processor").advice,
            "no VNNI: int8 gains less than the usual factor of 2 to 4; "
            "neither bfloat16 arithmetic nor AVX-512: bf16 is many times slower than float");
  facts.cpu.features = {"avx", "avx2", "avx512", "vnni", "bf16", "amx"};
  EXPECT_EQ(finding(facts, "Processor").advice, "");
  facts.cpu.architecture = "aarch64";
  facts.cpu.features = {};
  EXPECT_EQ(slowness("int8", facts.cpu), "no dot product of bytes: int8 gains little");
  facts.cpu.features = {"dotprod"};
  EXPECT_EQ(slowness("int8", facts.cpu), "");
  facts.cpu.architecture = "x86_64";
  facts.cpu.features = {"avx"};
  EXPECT_EQ(finding(facts, "Processor").severity, Severity::warn);
}

TEST(Doctor, FindsAClockRateThatChangesWithTheLoad) {
  MachineFacts facts = healthy();
  facts.cpu.governor = "powersave";
  EXPECT_EQ(finding(facts, "Clock").severity, Severity::warn);
  facts.cpu.governor = "";
  EXPECT_EQ(finding(facts, "Clock").severity, Severity::ok);
  EXPECT_NE(finding(facts, "Clock").value.find("not visible"), std::string::npos);
}

TEST(Doctor, FindsABusyMachine) {
  MachineFacts facts = healthy();
  facts.cpu.load = 5;
  EXPECT_EQ(finding(facts, "Load").severity, Severity::warn);
}

TEST(Doctor, MeasuresNoiseByTheMiddleOfTheSamples) {
  MachineFacts facts = healthy();
  facts.noise.microseconds[0] = 1e6;  // one outlier is not noise
  EXPECT_EQ(finding(facts, "Noise").severity, Severity::ok);
  for (std::size_t i = 0; i < 20; ++i) facts.noise.microseconds[i] = 1080;
  EXPECT_EQ(finding(facts, "Noise").severity, Severity::warn);
  EXPECT_EQ(finding(facts, "Noise").value, "the middle 80 % of 100 equal runs spread over 8.0 %");
  for (std::size_t i = 0; i < 20; ++i) facts.noise.microseconds[i] = 1300;
  EXPECT_EQ(finding(facts, "Noise").severity, Severity::bad);
}

TEST(Doctor, SpreadsFromTheTenthToTheNinetiethPercentile) {
  std::vector<double> samples;
  for (int i = 100; i >= 0; --i) samples.push_back(i);
  EXPECT_DOUBLE_EQ(spread(samples), 80.0 / 50.0);
  EXPECT_EQ(spread({5}), 0);
  EXPECT_EQ(spread({}), 0);
}

TEST(Doctor, SaysWhatTheSandboxLacks) {
  MachineFacts facts = healthy();
  facts.sandbox = {.files = false, .system_calls = true};
  EXPECT_EQ(finding(facts, "Sandbox").severity, Severity::warn);
  EXPECT_NE(finding(facts, "Sandbox").value.find("no Landlock"), std::string::npos);
  facts.sandbox = {.files = true, .system_calls = false};
  EXPECT_NE(finding(facts, "Sandbox").value.find("no seccomp"), std::string::npos);
  facts.sandbox = {};
  EXPECT_NE(finding(facts, "Sandbox").value.find("neither"), std::string::npos);
}

}  // namespace
}  // namespace fusekit
