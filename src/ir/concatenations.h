#pragma once

#include "ir/program.h"

namespace fusekit::ir {

/// cat([a, b, c]) where cat([a, b]) was computed before becomes cat([that, c]): the same elements, in fewer and longer
/// pieces. DenseNet's lists grow like that. In float and int8.
void reuse_concatenations(Graph& graph, const Program& program);

}  // namespace fusekit::ir
