#pragma once

#include <cstdint>

/// This process's resident memory, as the kernel counts it; 0 where it does not say.
namespace fusekit::bench {

std::int64_t resident_kib();
/// The most that it has had (VmHWM). Not getrusage's ru_maxrss, in which execve leaves the peak of the program that
/// started this one.
std::int64_t peak_resident_kib();
/// Lets the peak begin anew at what is resident now, where the kernel allows (proc(5), clear_refs).
void forget_peak();

}  // namespace fusekit::bench
