#include "cli/wait_policy.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace fusekit::cli {

bool should_use_passive_wait() {
  for (const char* variable : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "FUSEKIT_NO_SUPERVISOR"})
    if (std::getenv(variable) != nullptr) return false;
  const char* threads = std::getenv("OMP_NUM_THREADS");
  if (threads != nullptr && std::string_view(threads) == "1") return false;
  double load = 0;
  return getloadavg(&load, 1) == 1 && load >= 1;
}

void restart_with_passive_wait(char** arguments) {
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv("/proc/self/exe", arguments);  // returns where it can't
}

}  // namespace fusekit::cli
