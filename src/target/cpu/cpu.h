#pragma once

#include "target/target.h"

namespace fusekit::target {

/// Operators of oneDNN and MKL with packed weights, for CPUs: a fast road for the shapes that it is given, and plain
/// operators for all others.
Target cpu();

}  // namespace fusekit::target
