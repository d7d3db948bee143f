#pragma once

namespace fusekit::cli {

/// Whether LibTorch's threads should sleep while they wait for each other (OMP_WAIT_POLICY=passive), instead of spinning.
/// They should where other programs need the CPUs (a load average of one or more) and the user has neither chosen how
/// they wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT) nor asked for one thread (OMP_NUM_THREADS=1).
bool should_use_passive_wait();

/// Restarts this program in this process, with the same arguments and OMP_WAIT_POLICY=passive. libgomp reads the variable
/// when it is loaded, so that the program has to be restarted. (Beside other programs, MobileNetV2 is 60 times as fast
/// on two threads that way.) Call it before there is a supervised child. Returns only if this fails.
void restart_with_passive_wait(char** arguments);

}  // namespace fusekit::cli
