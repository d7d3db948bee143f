#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/calibration.h"
#include "fusekit/fuse.h"
#include "fusekit/program.h"
#include "fusekit/verify.h"

namespace fusekit {

struct QuantizeOptions {
  CalibrationOptions calibration{};
  /// "auto": per-channel weights, and activations with all 256 levels where this CPU and engine do not saturate, with
  /// 128 where they do. "qnnpack", "x86", "fbgemm": as torch.ao.quantization.get_default_qconfig has them.
  std::string qconfig = "auto";
  /// How activations are observed: "min-max", "moving-average", "histogram", "percentile", "entropy",
  /// "squared-error". Empty: as the qconfig has it.
  std::string observer{};
  /// How weights become levels: "nearest", as PyTorch does; "corrected": nearest, and each bias makes up for what its
  /// layer's outputs lost on the calibration data; "learned": levels, scales and biases are fitted to that data, where
  /// the network is better for it on samples that were left out. Empty: learned with the qconfig "auto", else corrected.
  std::string rounding{};
  /// Module paths that stay float, with everything below them.
  std::vector<std::string> skip{};
  /// Largest allowed error, relative to the largest output: layers go back to float, worst first, until it holds.
  std::optional<double> max_error{};
  /// The same in dB of the outputs' SQNR.
  std::optional<double> min_sqnr_db{};
  /// Fuse first, and let an operator take in the activation behind it. Without, or where `fuse_options` lists modules
  /// and these are in none of its lists, each keeps an operator of its own, as prepare and convert of unfused modules do.
  bool fuse = true;
  FuseOptions fuse_options{};  ///< how
  /// (share of the work that is done, what is being done).
  std::function<void(double, const std::string&)> progress{};
};

/// One convolution or linear, and what int8 did to it on the calibration data.
struct LayerCost {
  std::string path;       ///< module path
  std::string operation;  ///< "convolution", "linear", ...
  bool int8 = false;
  Reason reason;         ///< why it is float
  double sqnr_db = 0;    ///< of its output in the int8 network against the float one (what came before it included)
  double alone_db = 0;   ///< of the network's output where this layer alone is int8; NaN where it was not measured
  double saturated = 0;  ///< share of its output's values that lie outside of its levels' range
  double macs = 0;       ///< multiply-adds for the first sample
};

/// An operator that stays float between int8 ones.
struct FloatOperator {
  std::string path;
  std::string operation;
  Reason reason;
};

struct QuantizeReport {
  std::string qconfig;  ///< what "auto" became
  std::string observer;
  std::string rounding;  ///< "nearest", "corrected" or "learned"
  std::size_t samples = 0;
  bool random = false;             ///< calibrated on random numbers
  std::size_t int8_operators = 0;  ///< of all kinds
  double int8_macs = 0;            ///< share of the multiply-adds that are int8
  std::vector<LayerCost> layers;   ///< worst first
  std::vector<FloatOperator> floats;
  OutputError whole;  ///< of the whole network on calibration samples (at most 64)
  double worst_sqnr_db = 0;
  std::vector<std::string> fallbacks;  ///< layers that went back to float to hold max_error or min_sqnr_db
  double fallback_time = 1;            ///< how many times as long a run takes for them, timed on one sample
  bool bound_holds = true;
  FusionReport fused;
  std::vector<std::string> warnings;
};

/// Turns a float32 network into a static int8 one (quint8 activations, qint8 weights) that plain torch.jit.load runs.
/// Where a scripted file calls a QuantStub, only what is between it and a DeQuantStub becomes int8.
/// Error{usage}: an unknown qconfig, observer or skipped path; no calibration data. Error{file}, Error{input}: the data
/// can't be read, does not fit, or brings a NaN or an infinity. Error{model}: there is nothing that could be int8.
QuantizeReport to_int8(Program& program, const QuantizeOptions& options);

/// Runs a written int8 file, loaded afresh, three times on calibration samples, beside the float file. Empty where its
/// SQNR is what the report says; else what is wrong.
std::string quantized_file_problem(const std::filesystem::path& float_file, const std::filesystem::path& int8_file,
                                   const QuantizeOptions& options, const QuantizeReport& report);

}  // namespace fusekit
