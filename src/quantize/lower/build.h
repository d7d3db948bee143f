#pragma once

#include "quantize/lower/emitter.h"
#include "quantize/lower/plan.h"
#include "quantize/observe/network.h"
#include "quantize/observe/shapes.h"

namespace fusekit::quantize {

/// A float network that is ready to be quantized: fused, functional, observed.
struct Observed {
  const ir::Program* program = nullptr;
  const Numbering* numbers = nullptr;  ///< of its forward
  Facts facts;
  /// As PlanOptions has it; asked with nodes of copies of the program.
  std::function<bool(const Node* node, const Node* activation)> may_absorb{};
  bool leave_slower = false;  ///< as PlanOptions has it
  /// What operators with multiply-adds read and compute, and what int8 operators do, in a run of the first sample.
  Shapes shapes{};
};

/// One step of a built network, by numbers that hold for every copy of the float network.
struct BuiltStep {
  const Conversion* how = nullptr;
  std::string scope;                    ///< module path of the operator
  int input = -1;                       ///< number of the first input
  int output = -1;                      ///< number of the output
  Node* node = nullptr;                 ///< in the float network
  Value* int8_input = nullptr;          ///< the first input in the int8 network; nullptr where that is no tensor
  std::optional<ir::Interval> clamp{};  ///< that it ends with; its node is gone
};

struct Built {
  ir::Program program;  ///< int8
  std::vector<BuiltStep> steps;
  std::vector<Watch> watches;       ///< the steps' int8 outputs by the output's number
  std::map<int, Packing> packings;  ///< of the layers' weights, by the number of the layer's own output
  std::vector<Declined> declined;   ///< nodes of the float network
};

/// What a plan of the float network, or of a copy with these numbers, goes by.
PlanOptions plan_options(const Observed& observed, const Numbering& numbers,
                         std::function<Reason(const Node*)> keep_float);

/// The int8 network in which everything is int8 that can be and that `keep_float` (asked with nodes of the float
/// network) lets be.
Built build(const Observed& observed, const std::function<Reason(const Node*)>& keep_float,
            const WeightQuantizer& quantizer);

}  // namespace fusekit::quantize
