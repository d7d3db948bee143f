#include "target/cpu/packed_layer.h"

#include <algorithm>

#include "ir/flatten.h"
#include "ir/value_names.h"
#include "runtime/libtorch_operators.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;

struct Recipe {
  const char* class_name;
  const char* needs;   ///< the operator that runs on what was packed
  const char* source;  ///< of `pack`; WEIGHT stands for the weight's name
};

const Recipe& recipe_of(Packing packing) {
  static const Recipe convolution{"PackedConv2d", "mkldnn::_convolution_pointwise",
                                  "def pack(self) -> None:\n"
                                  "    padding, stride, dilation, groups, input = self.packing\n"
                                  "    self.packed = ops.mkldnn._reorder_convolution_weight(self.WEIGHT, padding, "
                                  "stride, dilation, groups, input)\n"};
  static const Recipe transposed{"PackedConvTranspose2d", "mkldnn::_convolution_transpose_pointwise",
                                 "def pack(self) -> None:\n"
                                 "    padding, output_padding, stride, dilation, groups, input = self.packing\n"
                                 "    self.packed = ops.mkldnn._reorder_convolution_transpose_weight(self.WEIGHT, "
                                 "padding, output_padding, stride, dilation, groups, input)\n"};
  static const Recipe row_convolution{"PackedConv1d", "mkldnn::_convolution_pointwise",
                                      "def pack(self) -> None:\n"
                                      "    padding, stride, dilation, groups, input = self.packing\n"
                                      "    weight = torch.unsqueeze(self.WEIGHT, 2)\n"
                                      "    self.packed = ops.mkldnn._reorder_convolution_weight(weight, padding, "
                                      "stride, dilation, groups, input)\n"};
  static const Recipe linear{"PackedLinear", "mkldnn::_linear_pointwise",
                             "def pack(self) -> None:\n"
                             "    matrix = torch.contiguous(torch.flatten(self.WEIGHT, 1))\n"
                             "    self.packed = ops.mkldnn._reorder_linear_weight(matrix, self.packing)\n"};
  static const Recipe mkl{"PackedLinearMkl", "mkl::_mkl_linear",
                          "def pack(self) -> None:\n"
                          "    self.matrix = torch.contiguous(torch.flatten(self.WEIGHT, 1))\n"
                          "    self.packed = ops.mkl._mkl_reorder_linear_weight(self.matrix, self.packing)\n"};
  static const Recipe matrix{"MatrixConv2d", "aten::linear",
                             "def pack(self) -> None:\n"
                             "    self.packed = torch.contiguous(torch.flatten(self.WEIGHT, 1))\n"};
  switch (packing) {
    case Packing::convolution:
      return convolution;
    case Packing::transposed:
      return transposed;
    case Packing::row_convolution:
      return row_convolution;
    case Packing::linear:
      return linear;
    case Packing::mkl:
      return mkl;
    default:
      return matrix;
  }
}

/// Appended to `pack` of one module: blocks of 32 MiB that are freed untouched. The first that malloc maps anew (the others
/// may fit into what loading left free) lets glibc keep up to twice as much of what a run frees. Else it gives that back to
/// the kernel, and each run takes it anew, page by page. Their size, glibc's most, is computed and read so that no
/// optimizer can leave them out; dtype 0 is uint8. Other allocators don't mind.
const char* const kKeepsHeap =
    "    bytes = 33488896 + int(torch.numel(self.WEIGHT) < 0)\n"
    "    a = torch.empty([bytes], dtype=0)\n"
    "    b = torch.empty([bytes], dtype=0)\n"
    "    c = torch.empty([bytes], dtype=0)\n"
    "    d = torch.empty([bytes], dtype=0)\n"
    "    assert torch.numel(a) + torch.numel(b) + torch.numel(c) + torch.numel(d) > 0\n";

bool has_bias(const ir::Layer& layer) { return layer.bias != nullptr && !ir::is_none(layer.bias); }

/// What tells constants apart, in every copy of a graph: a weight's key, or where an anonymous tensor lies.
std::string identity_of(const Value* constant) {
  if (const auto key = ir::weight_key(constant)) return "key " + *key;
  const auto value = torch::jit::toIValue(constant);
  if (!value || !value->isTensor()) return "none";
  return fmt::format("tensor {}", static_cast<const void*>(value->toTensor().unsafeGetTensorImpl()));
}

/// The attribute's name: that of the weight in its own module, where the new class can have it.
std::string attribute_name(const ir::Weight* weight, const std::string& usual) {
  if (weight == nullptr) return usual;
  std::string name = ir::split_path(weight->path).second;
  const bool is_free =
      name != "packed" && name != "packing" && name != "matrix" && name != "pack" && name != "training";
  return is_free && ir::identifier(name) == name ? name : usual;
}

/// Saved as a parameter or buffer as it was; without a gradient: what is packed has none.
ir::NewAttribute saved(const std::string& name, const at::Tensor& tensor, const ir::Weight* weight) {
  const bool is_buffer = weight != nullptr && weight->is_buffer;
  return {name, c10::TensorType::get(), tensor.detach(),
          is_buffer ? ir::AttributeRole::buffer : ir::AttributeRole::parameter};
}

