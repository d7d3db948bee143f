#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "quantize/lower/conversion.h"
#include "quantize/observe/values.h"

namespace fusekit::quantize {

/// An operator that stays float although there is a conversion of its family, and why.
struct Declined {
  Node* node = nullptr;
  const Conversion* how = nullptr;
  Reason reason;
};

/// What becomes int8, in the graph's order.
struct Plan {
  std::vector<Step> steps;
  std::vector<Declined> declined;
};

/// What the plan goes by beside the graph.
struct PlanOptions {
  /// What calibration saw; nullptr before it: then everything that may become int8 is in the plan.
  const Facts* facts = nullptr;
  const Numbering* numbers = nullptr;
  /// Why the user wants this operator to stay float, or no reason. Empty: no operator is to.
  std::function<Reason(const Node* node)> keep_float;
  /// May this operator take in the activation behind it? Empty: each may.
  std::function<bool(const Node* node, const Node* activation)> may_absorb;
  /// Leave operators in float that are faster there, conversions included (Conversion::slower_from).
  bool leave_slower = false;
};

Plan plan(Graph& graph, const ir::Program& program, const PlanOptions& options);

/// The float tensors that have to be observed for a plan: what its steps read and compute.
std::vector<Value*> observed_values(const Plan& plan);

/// The interval outside of which nothing that reads `value` can tell its values apart, e.g. [-3, inf) before a
/// hardswish; (-inf, inf) where there is none.
Range interval_that_matters(const Value* value);

}  // namespace fusekit::quantize
