#include "runtime/resident_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace fusekit::runtime {

std::int64_t resident_kib() {
  std::ifstream file("/proc/self/statm");
  std::int64_t pages = 0;
  file >> pages >> pages;  // the second figure is the resident set
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

std::int64_t peak_resident_kib() {
  std::ifstream file("/proc/self/status");
  std::string word;
  std::int64_t kib = 0;
  while (file >> word)
    if (word == "VmHWM:") file >> kib;
  return kib;
}

std::int64_t available_kib() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  std::int64_t kib = 0;
  while (file >> word && word != "MemAvailable:") continue;
  file >> kib;
  std::ifstream limit_file("/sys/fs/cgroup/memory.max");  // "max" where there is none
  std::ifstream use_file("/sys/fs/cgroup/memory.current");
  std::int64_t limit = 0;
  std::int64_t use = 0;
  if (limit_file >> limit && use_file >> use) kib = std::min(kib, std::max<std::int64_t>(0, limit - use) / 1024);
  return kib;
}

void reset_peak_resident() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace fusekit::runtime