ir::NewAttribute packing_of(const ir::Layer& layer, const LayerShape& shape, const at::Tensor& weight) {
  const bool is_row = shape.packing == Packing::row_convolution;
  const bool is_transposed = shape.packing == Packing::transposed;
  if (shape.packing != Packing::convolution && !is_row && !is_transposed)
    return {"packing", c10::IntType::get(), shape.input.at(0)};
  ir::Geometry geometry = *ir::geometry_of(*ir::as_convolution(layer.node), weight);
  if (is_row) geometry = of_one_row(std::move(geometry));
  std::vector<c10::TypePtr> types;
  std::vector<c10::IValue> values;
  const auto add = [&](const c10::TypePtr& type, const c10::IValue& value) {
    types.push_back(type);
    values.push_back(value);
  };
  const auto add_list = [&](const std::vector<std::int64_t>& numbers) {
    add(c10::ListType::ofInts(), c10::List<std::int64_t>(numbers));
  };
  add_list(geometry.padding);
  if (is_transposed) add_list(geometry.output_padding);
  add_list(geometry.stride);
  add_list(geometry.dilation);
  add(c10::IntType::get(), layer.groups);
  add_list(shape.input);
  return {"packing", c10::TupleType::create(types), c10::ivalue::Tuple::create(values)};
}

std::string text_of(const c10::IValue& value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + by.size()))
    text.replace(at, part.size(), by);
  return text;
}

}  // namespace

ir::Geometry of_one_row(ir::Geometry geometry) {
  geometry.stride.insert(geometry.stride.begin(), 1);
  geometry.padding.insert(geometry.padding.begin(), 0);
  geometry.padding_end.insert(geometry.padding_end.begin(), 0);
  geometry.dilation.insert(geometry.dilation.begin(), 1);
  geometry.output_padding.insert(geometry.output_padding.begin(), 0);
  return geometry;
}

bool has_constant_weights(const ir::Layer& layer, const ir::Program& program) {
  const auto is_constant = [&](const Value* value) { return ir::constant_tensor(program, value).has_value(); };
  return is_constant(layer.weight) && (!has_bias(layer) || is_constant(layer.bias));
}

bool PackedLayers::are_supported() { return is_supported(Packing::convolution) && is_supported(Packing::linear); }

bool PackedLayers::is_supported(Packing packing) { return runtime::has_operator(recipe_of(packing).needs); }

std::string PackedLayers::module_of(const ir::Layer& layer, const LayerShape& shape, Node* before) {
  const at::Tensor tensor = *ir::constant_tensor(program_, layer.weight);
  const ir::NewAttribute packing = packing_of(layer, shape, tensor);
  const std::string what = fmt::format("{} {} {} {}", static_cast<int>(shape.packing), text_of(packing.value),
                                       identity_of(layer.weight), layer.bias ? identity_of(layer.bias) : "none");
  if (const auto known = modules_.find(what); known != modules_.end()) return known->second;

  const Recipe& recipe = recipe_of(shape.packing);
  const ir::Weight* weight = ir::weight_of(program_, layer.weight);
  const std::string name = attribute_name(weight, "weight");
  ir::NewModule module;
  module.class_name = recipe.class_name;
  module.attributes.push_back(saved(name, tensor, weight));
  std::string bias_name;
  if (has_bias(layer)) {
    const ir::Weight* bias = ir::weight_of(program_, layer.bias);
    bias_name = attribute_name(bias, "bias");
    if (bias_name == name) bias_name += "_bias";
    module.attributes.push_back(saved(bias_name, *ir::constant_tensor(program_, layer.bias), bias));
  }
  module.attributes.push_back(packing);
  if (shape.packing == Packing::mkl)
    module.attributes.push_back({"matrix", c10::TensorType::get(), {}, ir::AttributeRole::packed});
  module.attributes.push_back({"packed", c10::TensorType::get(), {}, ir::AttributeRole::packed});
  module.source = replaced(std::string(recipe.source) + (modules_.empty() ? kKeepsHeap : ""), "WEIGHT", name);
  const std::string path = weight != nullptr ? ir::split_path(weight->path).first : "";
  const std::string key = *ir::module_key(ir::add_module(program_, before, path, std::move(module)));
  homes_.emplace(identity_of(layer.weight), std::pair(key, name));
  if (!bias_name.empty()) homes_.emplace(identity_of(layer.bias), std::pair(key, bias_name));
  return modules_.emplace(what, key).first->second;
}

Value* PackedLayers::read(const ir::Layer& layer, const LayerShape& shape, const std::string& attribute, Node* before) {
  return ir::read_module(before, ir::insert_module(program_, before, module_of(layer, shape, before)), attribute);
}

Value* PackedLayers::bias(const ir::Layer& layer, Node* before) const {
  if (!has_bias(layer)) {
    const torch::jit::WithInsertPoint guard(before);
    return before->owningGraph()->insertConstant(c10::IValue());
  }
  const auto& [key, name] = homes_.at(identity_of(layer.bias));
  return ir::read_module(before, ir::insert_module(program_, before, key), name);
}

void PackedLayers::use_in(ir::Graph& graph) const {
  for (Node* node : ir::all_nodes(graph)) {
    if (node->kind() != c10::prim::Constant || !node->hasUses()) continue;
    const auto home = homes_.find(identity_of(node->output()));
    if (home == homes_.end()) continue;
    Value* module = ir::insert_module(program_, node, home->second.first);
    node->output()->replaceAllUsesWith(ir::read_module(node, module, home->second.second));
    node->destroy();
  }
}

}  // namespace fusekit::target
