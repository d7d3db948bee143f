#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/observe/values.h"

namespace fusekit::quantize {

/// Why an operator stays float, as a clause for the user; nullopt where nothing stands against int8.
using WhyNot = std::optional<std::string>;

class Emitter;
struct Step;

/// Where the scale and zero point of an int8 output come from.
enum class OutputScale {
  observed,  ///< chosen from what calibration saw there
  of_input,  ///< the operator moves or picks levels: its output has its input's
  fixed,     ///< the range of the function: Conversion::fixed
};

/// When it pays to run an operator in int8.
enum class Appetite {
  always,       ///< its own work is faster in int8: float inputs are quantized for it
  any_input,    ///< where at least one input is int8 already
  every_input,  ///< where all inputs are
};

/// How one family of float operators becomes int8. One file of quantize/operators holds one or more of these.
struct Conversion {
  std::string_view name;     ///< e.g. "convolution"
  std::string_view summary;  ///< what becomes of it
  bool (*matches)(const Node* node);
  /// What stands against int8 in the operator's settings. Facts of its input (dtype, rank) are `plan`'s matter.
  WhyNot (*why_not)(Node* node, const ir::Program& program);
  /// The float tensors that are to be int8.
  std::vector<Value*> (*inputs)(Node* node);
  /// Adds the int8 operator in front of the step's first node and returns its output.
  Value* (*emit)(const Step& step, Emitter& emitter);
  OutputScale scale = OutputScale::observed;
  Appetite appetite = Appetite::always;
  /// Takes in a ReLU, ReLU6, Hardtanh or clamp behind it: the levels of its output end where the activation does.
  bool absorbs_clamp = false;
  QParams fixed{};
  /// Ranks of the first input that the int8 operator takes; empty: any.
  std::vector<std::int64_t> (*ranks)(Node* node, const ir::Program& program) = nullptr;
};

/// A clamp that follows an operator: ReLU is [0, inf).
struct Clamp {
  double low = 0;
  double high = 0;
  Node* node = nullptr;
};

/// One conversion at one place of the graph.
struct Step {
  const Conversion* how = nullptr;
  std::vector<Node*> nodes;    ///< the operator, then what it absorbs; all of them go
  std::vector<Value*> inputs;  ///< float tensors that are read as int8
  Value* output = nullptr;     ///< the float tensor (or list of tensors) that is computed
  std::optional<Clamp> clamp;  ///< absorbed

  [[nodiscard]] Node* front() const { return nodes.front(); }
};

/// All conversions; the first that matches an operator is taken. A new family is one new file and one new line there.
const std::vector<Conversion>& conversions();

}  // namespace fusekit::quantize
