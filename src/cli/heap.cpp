#include "cli/heap.h"

#include <cstdlib>

#ifdef __GLIBC__  // which <cstdlib> defines
#include <malloc.h>
#endif

namespace fusekit::cli {

void bound_heap_fragmentation() {
#ifdef __GLIBC__
  if (std::getenv("MALLOC_MMAP_THRESHOLD_") != nullptr || std::getenv("GLIBC_TUNABLES") != nullptr) return;
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);  // setting one bound stops glibc from raising this one, too
#endif
}

}  // namespace fusekit::cli
