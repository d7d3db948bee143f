#include "quantize/observe/values.h"

namespace fusekit::quantize {

Numbering::Numbering(Graph& graph) {
  for (Value* input : graph.inputs()) add(input);
  for (Node* node : ir::all_nodes(graph)) {
    for (Value* output : node->outputs()) add(output);
    for (torch::jit::Block* block : node->blocks())
      for (Value* input : block->inputs()) add(input);
  }
}

void Numbering::add(Value* value) {
  numbers_.emplace(value, static_cast<int>(values_.size()));
  values_.push_back(value);
}

}  // namespace fusekit::quantize
