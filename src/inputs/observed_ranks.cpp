#include "inputs/observed_ranks.h"

#include "inputs/observed_tensors.h"

namespace fusekit::inputs {

ObservedRanks observed_ranks(const file::Original& original, torch::jit::Graph& graph,
                             const c10::FunctionSchema& schema, const Sample& sample) {
  ObservedRanks ranks;
  for (const auto& [number, tensor] : observed_tensors(original.fresh(), graph, schema, sample))
    if (tensor.rank) ranks.emplace(number, *tensor.rank);
  return ranks;
}

}  // namespace fusekit::inputs
