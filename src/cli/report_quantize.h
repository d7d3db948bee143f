#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/console.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"

namespace fusekit::cli {

/// Two or three lines: what became int8, and what it cost.
std::string quantize_summary(const QuantizeReport& report);
/// What a run of the written file takes under the engine of a plain load, and under the best one.
std::string plain_load_summary(const PlainLoad& load);
nlohmann::json plain_load_json(const PlainLoad& load);
/// Is any convolution or linear int8?
bool has_int8_layers(const QuantizeReport& report);
/// A table of the layers, worst first, then what stayed float and why. Paths are shortened for a terminal with so many
/// columns (0: any number).
std::string quantize_explanation(const QuantizeReport& report, std::size_t columns = 0);
nlohmann::json quantize_json(const QuantizeReport& report);

/// Says why an int8 file was not written, where it was not, and which methods were not verified.
void tell_refusal(const WriteReport& report, const Console& console);

}  // namespace fusekit::cli
