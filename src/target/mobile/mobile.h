#pragma once

#include "target/target.h"

namespace fusekit::target {

/// Plain operators for the apps that load TorchScript on a phone; float layers packed for XNNPACK where this LibTorch has
/// it.
Target mobile();

}  // namespace fusekit::target
