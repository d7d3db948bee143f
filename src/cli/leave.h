#pragma once

namespace fusekit::cli {

/// Ends the process with this exit code, without the destructors of static objects: LibTorch's take 0.1 s, and other
/// threads may still use what they destroy. Call it when all output has been handed over.
[[noreturn]] void leave(int code);

}  // namespace fusekit::cli
