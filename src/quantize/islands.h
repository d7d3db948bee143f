#pragma once

#include <set>

#include "quantize/lower/build.h"

namespace fusekit::quantize {

/// The layers of all islands (operators that hand int8 tensors to each other, with float around them) that int8 is
/// expected to slow down: what their layers save is less than quantizing what they read and dequantizing what they give
/// costs. Goes by shapes and constants alone, so that a file does not depend on the machine (README.md has the figures).
/// Where there is no better island, and these do more than a tenth of the network's work, the network is small altogether,
/// and it is wanted in int8 all the same: none of it is named.
std::set<const Node*> layers_of_slow_islands(const Plan& plan, const Observed& observed);

}  // namespace fusekit::quantize
