#include "target/channels_last_weights.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "fusekit/error.h"
#include "ir/constants.h"
#include "ir/operators.h"
#include "ir/uses.h"
#include "target/layouts.h"

namespace fusekit::target {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;

/// For other dtypes LibTorch has no convolutions that gain by it.
bool is_fast_type(at::ScalarType dtype) { return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf; }

/// The convolutions whose weights can be stored in channels_last: 2-D, constant, and read by convolutions of this method alone.
std::vector<ir::Layer> convolutions_of(const ir::Program& program, const ir::Method& method) {
  std::vector<ir::Layer> found;
  std::set<std::string> read_otherwise;
  for (const ir::Method& each : program.methods) {
    for (Node* node : ir::all_nodes(*each.graph)) {
      const auto layer = ir::as_layer(node);
      const bool is_convolution = layer && !layer->is_linear && each.name == method.name;
      for (Value* input : node->inputs()) {
        const auto key = ir::weight_key(input);
        if (key && !(is_convolution && input == layer->weight)) read_otherwise.insert(*key);
      }
      const auto weight = is_convolution ? ir::constant_tensor(program, layer->weight) : std::nullopt;
      if (weight && weight->dim() == 4 && is_fast_type(weight->scalar_type())) found.push_back(*layer);
    }
  }
  std::erase_if(found, [&](const ir::Layer& layer) {
    const auto key = ir::weight_key(layer.weight);
    return key && read_otherwise.count(*key) > 0;
  });
  return found;
}

bool may_hold_tensors(const Value* value) {
  switch (value->type()->kind()) {
    case c10::TypeKind::IntType:
    case c10::TypeKind::FloatType:
    case c10::TypeKind::BoolType:
    case c10::TypeKind::NumberType:
    case c10::TypeKind::StringType:
    case c10::TypeKind::NoneType:
    case c10::TypeKind::DeviceObjType:
      return false;
    default:
      return true;
  }
}

/// Does the operator's result lie in memory as it does whatever its inputs do? An int8 network converts data to channels_last
/// itself, for speed; a float one that does so means it.
bool has_its_own_layout(Node* node, bool is_int8) {
  const auto layer = ir::as_layer(node);
  if (layer && layer->is_linear) return true;
  if (node->kind() != c10::aten::contiguous) return false;
  const auto format = ir::constant_int(ir::argument(node, "memory_format"));
  return !is_int8 || format == static_cast<std::int64_t>(at::MemoryFormat::Contiguous);
}

/// Does the operator go back to contiguous memory, so that the next convolution copies?
bool goes_back(const Node* node) { return ir::is_operator(node, {"aten::instance_norm"}); }

bool writes_into_a_tensor(const Node* node) {
  return ir::writes_in_place(node) && !node->inputs().empty() && ir::is_tensor(node->input(0));
}

/// Where tensors leave the graph: what it gives out, and what it keeps as its state.
std::vector<Use> places_outside(ir::Graph& graph) {
  std::vector<Use> places = places_of_outputs(graph);
  for (Node* node : ir::all_nodes(graph))
    if (node->kind() == c10::prim::SetAttr) places.emplace_back(node, 1);
  return places;
}

/// How channels_last spreads through a graph.
class Spread {
 public:
  /// From these values on; `is_int8`: they are of an int8 network.
  Spread(ir::Graph& graph, InChannelsLast values, bool is_int8)
      : nodes_(ir::all_nodes(graph)), values_(std::move(values)), is_int8_(is_int8) {
    std::size_t before = 0;
    while (before != values_.size()) {  // once more for what a loop or a list hands on
      before = values_.size();
      for (Node* node : nodes_) visit(node);
    }
  }

  [[nodiscard]] const InChannelsLast& values() const { return values_; }

  [[nodiscard]] bool reaches(const Node* node) const {
    return std::any_of(node->inputs().begin(), node->inputs().end(),
                       [this](const Value* value) { return values_.count(value) > 0; });
  }

  /// Might a node do something else for it, and not only raise?
  [[nodiscard]] bool is_seen() const {
    return std::any_of(nodes_.begin(), nodes_.end(), [this](const Node* node) {
      return reaches(node) && (tells_layouts_apart(node) || writes_into_a_tensor(node));
    });
  }

