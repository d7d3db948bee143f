#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fusekit/quantize.h"

namespace fusekit::cli {

/// Two or three lines: what became int8, and what it cost.
std::string quantize_summary(const QuantizeReport& report);
/// A table of the layers, worst first, then what stayed float and why.
std::string quantize_explanation(const QuantizeReport& report);
nlohmann::json quantize_json(const QuantizeReport& report);

}  // namespace fusekit::cli
