#include "quantize/lower/clamps.h"

namespace fusekit::quantize {

std::optional<ir::Interval> usable_clamp(Node* node) {
  const auto interval = ir::clamped_to(node);
  const bool holds_zero = interval && interval->low <= 0 && interval->high > 0;
  return holds_zero && !ir::writes_in_place(node) ? interval : std::nullopt;
}

}  // namespace fusekit::quantize
