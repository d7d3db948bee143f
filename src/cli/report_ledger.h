#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fusekit/fuse.h"

namespace fusekit::cli {

/// "fused 20 places: 8 conv+bn+relu, 12 conv+bn; left 1 as it is", without a line end at its end.
std::string ledger_summary(const Ledger& ledger);

/// One line a site: what was fused, then what was not and why.
std::string ledger_explanation(const Ledger& ledger);

/// The same facts for a program.
nlohmann::json ledger_json(const Ledger& ledger);

}  // namespace fusekit::cli
