#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/doctor.h"

namespace fusekit::doctor {

/// Reads the facts from proc and sys below `root` ("/", or the folder of a test). Missing facts keep their defaults.
CpuFacts read_cpu(const std::filesystem::path& root);

/// The BLAS libraries in a process's memory map (/proc/self/maps): libblas, libopenblas, libmkl, libblis, libatlas,
/// libnvpl_blas.
std::vector<std::string> blas_libraries(const std::string& maps);

}  // namespace fusekit::doctor
