#pragma once

#include <string>
#include <variant>
#include <vector>

#include "fusekit/reason.h"
#include "rewrite/facts.h"

namespace fusekit::rewrite {

/// A weight that operators compute of constants alone: the same in every run.
struct ComputedWeight {
  at::Tensor tensor;
  std::vector<std::string> sources;  ///< keys of the weights that it is computed of, in the order of their paths
  std::string key;                   ///< one name for what is computed; "": no name
};

/// Computes `value`, a layer's `what` ("weight"), as a run would, by its own operators; or says why it may be another in
/// another run, or why it should go on being computed: it depends on an input or on what a method writes, an operator
/// gives random numbers or reads a file, something writes into it, or it is much larger than what it is computed of.
std::variant<Reason, ComputedWeight> compute_weight(Value* value, const std::string& what, Facts& facts);

}  // namespace fusekit::rewrite
