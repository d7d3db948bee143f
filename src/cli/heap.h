#pragma once

namespace fusekit::cli {

/// Makes the allocator take blocks of 16 MiB and more from the kernel one by one, and give each back when it is freed.
/// glibc raises that bound by itself (to 32 MiB), as far as the largest block that was freed, and then leaves holes between
/// the weights that a network keeps: the peak of `fuse` on a file of 283 MB varied from 800 to 1200 MB, with the bound
/// it is 690 each time, in the same time. For commands that time networks it is left as it is in the user's programs.
void bound_heap_fragmentation();

}  // namespace fusekit::cli
