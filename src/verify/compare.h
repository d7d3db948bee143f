#pragma once

#include <ATen/core/ivalue.h>

#include <string>

#include "fusekit/verify.h"

namespace fusekit::gate {

/// What came of comparing two values.
struct Comparison {
  OutputError error;          ///< the worst of all tensors in them
  std::string worst_at;       ///< where max_rel is largest, e.g. "output[1]['scores']"
  std::int64_t compared = 0;  ///< elements of tensors, and single values
  std::string failure;        ///< why they can't be called equal at any tolerance; empty where they can
};

/// Compares b to a: structure, lengths, keys, types, shapes, dtypes, integers, booleans and strings have to be equal,
/// NaNs and infinities have to stand at the same places; floating-point tensors and numbers are measured. Tensors that
/// are quantized, sparse or opaque are compared by the values that they stand for. `place` names the value in messages.
Comparison compare(const c10::IValue& a, const c10::IValue& b, const std::string& place = "output");

}  // namespace fusekit::gate
