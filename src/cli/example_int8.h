#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/console.h"
#include "fusekit/quantize.h"
#include "fusekit/runtime.h"
#include "fusekit/write.h"

namespace fusekit::cli {

/// One of the recipe's quantized files.
struct Int8File {
  std::string key;  ///< in --json's "files"
  std::filesystem::path path;
  std::string what;  ///< "unfused", ...
  bool fuse = true;
  std::vector<std::vector<std::string>> lists{};  ///< empty: everything
  QuantizeReport report{};
};

/// model.pt (nothing fused), model_fused.pt (`lists` fused) and model_fully_fused.pt (everything), in `folder`.
std::vector<Int8File> int8_files(const std::filesystem::path& folder,
                                 const std::vector<std::vector<std::string>>& lists);

/// Quantizes `original` as the recipe does, with the qconfig qnnpack, and writes the files. The recipe has no data: it
/// is calibrated on random images drawn from `seed`, and the files say so. False where a written file was refused.
bool write_int8_files(const std::filesystem::path& original, std::vector<Int8File>& files, std::uint64_t seed,
                      const WriteOptions& write, const Console& console);

/// Times them, interleaved in fresh processes, for about `seconds`, with one thread where `runtime` asks for no number of
/// them: prints the table and the verdicts, or gives the same for --json.
nlohmann::json compare_int8_files(const std::vector<Int8File>& files, const RuntimeOptions& runtime, double seconds,
                                  bool json, const Console& console);

}  // namespace fusekit::cli
