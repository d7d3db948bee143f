#pragma once

#include <string>

#include "print/layer_facts.h"

namespace fusekit::print {

/// What PyTorch's `extra_repr` gives for a layer of class `class_name` (the text that torch/nn/modules/*.py builds).
/// Empty for a class without extra_repr and for an unknown class.
std::string extra_repr(const std::string& class_name, const LayerFacts& layer);

}  // namespace fusekit::print
