#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/doctor.h"

namespace fusekit::doctor {

/// What proc and sys below `root` ("/", or a folder that a test has made) tell. What is missing stays at its default.
CpuFacts read_cpu(const std::filesystem::path& root);

/// The BLAS libraries in a process's memory map (/proc/self/maps): libblas, libopenblas, libmkl, libblis, libatlas.
std::vector<std::string> blas_libraries(const std::string& maps);

}  // namespace fusekit::doctor