  /// Does it save more copies of data than it costs?
  [[nodiscard]] bool pays(const std::vector<ir::Layer>& convolutions) const {
    const auto saved = std::count_if(convolutions.begin(), convolutions.end(),
                                     [this](const ir::Layer& layer) { return values_.count(layer.input) > 0; });
    const auto lost = std::count_if(nodes_.begin(), nodes_.end(),
                                    [this](const Node* node) { return goes_back(node) && reaches(node); });
    return saved > 2 * lost;
  }

 private:
  void visit(Node* node) {
    if (has_its_own_layout(node, is_int8_)) return;
    const auto add = [this](at::ArrayRef<Value*> values) {
      std::copy_if(values.begin(), values.end(), std::inserter(values_, values_.end()), may_hold_tensors);
    };
    bool is_reached = reaches(node);
    for (const Block* block : node->blocks()) is_reached |= reaches(block->return_node());
    if (!is_reached) return;
    add(node->outputs());
    for (Block* block : node->blocks()) add(block->inputs());
    if (ir::writes_in_place(node)) add(node->inputs().slice(0, 1));  // a list that is appended to
  }

  std::vector<Node*> nodes_;
  InChannelsLast values_;
  bool is_int8_;
};

bool is_in_channels_last(const at::Tensor& weight) {
  return !weight.is_contiguous() && weight.is_contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor in_channels_last(const at::Tensor& weight) {
  return weight.detach().contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(weight.requires_grad());
}

}  // namespace

bool wants_channels_last(const LowerOptions& options) {
  if (options.memory_format == "preserve") return false;
  if (options.memory_format != "channels_last")
    throw Error(ErrorKind::unsupported, fmt::format("there is no memory format {} to write", options.memory_format),
                "LowerOptions::memory_format is channels_last or preserve");
  return true;
}

InChannelsLast made_by_int8_convolutions(ir::Graph& graph) {
  InChannelsLast outputs;
  for (const Node* node : ir::all_nodes(graph))
    if (std::string_view(node->kind().toQualString()).starts_with("quantized::conv") && node->outputs().size() == 1 &&
        ir::is_tensor(node->output()))
      outputs.insert(node->output());
  return Spread(graph, std::move(outputs), /*is_int8=*/true).values();
}

InChannelsLast put_weights_in_channels_last(ir::Program& program, const ir::Method& method) {
  const std::vector<ir::Layer> convolutions = convolutions_of(program, method);
  InChannelsLast outputs;
  for (const ir::Layer& layer : convolutions) outputs.insert(layer.node->output());
  const Spread spread(*method.graph, std::move(outputs), /*is_int8=*/false);
  if (!spread.pays(convolutions) || spread.is_seen()) return {};
  for (const ir::Layer& layer : convolutions)  // so is the network, and gives its results so
    if (is_in_channels_last(*ir::constant_tensor(program, layer.weight))) return {};
  for (const auto& [taker, place] : places_outside(*method.graph))
    if (spread.values().count(taker->input(place)) > 0 && !ir::is_tensor(taker->input(place))) return {};
  std::map<const at::TensorImpl*, at::Tensor> anonymous;  // in channels_last
  for (const ir::Layer& layer : convolutions) {
    if (const auto key = ir::weight_key(layer.weight)) {
      at::Tensor& tensor = program.weights.at(*key).tensor;
      tensor = in_channels_last(tensor);
      continue;
    }
    const at::Tensor tensor = *ir::constant_tensor(program, layer.weight);
    at::Tensor& converted = anonymous[tensor.unsafeGetTensorImpl()];
    if (!converted.defined()) converted = in_channels_last(tensor);
    layer.node->replaceInputWith(layer.weight, ir::add_weight(program, layer.node, "", converted, nullptr));
  }
  return spread.values();
}

void run_in_channels_last(ir::Graph& graph, const InChannelsLast& values) {
  if (values.empty()) return;
  std::vector<Use> places = places_outside(graph);
  std::erase_if(places, [&](const Use& use) {
    const Value* value = use.user->input(use.offset);
    return values.count(value) == 0 || !ir::is_tensor(value);
  });
  AnyLayout data;
  data.may_lie_otherwise = [&](const Value* value) { return values.count(value) > 0; };
  read_any_layout(graph, data);
  const auto arguments = graph.inputs().slice(1);  // without self
  const auto first = std::find_if(arguments.begin(), arguments.end(), ir::is_tensor);
  keep_contiguous(graph, places, first == arguments.end() ? nullptr : *first);
}

}  // namespace fusekit::target
