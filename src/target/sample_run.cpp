#include "target/sample_run.h"

#include "fusekit/error.h"

namespace fusekit::target {

inputs::ObservedTensors observe(const file::Original& original, const ir::Method& method, ir::Graph& graph,
                                const inputs::Sample& sample) {
  auto observed = inputs::observed_tensors(original.fresh(), graph, method.schema, sample);
  if (observed.empty())
    throw Error(ErrorKind::input, "the network can't be run on these inputs",
                "LowerOptions::inputs are what it is lowered for");
  return observed;
}

}  // namespace fusekit::target
