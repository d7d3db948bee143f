#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fusekit/reason.h"
#include "ir/operators.h"
#include "quantize/observe/values.h"

namespace fusekit::quantize {

class Emitter;
struct Step;

/// Where the scale and zero point of an int8 output come from.
enum class OutputScale {
  observed,  ///< chosen from what calibration saw there
  of_input,  ///< the operator moves or picks levels: its output has its input's
  fixed,     ///< the range of the function: Conversion::fixed
};

/// Which inputs have to be int8 already for the operator to become int8.
enum class Precondition {
  none,         ///< its own work is faster in int8: float inputs are quantized for it
  any_input,    ///< at least one
  every_input,  ///< all
};

/// What an operator is to the quantizer.
enum class Role {
  layer,   ///< a convolution or linear: it has weights, and takes the time
  concat,  ///< its inputs may share its scale
  other,
};

/// How one family of float operators becomes int8. One file of operators/ holds one or more of these.
struct Conversion {
  std::string_view name;     ///< e.g. "convolution"
  std::string_view summary;  ///< what becomes of it
  bool (*matches)(Node* node);
  /// Why the operator's settings have no int8 form, or no reason. Facts of its input (dtype, rank) are `plan`'s matter.
  Reason (*why_not)(Node* node, const ir::Program& program);
  /// The float tensors that are to be int8.
  std::vector<Value*> (*inputs)(Node* node);
  /// Adds the int8 operator in front of the step's first node and returns its output.
  Value* (*emit)(const Step& step, Emitter& emitter);
  OutputScale scale = OutputScale::observed;
  Role role = Role::other;
  Precondition precondition = Precondition::none;
  /// Takes in a ReLU, ReLU6, Hardtanh or clamp behind it: the levels of its output end where the activation does.
  bool absorbs_clamp = false;
  QParams fixed{};
  /// From how many elements of the output on dequantizing, the float operator and quantizing take less time than the int8
  /// operator under the engine x86; none: never.
  std::optional<std::int64_t> slower_from{};
  /// The same where its operands have different shapes, so that one is read again and again.
  std::optional<std::int64_t> slower_from_broadcast{};
  /// Ranks of the first input that the int8 operator takes; empty: any.
  std::vector<std::int64_t> (*ranks)(Node* node, const ir::Program& program) = nullptr;
};

/// One conversion at one place of the graph.
struct Step {
  const Conversion* how = nullptr;
  std::vector<Node*> nodes;           ///< the operator, then what it absorbs; all of them go
  std::vector<Value*> inputs;         ///< float tensors that are read as int8
  Value* output = nullptr;            ///< the float tensor (or list of tensors) that is computed
  std::optional<ir::Interval> clamp;  ///< of the activation that it takes in: ReLU is [0, inf)

  [[nodiscard]] Node* front() const { return nodes.front(); }
};

/// All conversions; the first that matches an operator is taken. A new family is one new file and one new line there.
const std::vector<Conversion>& conversions();

}  // namespace fusekit::quantize
