#include "doctor/system.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace fusekit {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kX86 = R"(processor	: 0
model name	: Some Xeon
cpu MHz		: 2100.5
physical id	: 0
core id		: 0
flags		: fpu sse avx avx2 avx512f avx512_vnni avx_vnni amx_bf16 amx_int8

processor	: 1
model name	: Some Xeon
cpu MHz		: 3300.0
physical id	: 0
core id		: 0
flags		: fpu sse avx avx2 avx512f avx512_vnni avx_vnni amx_bf16 amx_int8

processor	: 2
physical id	: 1
core id		: 0
)";

class System : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((folder_ / path).parent_path());
    test::write_bytes(folder_ / path, text);
  }
  [[nodiscard]] CpuFacts read() const { return doctor::read_cpu(folder_.path()); }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(System, ReadsAnX86Processor) {
  put("proc/cpuinfo", kX86);
  put("proc/loadavg", "1.25 0.5 0.1 1/100 42\n");
  const CpuFacts cpu = read();
  EXPECT_EQ(cpu.model, "Some Xeon");
  EXPECT_EQ(cpu.architecture, "x86_64");
  EXPECT_EQ(cpu.features, (Words{"avx", "avx2", "avx512", "vnni", "bf16", "amx"}));
  EXPECT_EQ(cpu.megahertz, 3300);
  EXPECT_EQ(cpu.logical, 3);
  EXPECT_EQ(cpu.physical, 2);
  EXPECT_EQ(cpu.load, 1.25);
  EXPECT_GE(cpu.allowed, 1);
}

TEST_F(System, ReadsAnArmProcessor) {
  put("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd asimddp sve i8mm bf16\n");
  const CpuFacts cpu = read();
  EXPECT_EQ(cpu.architecture, "aarch64");
  EXPECT_EQ(cpu.features, (Words{"dotprod", "i8mm", "bf16", "sve"}));
  EXPECT_EQ(cpu.physical, 0);
}

TEST_F(System, LeavesOutWhatIsNotThere) {
  const CpuFacts cpu = read();
  EXPECT_EQ(cpu.model, "");
  EXPECT_EQ(cpu.logical, 0);
  EXPECT_FALSE(cpu.quota);
  EXPECT_FALSE(cpu.turbo);
  EXPECT_EQ(cpu.governor, "");
}

TEST_F(System, TakesTheSmallestQuotaOnTheWayUp) {
  put("proc/self/cgroup", "0::/outer/inner\n");
  put("sys/fs/cgroup/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
  put("sys/fs/cgroup/outer/inner/cpu.max", "400000 100000\n");
  EXPECT_EQ(read().quota, 1.5);
}

TEST_F(System, ReadsVersion1ControlGroups) {
  put("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/job\n");
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(read().quota);
  put("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  put("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(read().quota, 2.5);
}

TEST_F(System, ReadsGovernorAndTurbo) {
  put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
  put("sys/devices/system/cpu/cpufreq/boost", "0\n");
  EXPECT_EQ(read().governor, "schedutil");
  EXPECT_EQ(read().turbo, false);
  put("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
  EXPECT_EQ(read().turbo, true);
}

TEST(BlasLibraries, AreFoundInTheMemoryMap) {
  EXPECT_EQ(doctor::blas_libraries("7f00-7f01 r-xp 00000000 00:1a 12 /usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0\n"
                                   "7f02-7f03 rw-p 00000000 00:1a 12 /usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0\n"
                                   "7f04-7f05 r-xp 00000000 00:1a 13 /opt/libopenblasp-r0.3.21.so\n"
                                   "7f06-7f07 r-xp 00000000 00:1a 14 /opt/libtorch_cpu.so\n"
                                   "7f06-7f07 r-xp 00000000 00:1a 15 /opt/libnvpl_blas_core.so.0\n"
                                   "7f08-7f09 rw-p 00000000 00:00 0 [heap]\n"),
            (Words{"/opt/libnvpl_blas_core.so.0", "/opt/libopenblasp-r0.3.21.so",
                   "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"}));
}

TEST(MachineFacts, OfThisMachineAreFilledIn) {
  const MachineFacts facts = gather_facts(0.01);
  EXPECT_FALSE(facts.libtorch.version.empty());
  EXPECT_GE(facts.libtorch.threads, 1);
  EXPECT_TRUE(facts.libtorch.has_onednn);
  EXPECT_FALSE(facts.libtorch.quantized_engines.empty());
  EXPECT_TRUE(facts.libtorch.has_mkl || !facts.libtorch.blas_libraries.empty()) << "some BLAS must be there";
  EXPECT_GE(facts.cpu.logical, 1);
  EXPECT_GE(facts.noise.microseconds.size(), 2U);
  EXPECT_GT(facts.noise.gigaflops, 0);
}

}  // namespace
}  // namespace fusekit
