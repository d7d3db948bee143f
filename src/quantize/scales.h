#pragma once

#include "quantize/plan.h"

namespace fusekit::quantize {

/// The facts with one scale for what is read by one cat alone: its parts then take the cat's scale, which loses nothing
/// (the levels would be coarsened to it anyway) and spares the cat its arithmetic (4 times as fast).
Facts with_shared_scales(const Facts& facts, const Plan& plan, const Numbering& numbers);

}  // namespace fusekit::quantize
