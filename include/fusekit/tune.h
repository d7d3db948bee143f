#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/bench.h"
#include "fusekit/calibration.h"
#include "fusekit/inputs.h"
#include "fusekit/model.h"
#include "fusekit/runtime.h"
#include "fusekit/verify.h"

namespace fusekit {

struct TuneOptions {
  InputOptions inputs{};  ///< what forward is given in use; not given: worked out of the graph
  /// How far a candidate may be off, relative to the largest output. Not given: as `verify`, so only what computes the
  /// same in float is tried; given (or min_sqnr_db): bfloat16 and, with `calibration`, int8 as well.
  std::optional<double> max_error{};
  std::optional<double> min_sqnr_db{};
  std::optional<CalibrationOptions> calibration{};
  std::filesystem::path layer_times{};  ///< LowerOptions::layer_times; empty: they are measured and not kept
  int threads = 0;                      ///< of the runs that are timed; 0: LibTorch's default
  ReadOptions read{};
  bool force = false;      ///< an existing output may be replaced
  bench::Options bench{};  ///< how long it may be timed, ...
  bench::Progress progress{};
};

/// One way to write the file, or to run it.
struct Candidate {
  std::string name;  ///< "cpu", "cpu bfloat16", "int8"; "original" for the input as it is
  /// What its file is made with: LowerOptions::target and dtype, and whether it is quantized.
  std::string target{};
  std::string dtype{};
  bool int8 = false;
  std::string int8_dialect{};  ///< LowerOptions::int8_dialect
  bool times_layers = false;   ///< made with LowerOptions::layer_times
  /// What a program has to do before it loads the file, in words of RuntimeOptions: the engine; "" where a plain load does.
  std::string engine;
  /// LibTorch's oneDNN Graph fuser, a switch of the whole process, on the frozen file (ReadyOptions::graph_fuser).
  bool graph_fuser = false;
  /// "NAME=VALUE": what glibc's malloc has to find in the environment when the program starts.
  std::vector<std::string> environment{};
  std::string
      refused;  ///< why it is not timed: it is too far off, or this LibTorch lacks something; "" where it is timed
  OutputError error;  ///< against the original; of nothing where it could not be run
  std::uintmax_t bytes = 0;
  double seconds = 0;                    ///< that it took to make and to verify
  std::optional<std::size_t> outcome{};  ///< index into TuneReport::measured.outcomes

  /// Whether any program that loads the file has this speed.
  [[nodiscard]] bool needs_no_switch() const;
};

struct TuneReport {
  std::vector<Candidate> candidates;  ///< the original first, then the most exact ones
  std::size_t winner = 0;             ///< the fastest of those that a plain load runs so; what was written
  std::size_t fastest = 0;            ///< the fastest of all, be it with switches that the program has to set
  bench::Report measured;             ///< each against the original
  std::string inputs;                 ///< InputSummary::text

  /// How much faster than the original; nullptr for the original, and for what was not timed.
  [[nodiscard]] const bench::Ratio* ratio_of(const Candidate& candidate) const;
};

/// Makes every candidate for this machine (portable, cpu, cpu in bfloat16, int8), also with the run-time switches that may
/// suit it (the oneDNN Graph fuser, malloc's thresholds, the quantized engine), verifies each against the original, times
/// all of them in turns, and writes the fastest as `output`: one that is no faster than a more exact one beyond doubt does
/// not win. Where nothing is faster than the original, the fused file is written that is nearest to it.
/// Error{file}: as `write`. Error{input}, Error{model}: the original can't be read or run. Error{usage}: as measure.
/// Interrupted where TuneOptions::bench says so; nothing is written then.
TuneReport tune(const std::filesystem::path& input, const std::filesystem::path& output, const TuneOptions& options,
                bench::Launcher& launcher, bench::Clock& clock);

}  // namespace fusekit
