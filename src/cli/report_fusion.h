#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fusekit/fuse.h"

namespace fusekit::cli {

/// "fused 20 places: 8 conv+bn+relu, 12 conv+bn; left 1 as it is", without a line end at its end.
std::string fusion_summary(const FusionReport& fusion);

/// One line a site: what was fused, then what was not and why.
std::string fusion_explanation(const FusionReport& fusion);

/// One line a site that was left, with the reason.
std::string fusion_left(const FusionReport& fusion);

/// The same facts for a program.
nlohmann::json fusion_json(const FusionReport& fusion);

}  // namespace fusekit::cli
