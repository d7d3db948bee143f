#include "ir/operators/work.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <map>

#include "ir/constants.h"
#include "ir/operators/layer.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

using Sizes = std::vector<std::int64_t>;

double count_of(const Sizes& sizes) {
  double count = sizes.empty() ? 0 : 1;
  for (const std::int64_t size : sizes) count *= static_cast<double>(size);
  return count;
}

/// From the end: 1 is the last one. 1 where there is none.
double size_from_end(const Sizes& sizes, std::size_t place) {
  return sizes.size() < place ? 1 : static_cast<double>(sizes[sizes.size() - place]);
}

bool is_product(const Node* node) {
  return is_operator(node, {"aten::matmul", "aten::mm", "aten::bmm", "aten::mv", "aten::dot", "aten::addmm",
                            "aten::baddbmm", "aten::addbmm", "aten::addmv"});
}

bool is_attention(const Node* node) { return is_operator(node, {"aten::scaled_dot_product_attention"}); }
bool is_einsum(const Node* node) { return is_operator(node, {"aten::einsum"}); }

/// Each of its matrices meets each step (and sample) of its first input once.
bool is_repeated_linear(const Node* node) {
  return is_operator(node, {"aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu", "aten::lstm_cell",
                            "aten::gru_cell", "aten::rnn_tanh_cell", "aten::rnn_relu_cell",
                            "aten::_transformer_encoder_layer_fwd", "aten::_native_multi_head_attention"});
}

/// All tensors among the inputs, those in lists too.
std::vector<Value*> tensors_of(Node* node) {
  std::vector<Value*> tensors;
  for (Value* input : node->inputs()) {
    if (input->type()->isSubtypeOf(*c10::TensorType::get())) tensors.push_back(input);
    if (input->node()->kind() != c10::prim::ListConstruct) continue;
    for (Value* element : input->node()->inputs())
      if (element->type()->isSubtypeOf(*c10::TensorType::get())) tensors.push_back(element);
  }
  return tensors;
}

/// The product of the sizes of all letters: "bij,bjk->bik" is b * i * j * k.
double einsum_work(const Work& work, const ShapeOf& shape_of) {
  const auto equation = constant_string(work.node->input(0));
  if (!equation) return 0;
  std::map<char, double> sizes;
  std::size_t operand = 0;
  std::size_t place = 0;
  for (const char letter : *equation) {
    if (letter == '-') break;
    if (letter == ' ') continue;
    if (letter == ',') {
      ++operand;
      place = 0;
      continue;
    }
    if (letter == '.' || operand + 1 >= work.tensors.size()) return 0;
    const Sizes shape = shape_of(work.tensors[operand]);
    if (place >= shape.size()) return 0;
    sizes[letter] = static_cast<double>(shape[place++]);
  }
  double product = 1;
  for (const auto& [letter, size] : sizes) product *= size;
  return product;
}

double product_work(const Work& work, const ShapeOf& shape_of) {
  const bool adds = is_operator(work.node, {"aten::addmm", "aten::baddbmm", "aten::addbmm", "aten::addmv"});
  if (work.tensors.size() < (adds ? 4U : 3U)) return 0;
  const Sizes first = shape_of(work.tensors[adds ? 1 : 0]);
  const Sizes second = shape_of(work.tensors[adds ? 2 : 1]);
  const double columns = second.size() < 2 ? 1 : size_from_end(second, 1);
  // Of batches the larger one counts, the other is broadcast.
  return std::max(count_of(first) * columns, count_of(second) * (first.size() < 2 ? 1 : size_from_end(first, 2)));
}

/// q k^T, and what comes of it times v.
double attention_work(const Sizes& query, const Sizes& key, const Sizes& value) {
  const double rows = count_of(query) / std::max(1.0, size_from_end(query, 1));
  return rows * size_from_end(key, 2) * (size_from_end(query, 1) + size_from_end(value, 1));
}

/// Elements of the matrices of a recurrent layer whose list of weights is an attribute: by its sizes.
double recurrent_weights(const Work& work, double in, const ShapeOf& shape_of) {
  const auto layers = constant_int(argument(work.node, "num_layers"));
  const auto both_ways = constant_bool(argument(work.node, "bidirectional"));
  if (!layers || !both_ways) return 0;
  const double gates = is_operator(work.node, {"aten::lstm"}) ? 4 : is_operator(work.node, {"aten::gru"}) ? 3 : 1;
  const double directions = *both_ways ? 2 : 1;
  const double out = size_from_end(shape_of(work.tensors.back()), 1);
  const double hidden = out / directions;
  double weights = 0;
  for (std::int64_t layer = 0; layer < *layers; ++layer)
    weights += directions * gates * hidden * ((layer == 0 ? in : out) + hidden);
  return weights;
}

double repeated_linear_work(const Work& work, const Program& program, const ShapeOf& shape_of) {
  const Sizes input = shape_of(work.tensors.front());
  const double steps = count_of(input) / std::max(1.0, size_from_end(input, 1));
  double weights = 0;
  const auto add = [&](const Sizes& sizes) { weights += sizes.size() == 2 ? count_of(sizes) : 0; };
  const auto add_value = [&](const Value* value) {
    const auto weight = constant_tensor(program, value);
    add(weight ? weight->sizes().vec() : shape_of(value));
  };
  for (Value* input : work.node->inputs().slice(2)) {  // behind the data and the state
    if (const auto list = torch::jit::toIValue(input); list && list->isTensorList()) {
      for (const at::Tensor& weight : list->toTensorVector()) add(weight.sizes().vec());
    } else if (input->node()->kind() == c10::prim::ListConstruct) {
      for (const Value* element : input->node()->inputs()) add_value(element);
    } else if (is_tensor(input)) {
      add_value(input);
    }
  }
  if (weights == 0) weights = recurrent_weights(work, size_from_end(input, 1), shape_of);
  const bool attends =
      is_operator(work.node, {"aten::_transformer_encoder_layer_fwd", "aten::_native_multi_head_attention"});
  return steps * weights + (attends ? attention_work(input, input, input) : 0);
}

}  // namespace

std::optional<Work> as_work(Node* node) {
  std::optional<Work> work;
  if (const auto layer = as_layer(node)) {
    work = {node, layer->is_linear ? "linear" : "convolution", {layer->input, layer->weight}};
  } else if (is_product(node) || is_attention(node) || is_einsum(node) || is_repeated_linear(node)) {
    work = {node, node->kind().toUnqualString(), tensors_of(node)};
  }
  if (work && !node->outputs().empty()) work->tensors.push_back(node->output(0));
  return work && work->tensors.size() > 1 ? work : std::nullopt;
}

double multiply_adds(const Work& work, const Program& program, const ShapeOf& shape_of) {
  Node* node = work.node;
  const auto& tensors = work.tensors;
  if (const auto layer = as_layer(node)) {
    const auto weight = constant_tensor(program, layer->weight);
    const Sizes sizes = weight ? weight->sizes().vec() : shape_of(layer->weight);
    const Sizes in = shape_of(layer->input);
    const Sizes out = shape_of(tensors.back());
    if (sizes.empty() || in.empty() || out.empty()) return 0;
    return multiply_adds(*layer, at::empty(sizes, at::kMeta), in, out);
  }
  if (is_einsum(node)) return einsum_work(work, shape_of);
  if (is_attention(node)) {
    return tensors.size() < 4 ? 0 : attention_work(shape_of(tensors[0]), shape_of(tensors[1]), shape_of(tensors[2]));
  }
  return is_product(node) ? product_work(work, shape_of) : repeated_linear_work(work, program, shape_of);
}

}  // namespace fusekit::ir
