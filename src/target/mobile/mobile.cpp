#include "target/mobile/mobile.h"

#include "target/mobile/xnnpack.h"
#include "target/portable/portable.h"

namespace fusekit::target {

Target mobile() {
  return {"mobile", "phones: XNNPACK's operators where this LibTorch has them, quantized ones as they are",
          portable().lower, /*for_shapes=*/false, pack_for_xnnpack};
}

}  // namespace fusekit::target
