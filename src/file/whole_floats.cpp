#include "file/whole_floats.h"

#include <cmath>

#include "ir/constants.h"
#include "ir/program.h"

namespace fusekit::file {
namespace {

/// From here on it happens, until a number is written with an exponent.
constexpr double kLeast = 1e9;
constexpr double kMost = 1e18;

bool loses_its_point(double number) {
  const double size = std::abs(number);
  return size >= kLeast && size < kMost && std::trunc(number) == number;
}

}  // namespace

void keep_whole_floats(torch::jit::Graph& graph) {
  for (torch::jit::Node* node : ir::all_nodes(graph)) {
    if (node->kind() != c10::prim::Constant || node->output()->type()->kind() != c10::TypeKind::FloatType) continue;
    const auto number = ir::constant_number(node->output());
    if (!number || !loses_its_point(*number)) continue;
    const torch::jit::WithInsertPoint guard(node);
    torch::jit::Value* whole = graph.insertConstant(static_cast<std::int64_t>(*number));
    node->output()->replaceAllUsesWith(graph.insert(c10::aten::Float, {whole}));
    node->destroy();
  }
}

}  // namespace fusekit::file
