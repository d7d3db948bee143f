#pragma once

#include <cstdint>

/// This process's resident memory, and the machine's, as the kernel counts them; 0 where /proc does not show it.
namespace fusekit::runtime {

std::int64_t resident_kib();
/// The peak (VmHWM). getrusage's ru_maxrss would be wrong: execve keeps in it the peak of the program that started this
/// one.
std::int64_t peak_resident_kib();
/// Resets the peak to the current value, where the kernel allows this (proc(5), clear_refs).
void reset_peak_resident();
/// What can still be had without swapping: of the machine, or of the cgroup where that has less (cgroup v2). 0: unknown.
std::int64_t available_kib();

}  // namespace fusekit::runtime
