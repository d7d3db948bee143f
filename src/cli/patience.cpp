#include "cli/patience.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace fusekit::cli {

bool should_wait_patiently() {
  for (const char* said : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "FUSEKIT_NO_SUPERVISOR"})
    if (std::getenv(said) != nullptr) return false;
  const char* threads = std::getenv("OMP_NUM_THREADS");
  if (threads != nullptr && std::string_view(threads) == "1") return false;
  double load = 0;
  return getloadavg(&load, 1) == 1 && load >= 1;
}

void start_anew_with_patient_threads(char** arguments) {
  setenv("OMP_WAIT_POLICY", "passive", 0);
  setenv("FUSEKIT_NO_SUPERVISOR", "1", 1);
  execv("/proc/self/exe", arguments);
  unsetenv("FUSEKIT_NO_SUPERVISOR");
}

}  // namespace fusekit::cli
