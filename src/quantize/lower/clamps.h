#pragma once

#include "quantize/lower/conversion.h"

namespace fusekit::quantize {

/// The interval that `node` clamps its input to, where int8 levels can end there: it holds 0, and nothing is written in
/// place. nullopt: `node` is something else.
std::optional<ir::Interval> usable_clamp(Node* node);

}  // namespace fusekit::quantize
