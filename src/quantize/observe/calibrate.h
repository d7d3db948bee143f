#pragma once

#include <functional>
#include <string>
#include <vector>

#include "quantize/observe/samples.h"
#include "quantize/observe/values.h"
#include "quantize/qconfig.h"

namespace fusekit::quantize {

/// (share of the work that is done, what is being done).
using Progress = std::function<void(double, const std::string&)>;

/// Runs the float network on all samples and observes `values` (of `program`'s forward, numbered by `numbers`).
/// Memory does not grow with the number of samples. Error{input}: a sample that the network can't be run on, a NaN or
/// an infinity (the message names sample and layer).
Facts calibrate(const ir::Program& program, const Numbering& numbers, const std::vector<Value*>& values,
                const QConfig& qconfig, Samples& samples, const Progress& progress);

/// Warnings about activations that never vary.
std::vector<std::string> suspicious(const Facts& facts, const Numbering& numbers);

}  // namespace fusekit::quantize
