#pragma once

#include <string>

namespace fusekit::runtime {

/// As the kernel tells it: "Intel(R) Xeon(R) Processor @ 2.50GHz"; "unknown" where it does not.
std::string cpu_name();

}  // namespace fusekit::runtime
