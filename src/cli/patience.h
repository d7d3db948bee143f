#pragma once

namespace fusekit::cli {

/// Would threads that spin while they wait for each other take the CPU from one another here? They would where other
/// programs are at work (a load of one or more) and nobody has said how to wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT) or that
/// one thread is enough (OMP_NUM_THREADS=1).
bool should_wait_patiently();

/// Starts this program anew with the same arguments, in this process, with threads that sleep while they wait: on two
/// threads beside other programs MobileNetV2 is 60 times as fast for it. libgomp reads how to wait when it is loaded, so
/// that nothing less will do. To be called in the supervisor's child, which stays supervised. Returns where that fails.
void start_anew_with_patient_threads(char** arguments);

}  // namespace fusekit::cli
