#pragma once

#include <string>

/// What a caller of to_int8 chooses among, and how people and files call it.
namespace fusekit {

/// Levels of activations, and how they and the weights get their scales.
enum class Qconfig {
  automatic,  ///< "auto": full where this CPU and engine do not saturate, reduced where they do
  full,       ///< activations with all 256 levels over the range of least squared error, weights per channel
  reduced,    ///< the same with 128 levels
  qnnpack,    ///< as torch.ao.quantization.get_default_qconfig has it; so are the two below
  x86,
  fbgemm,
};

/// How an activation's range is observed. The first three are PyTorch's observers of these names, to the bit.
enum class ObserverKind {
  min_max,         ///< "min-max": all that was seen
  moving_average,  ///< "moving-average": of each sample's
  histogram,       ///< "histogram": the part whose loss is least by PyTorch's estimate
  percentile,      ///< "percentile": without the outermost values
  entropy,         ///< "entropy": least Kullback-Leibler divergence (TensorRT's calibration)
  squared_error,   ///< "squared-error": least squared error of the rounded values
};

/// How weights become levels.
enum class Rounding {
  nearest,    ///< as PyTorch does
  corrected,  ///< nearest, and each bias makes up for what its layer's outputs lost on the calibration data
  learned,    ///< levels, scales and biases are fitted to that data, where the network is better for it on samples that
              ///< were left out
};

/// Which of the layers that can be int8 are.
enum class Prefer {
  speed,  ///< those that are expected to be faster for it, conversions between int8 and float included
  size,   ///< all: the smallest file
};

std::string to_string(Qconfig qconfig);
std::string to_string(ObserverKind kind);
std::string to_string(Rounding rounding);

// What to_string gives, back. Error{usage}: there is no such name; the hint lists those that there are.
Qconfig parse_qconfig(const std::string& name);
ObserverKind parse_observer(const std::string& name);
Rounding parse_rounding(const std::string& name);
Prefer parse_prefer(const std::string& name);

}  // namespace fusekit
