#include "inputs/packed_shapes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ir/constants.h"

namespace fusekit::inputs {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// Is it one of the modules that pack their weight when they are loaded (ir/new_module)?
bool packs_itself(const torch::jit::Module& module) {
  return module.type()->name() && module.type()->name()->prefix().rfind("__torch__.fusekit", 0) == 0 &&
         module.find_method("pack");
}

bool has_packed_layers(const torch::jit::Module& module) {
  for (const torch::jit::Module& one : module.modules())
    if (packs_itself(one)) return true;
  return false;
}

/// Notes the shapes that a condition, an "and" of questions, asks for.
void note_shapes(const Value* condition, const torch::jit::Graph& graph, PackedShapes& shapes) {
  const Node* node = condition->node();
  if (node->kind() == c10::aten::__and__) {
    for (const Value* part : node->inputs()) note_shapes(part, graph, shapes);
    return;
  }
  if (node->kind() != c10::aten::eq || node->input(0)->node()->kind() != c10::aten::size) return;
  const auto wanted = ir::constant_ints(node->input(1));
  const auto inputs = graph.inputs();
  const auto place = std::find(inputs.begin(), inputs.end(), node->input(0)->node()->input(0)) - inputs.begin();
  if (wanted && place >= 1 && place < std::ssize(inputs)) shapes.at(static_cast<std::size_t>(place - 1)) = *wanted;
}

}  // namespace

std::vector<PackedShapes> packed_shapes(const torch::jit::Module& module) {
  const auto forward = module.find_method("forward");
  std::vector<PackedShapes> found;
  if (!forward || !has_packed_layers(module)) return found;
  const auto graph = forward->graph();
  // The second road is asked about where the first is not taken.
  for (const torch::jit::Block* block = graph->block(); block != nullptr;) {
    const torch::jit::Block* otherwise = nullptr;
    for (const Node* node : block->nodes()) {
      if (node->kind() != c10::prim::If) continue;
      PackedShapes shapes(graph->inputs().size() - 1);
      note_shapes(node->input(), *graph, shapes);
      if (std::none_of(shapes.begin(), shapes.end(), [](const auto& shape) { return shape.has_value(); })) continue;
      found.push_back(std::move(shapes));
      otherwise = node->blocks().at(1);
      break;
    }
    block = otherwise;
  }
  return found;
}

bool fits_packed(const std::vector<PackedShapes>& packed, const Sample& sample) {
  return std::any_of(packed.begin(), packed.end(), [&](const PackedShapes& shapes) {
    for (std::size_t i = 0; i < std::min(shapes.size(), sample.size()); ++i)
      if (shapes[i] && sample[i].isTensor() && sample[i].toTensor().sizes().vec() != *shapes[i]) return false;
    return true;
  });
}

std::string text_of(const std::vector<PackedShapes>& packed) {
  std::vector<std::string> roads;
  for (const PackedShapes& shapes : packed) {
    std::vector<std::string> arguments;
    for (const auto& shape : shapes)
      if (shape) arguments.push_back(fmt::format("{}", fmt::join(*shape, "x")));
    roads.push_back(fmt::format("{}", fmt::join(arguments, "; ")));
  }
  return fmt::format("{}", fmt::join(roads, " | "));
}

}  // namespace fusekit::inputs
