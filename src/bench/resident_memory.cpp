#include "bench/resident_memory.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace fusekit::bench {

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

void reset_peak_resident() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace fusekit::bench
