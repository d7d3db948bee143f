#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/console.h"
#include "fusekit/verify.h"
#include "fusekit/write.h"

namespace fusekit::cli {

/// The report as a small table, one figure a line, without a line end at its end.
std::string verify_table(const VerifyReport& report);

/// One line: "verified on 1x3x224x224 float, inferred: max rel error 3.1e-07 (tolerance 1e-05), 3 samples x 3 runs".
std::string verify_line(const VerifyReport& report);

/// The same facts for a program. An infinite figure (the SQNR of equal outputs) is null, and so are all figures where
/// nothing could be measured.
nlohmann::json verify_json(const VerifyReport& report);

/// What stands before a line about a method: "" for forward, else "embed(): ", "in eval(): " or "embed() in eval(): ".
std::string prefix_of(const MethodCheck& check);

/// Says of a method that it was not verified, and why.
void warn_of_unverified(const MethodCheck& check, const Console& console);

}  // namespace fusekit::cli
