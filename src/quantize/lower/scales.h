#pragma once

#include "quantize/lower/plan.h"

namespace fusekit::quantize {

/// The facts with one scale for what nothing but cats reads: it takes the cat's scale, which loses nothing (the levels
/// would be coarsened to it anyway) and spares the cat its arithmetic (4 times as fast). A cat all of whose parts are
/// parts of a larger one too, as in a DenseNet, takes the larger one's scale: else each of them rounds the levels anew.
Facts with_shared_scales(const Facts& facts, const Plan& plan, const Numbering& numbers);

}  // namespace fusekit::quantize
