#pragma once

#include "quantize/emitter.h"
#include "quantize/settings.h"

namespace fusekit::quantize {

// Each file of this folder defines one of these.
Conversion convolution();
Conversion transposed_convolution();
Conversion linear();
Conversion batch_norm();
Conversion addition();
Conversion multiplication();
Conversion concatenation();
std::vector<Conversion> activations();
std::vector<Conversion> same_scale();

/// scale and zero point as the last arguments of an operator.
inline std::vector<torch::jit::NamedValue> with_qparams(std::vector<torch::jit::NamedValue> arguments,
                                                        QParams qparams) {
  arguments.emplace_back(qparams.scale);
  arguments.emplace_back(qparams.zero_point);
  return arguments;
}

}  // namespace fusekit::quantize
