#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/inputs.h"
#include "fusekit/model.h"

namespace fusekit {

/// An int8 network is judged by its SQNR: 10 dB is noise of a tenth of the signal's power. What works is mostly above 15,
/// what is broken below 5.
inline constexpr double kInt8Sqnr = 10;

struct VerifyOptions {
  InputOptions inputs;
  /// Largest allowed max_rel. Not given: 1e-5 for float and double networks, 2e-2 for half, 1e-1 for bfloat16 (the
  /// coarser of both files), or as much
  /// as the original's own rounding explains (VerifyReport::rounding); with `min_sqnr_db`: none.
  std::optional<double> tolerance;
  /// Smallest allowed SQNR in dB. Not given: kInt8Sqnr where b alone is int8 and there is no `tolerance`, else none.
  std::optional<double> min_sqnr_db{};
  int samples = 0;    ///< different inputs; 0: 3, or all samples of the inputs' file where that has more
  int runs = 3;       ///< of the same loaded module on each input (the executor specializes)
  bool eval = false;  ///< both networks are put into eval() first
  /// The method that is compared, with its inputs.
  std::string method = "forward";
  /// Called before each sample with the share that is done and what is being done.
  std::function<void(double share, const std::string& what)> progress{};
};

/// How far output b is from output a; every tensor in the output counts, at its place in the nesting.
struct OutputError {
  double max_abs = 0;  ///< max |a-b|
  double max_rel = 0;  ///< max |a-b| / max |a|, over each output tensor by itself; the worst of them
  double sqnr_db = std::numeric_limits<double>::infinity();  ///< 10 log10(sum a^2 / sum (a-b)^2)
  double cosine = 1;                                         ///< <a,b> / (|a| |b|)
  std::optional<double> top1;  ///< share of rows (last dimension) with equal argmax, where the output is 2-D float
};

/// How far two networks are from a run of the first in double: max_rel of one output, the worst of all runs.
struct OwnRounding {
  double original = 0;
  double second = 0;
};

struct VerifyReport {
  bool passed = false;
  std::string failure;   ///< why not, e.g. "run 2 of sample 1: output[0] has 3 more NaNs"; empty where passed
  std::string worst_at;  ///< where max_rel is largest, e.g. "output[0]"; empty where there is nothing to measure
  OutputError worst;     ///< the worst of all runs and samples, figure by figure
  /// They differ in what no figure measures: structure, shapes, dtypes, integers, text, where NaNs stand, or that b throws.
  /// `worst` is then of what could be compared before; of nothing where worst_at is empty.
  bool differs_in_kind = false;
  /// Where max_rel is beyond the tolerance, and nobody gave one: what the original's own rounding is. A second that rounds
  /// no worse than a few times that has passed.
  std::optional<OwnRounding> rounding{};
  double tolerance = 0;                 ///< infinite where the SQNR alone counts
  std::optional<double> min_sqnr_db{};  ///< what the SQNR has to be
  int samples = 0;
  int runs = 0;
  /// Elements of a's outputs over all runs; 0: they were all empty, so that nothing is proven.
  std::int64_t compared = 0;
  /// Detections in the outputs of all runs (dicts with "boxes" (N, 4) and "scores" (N), as torchvision's networks return
  /// them), of the file that has more; how many have a counterpart, which has the same label and overlaps by one half;
  /// and how many of these stand in another row. What is compared are those with a counterpart.
  std::int64_t detections = 0;
  std::int64_t matched = 0;
  std::int64_t moved = 0;
  double most_alone = 0;  ///< share of a run's detections that may have no counterpart
  std::string inputs;     ///< InputSummary::text
};

/// Loads both files and compares them run by run on the same inputs, seeds set alike before each run, so that a network
/// with state has to agree at every step: in its outputs, in what it writes into its inputs and attributes, and in what it
/// prints. Infinities and NaNs must stand where they stood; structure, shapes and dtypes must be equal. Detections may come
/// in another order; all of them have to have a counterpart, or half of them where the SQNR alone counts.
/// Error{input} where the inputs don't fit; Error{model} where a (the original) can't be run; Error{usage} for a
/// tolerance or count that is no such thing. Where only b throws, that is a failed report, not an Error.
VerifyReport verify(const std::filesystem::path& a, const std::filesystem::path& b, const VerifyOptions& options = {});

/// The same with the network that `a` was read as, whatever was done to `a` since; its file is not read again.
VerifyReport verify(const Model& a, const std::filesystem::path& b, const VerifyOptions& options = {});

}  // namespace fusekit
