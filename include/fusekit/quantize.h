#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/calibration.h"
#include "fusekit/engine.h"
#include "fusekit/fuse.h"
#include "fusekit/model.h"
#include "fusekit/quantize_names.h"
#include "fusekit/runtime.h"
#include "fusekit/verify.h"

namespace fusekit {

struct QuantizeOptions {
  CalibrationOptions calibration{};
  Qconfig qconfig = Qconfig::automatic;
  std::optional<ObserverKind> observer{};  ///< not given: as the qconfig has it
  std::optional<Rounding> rounding{};      ///< not given: learned with the qconfig automatic, else corrected
  /// Module paths that stay float, with everything below them.
  std::vector<std::string> skip{};
  /// Largest allowed error, relative to the largest output: layers go back to float, worst first, until it holds.
  std::optional<double> max_error{};
  /// The same in dB of the outputs' SQNR.
  std::optional<double> min_sqnr_db{};
  /// Fuse first, and let an operator take in the activation behind it. Without, or where `fuse_options` lists modules
  /// and these are in none of its lists, each keeps an operator of its own, as prepare and convert of unfused modules do.
  bool fuse = true;
  FuseOptions fuse_options{};     ///< how
  Prefer prefer = Prefer::speed;  ///< faster layers or the smaller file
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
  double macs = 0;       ///< multiply-adds for the first sample, in float ones too
};

/// An operator that stays float between int8 ones.
struct FloatOperator {
  std::string path;
  std::string operation;  ///< "convolution", "linear", ..., else the operator's name: "constant_pad_nd"
  Reason reason;
};

struct QuantizeReport {
  Qconfig qconfig = Qconfig::full;  ///< what "automatic" became
  ObserverKind observer = ObserverKind::squared_error;
  Rounding rounding = Rounding::nearest;  ///< what was kept
  std::size_t samples = 0;
  std::string data;                ///< what they are, in words: "photos.npy (64 samples of 1x3x224x224)"
  bool random = false;             ///< calibrated on random numbers
  InputOptions inputs;             ///< what random samples were drawn for, or, with `batch`, what one of a file was
  std::size_t int8_operators = 0;  ///< of all kinds
  double macs = 0;                 ///< multiply-adds of everything that has such, for the first sample
  double int8_macs = 0;            ///< share of them that is int8
  std::vector<LayerCost> layers;   ///< worst first
  std::vector<LayerCost> others;   ///< what multiplies and adds beside layers (attention, products), and stays float
  std::vector<FloatOperator> floats;
  OutputError whole;  ///< of the whole network on calibration samples (at most 64)
  double worst_sqnr_db = 0;
  double lost_detections = 0;          ///< share of one sample's detections that have no counterpart, at worst
  bool nothing_proven = false;         ///< the float outputs are zero on all these samples, so that no error can show
  std::vector<std::string> fallbacks;  ///< layers that went back to float to hold max_error or min_sqnr_db
  double fallback_time = 1;            ///< how many times as long a run takes for them, timed on one sample
  bool bound_holds = true;
  FusionReport fused;
  std::vector<std::string> warnings;
};

/// Turns a float32 network into a static int8 one (quint8 activations, qint8 weights) that plain torch.jit.load runs, and
/// has `write` judge it on samples of the calibration data. Where a scripted file calls a QuantStub, only what is between
/// it and a DeQuantStub becomes int8. Inputs of random samples that are not given are worked out of the graph.
/// Error{usage}: an unknown skipped path; no calibration data. Error{file}, Error{input}: the data
/// can't be read, does not fit, or brings a NaN or an infinity. Error{model}: there is nothing that could be int8; the
/// network is in training mode (ReadOptions::eval).
QuantizeReport to_int8(Model& model, const QuantizeOptions& options);

/// What a run of an int8 file takes on this machine, in seconds: the least of some runs that took turns, on the first
/// calibration sample, without an interval (`bench` gives one).
struct PlainLoad {
  std::string plain_engine;  ///< the one of a plain torch.jit.load
  std::string best_engine;   ///< that choose_engine names for the file; the same where there is no better one
  double original = 0;       ///< the float file
  double plain = 0;  ///< the int8 file under plain_engine; NaN where that has no kernels for this CPU (2.13 on ARM)
  double best = 0;   ///< the same under best_engine
  int threads = 0;
};

/// Times the int8 file `written` against the float file `original` that it was made of, both as plain torch.jit.load runs
/// them: half a second, and at least two runs each. `calibration`: as to_int8 had it, with QuantizeReport::inputs. Errors as
/// to_int8, and of files that can't be loaded or run.
PlainLoad time_plain_load(const std::filesystem::path& original, const std::filesystem::path& written,
                          const CalibrationOptions& calibration);

/// fusekit::apply for whoever calls to_int8 with these options: where `runtime` leaves the engine open, the fastest one
/// for the runs on the calibration data that still lets the qconfig "auto" be what suits a plain load on this machine. The
/// warnings are of what the int8 file will do under the engine of a plain load (or the one that is asked for); `reason`
/// is empty where no other engine was chosen. Error as fusekit::apply.
EngineChoice apply_for(const RuntimeOptions& runtime, const QuantizeOptions& options);

}  // namespace fusekit
