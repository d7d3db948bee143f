#pragma once

#include <memory>

#include "ir/program.h"

namespace fusekit::rewrite {

/// Clears what stands between the operators of a pattern without computing anything: Dropout in eval, and checks of a
/// rank that is proven (a check that is not proven stays).
void normalize(std::shared_ptr<torch::jit::Graph>& graph);

}  // namespace fusekit::rewrite
