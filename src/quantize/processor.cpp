#include "quantize/processor.h"

#include <ATen/Context.h>

namespace fusekit::quantize {

bool saturates() {
#if defined(__x86_64__)
  const bool has_vnni = __builtin_cpu_supports("avx512vnni") || __builtin_cpu_supports("avxvnni");
  return !has_vnni && at::globalContext().qEngine() != at::QEngine::QNNPACK;
#else
  return false;
#endif
}

}  // namespace fusekit::quantize
