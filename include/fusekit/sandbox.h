#pragma once

#include <filesystem>
#include <vector>

/// A model file is somebody else's program, and LibTorch was not written to read hostile ones. What is left where every
/// check of the file's has failed is what the kernel lets the process do.
namespace fusekit {

struct SandboxOptions {
  /// Files, or folders, that this process has yet to write: what is in their folders may be made, changed and removed.
  std::vector<std::filesystem::path> writable{};
  bool starts_programs = false;  ///< whether it has yet to start programs, which inherit the sandbox
};

/// What the kernel holds the process to; false where it has no means for it.
struct Sandbox {
  bool files = false;         ///< nothing else is written (Landlock, Linux 5.13)
  bool system_calls = false;  ///< no network, no programs, nothing that looks into or changes the system (seccomp)
};

/// What enter_sandbox would give.
Sandbox possible_sandbox();

/// Gives up, for good, what a process that reads and runs model files does not need. For the calling thread and those that
/// it starts from then on: call it early. Files that are open stay usable. Built with AddressSanitizer, whose leak check
/// needs the calls, it leaves system calls alone.
Sandbox enter_sandbox(const SandboxOptions& options);

}  // namespace fusekit
