#include "support/packed_module.h"

#include "ir/cleanup.h"

namespace fusekit::test {

ir::NewModule negating_convolution(const at::Tensor& weight, const at::Tensor& bias) {
  return {"NegatingConv2d",
          {{"weight", c10::TensorType::get(), weight, ir::AttributeRole::parameter},
           {"bias", c10::TensorType::get(), bias, ir::AttributeRole::parameter},
           {"packed", c10::TensorType::get(), {}, ir::AttributeRole::packed}},
          "def pack(self) -> None:\n"
          "    self.packed = torch.neg(torch.detach(self.weight))\n"
          "def forward(self, x, negative: bool = True):\n"
          "    if self.packed.dtype != self.weight.dtype:\n"
          "        return torch.conv2d(x, self.weight, self.bias)\n"
          "    if negative:\n"
          "        x = torch.neg(x)\n"
          "    return torch.conv2d(x, self.packed, self.bias)\n"};
}

std::vector<std::string> pack_convolutions(ir::Program& program,
                                           ir::NewModule (*make)(const at::Tensor& weight, const at::Tensor& bias)) {
  std::vector<std::string> keys;
  ir::Graph& graph = *program.methods.front().graph;
  for (ir::Node* node : ir::all_nodes(graph)) {
    if (node->kind() != c10::aten::conv2d) continue;
    const ir::Weight& weight = *ir::weight_of(program, node->input(1));
    const std::string path = weight.path.substr(0, weight.path.rfind('.'));
    ir::Value* module =
        ir::add_module(program, node, path, make(weight.tensor, *ir::constant_tensor(program, node->input(2))));
    keys.push_back(*ir::module_key(module));
    node->output()->replaceAllUsesWith(ir::call_module(node, module, "forward", {node->input(0)}));
    node->destroy();
  }
  ir::remove_dead_code(graph);
  return keys;
}

}  // namespace fusekit::test
