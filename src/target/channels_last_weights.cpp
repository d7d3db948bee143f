#include "target/channels_last_weights.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

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

const void* storage_of(const at::Tensor& tensor) { return tensor.storage().unsafeGetStorageImpl(); }

/// A tensor's memory, and how it lies there.
using Memory = std::tuple<const void*, std::vector<std::int64_t>, std::vector<std::int64_t>>;

Memory memory_of(const at::Tensor& tensor) { return {tensor.data_ptr(), tensor.sizes().vec(), tensor.strides().vec()}; }

/// The storages of the tensors below `module` whose path is not among `paths`.
void collect_storages(const torch::jit::Module& module, const std::string& prefix, const std::set<std::string>& paths,
                      std::set<const void*>& storages) {
  for (const auto& attribute : module.named_attributes(/*recurse=*/false)) {
    const std::string path = prefix + attribute.name;
    if (attribute.value.isModule()) {
      collect_storages(attribute.value.toModule(), path + ".", paths, storages);
    } else if (attribute.value.isTensor() && paths.count(path) == 0) {
      const at::Tensor& tensor = attribute.value.toTensor();
      if (tensor.defined() && tensor.has_storage()) storages.insert(storage_of(tensor));
    }
  }
}

/// The 2-D convolutions whose weights can be stored otherwise: constant, and read by convolutions alone.
class Convolutions {
 public:
  explicit Convolutions(const ir::Program& program) : program_(program) {
    std::set<std::string> read_otherwise;
    for (const ir::Method& method : program.methods)
      for (Node* node : ir::all_nodes(*method.graph)) visit(node, read_otherwise);
    std::erase_if(all_, [&](const ir::Layer& layer) {
      const auto key = ir::weight_key(layer.weight);
      return key && read_otherwise.count(*key) > 0;
    });
    leave_shared_memory();
  }

  [[nodiscard]] const std::vector<ir::Layer>& all() const { return all_; }

  [[nodiscard]] std::vector<ir::Layer> in(const ir::Graph& graph) const {
    std::vector<ir::Layer> found;
    std::copy_if(all_.begin(), all_.end(), std::back_inserter(found),
                 [&](const ir::Layer& layer) { return layer.node->owningGraph() == &graph; });
    return found;
  }

  [[nodiscard]] at::Tensor weight_of(const ir::Layer& layer) const {
    return *ir::constant_tensor(program_, layer.weight);
  }

 private:
  void visit(Node* node, std::set<std::string>& read_otherwise) {
    const auto layer = ir::as_layer(node);
    const bool is_convolution = layer && !layer->is_linear;
    for (const Value* input : node->inputs()) {
      const auto key = ir::weight_key(input);
      if (key && !(is_convolution && input == layer->weight)) read_otherwise.insert(*key);
    }
    const auto weight = is_convolution ? ir::constant_tensor(program_, layer->weight) : std::nullopt;
    if (weight && weight->dim() == 4 && is_fast_type(weight->scalar_type())) all_.push_back(*layer);
  }

  /// Takes out those whose memory something else has, too, or another weight in another form.
  void leave_shared_memory() {
    std::set<std::string> keys;
    std::map<const void*, std::set<Memory>> forms;
    for (const ir::Layer& layer : all_) {
      if (const auto key = ir::weight_key(layer.weight)) keys.insert(*key);
      const at::Tensor weight = weight_of(layer);
      forms[storage_of(weight)].insert(memory_of(weight));
    }
    std::set<const void*> taken;
    collect_storages(program_.original, "", keys, taken);
    for (const auto& [key, weight] : program_.weights)
      if (keys.count(key) == 0 && weight.tensor.defined() && weight.tensor.has_storage())
        taken.insert(storage_of(weight.tensor));
    std::erase_if(all_, [&](const ir::Layer& layer) {
      const void* storage = storage_of(weight_of(layer));
      return taken.count(storage) > 0 || forms.at(storage).size() > 1;
    });
  }

  const ir::Program& program_;
  std::vector<ir::Layer> all_;
};

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

/// Does the operator's result lie in memory as it does whatever its inputs do?
bool has_its_own_layout(Node* node) {
  const auto layer = ir::as_layer(node);
  return (layer && layer->is_linear) || node->kind() == c10::aten::contiguous;
}

/// Does the operator go back to contiguous memory, so that the next convolution copies?
bool goes_back(const Node* node) { return ir::is_operator(node, {"aten::instance_norm"}); }

/// Is a list, tuple or dict given out, or only looked at? Then what is in it is where it was put.
bool is_only_read(const Value* container, const ir::Graph& graph) {
  const auto& uses = container->uses();
  return std::all_of(uses.begin(), uses.end(), [&](const Use& use) {
    return ir::only_reads_list(use.user) || use.user == graph.return_node() ||
           (makes_container(use.user) && is_only_read(use.user->output(), graph));
  });
}

/// Is it a list of tensors that is made here, has no other name, and grows or is only looked at? Then what is put into it is
/// followed, too.
bool is_local(const Value* list) {
  const Node* maker = list->node();
  const bool is_new = maker->kind() == c10::prim::ListConstruct ||
                      ir::is_operator(maker, {"aten::list", "aten::chunk", "aten::split", "aten::unbind"});
  const auto type = list->type()->cast<c10::ListType>();
  if (!is_new || !type || type->getElementType()->kind() != c10::TypeKind::TensorType) return false;
  const auto& uses = list->uses();
  return std::all_of(uses.begin(), uses.end(), [](const Use& use) {
    const bool appends = use.user->kind() == c10::aten::append && use.offset == 0;
    return ir::only_reads_list(use.user) || (appends && use.user->output()->uses().empty());
  });
}

/// Does the node put what it is given where the graph can't follow it: an attribute, a list or dict that changes, another graph?
bool takes_away(const Node* node, const ir::Graph& graph) {
  const auto kind = node->kind();
  if (kind == c10::prim::SetAttr || kind == c10::prim::CallMethod || kind == c10::prim::CallFunction) return true;
  if (node->hasAttribute(c10::attr::Subgraph)) return true;
  if (kind == c10::prim::ListConstruct && is_local(node->output())) return false;
  if (kind == c10::aten::append && is_local(node->input(0))) return false;
  if (kind == c10::prim::ListConstruct || kind == c10::prim::DictConstruct) return !is_only_read(node->output(), graph);
  return ir::writes_in_place(node) && !node->inputs().empty() && !ir::is_tensor(node->input(0));
}

/// Does the node ask whether two tensors are the same one?
bool asks_for_identity(const Node* node) {
  const bool is_question = node->kind() == c10::aten::__is__ || node->kind() == c10::aten::__isnot__;
  return is_question && ir::is_tensor(node->input(0)) && ir::is_tensor(node->input(1));
}

/// How far the values that are followed reach.
enum class Reach {
  layout,  ///< to all that may lie otherwise for them
  all,     ///< to all that is computed of them
};

/// What follows on some values of a graph.
class Spread {
 public:
  Spread(ir::Graph& graph, std::set<const Value*> values, Reach reach)
      : graph_(graph), nodes_(ir::all_nodes(graph)), values_(std::move(values)), reach_(reach) {
    std::size_t before = 0;
    while (before != values_.size()) {  // once more for what a loop or a list hands on
      before = values_.size();
      for (Node* node : nodes_) visit(node);
    }
  }

  [[nodiscard]] const std::vector<Node*>& nodes() const { return nodes_; }
  [[nodiscard]] const std::set<const Value*>& values() const { return values_; }
  [[nodiscard]] bool has(const Value* value) const { return values_.count(value) > 0; }
  [[nodiscard]] bool reaches(const Node* node) const {
    return std::any_of(node->inputs().begin(), node->inputs().end(), [this](const Value* value) { return has(value); });
  }

  /// Where such values are given out, or taken away.
  [[nodiscard]] std::vector<Use> places() const {
    std::vector<Use> places = places_of_outputs(graph_);
    for (Node* node : nodes_)
      if (takes_away(node, graph_))
        for (std::size_t i = 0; i < node->inputs().size(); ++i) places.emplace_back(node, i);
    std::erase_if(places, [this](const Use& use) { return !has(use.user->input(use.offset)); });
    return places;
  }

 private:
  void visit(Node* node) {
    const bool is_whole = reach_ == Reach::all;
    if (!is_whole && has_its_own_layout(node)) return;
    bool is_reached = reaches(node);
    for (const Block* block : node->blocks()) is_reached |= reaches(block->return_node());
    if (!is_reached || (!is_whole && takes_away(node, graph_))) return;
    add(node->outputs());
    for (Block* block : node->blocks()) add(block->inputs());
    if (ir::writes_in_place(node)) add(node->inputs().slice(0, 1));  // a list that is appended to
  }

  void add(at::ArrayRef<Value*> values) {
    std::copy_if(values.begin(), values.end(), std::inserter(values_, values_.end()), may_hold_tensors);
  }

  ir::Graph& graph_;
  std::vector<Node*> nodes_;
  std::set<const Value*> values_;
  Reach reach_;
};

/// The tensors that the node writes into.
std::vector<const Value*> written_by(const Node* node) {
  std::vector<const Value*> tensors;
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr || !schema->is_mutable()) return tensors;
  for (std::size_t i = 0; i < node->inputs().size() && i < schema->arguments().size(); ++i) {
    const auto* alias = schema->arguments()[i].alias_info();
    if (alias != nullptr && alias->isWrite() && ir::is_tensor(node->input(i))) tensors.push_back(node->input(i));
  }
  return tensors;
}

/// Might the graph do something else, and not only raise, where what follows on these values lies otherwise?
bool can_tell(ir::Graph& graph, const Spread& layout) {
  const Spread all(graph, layout.values(), Reach::all);
  bool keeps = false;
  bool writes = false;
  for (const Node* node : layout.nodes()) {
    const std::vector<const Value*> written = written_by(node);
    if (std::any_of(written.begin(), written.end(), [&](const Value* value) { return all.has(value); })) return true;
    if (all.reaches(node) && (tells_layouts_apart(node) || asks_for_identity(node))) return true;
    keeps |= node->kind() == c10::prim::SetAttr && all.reaches(node);
    writes |= !written.empty();
  }
  if (keeps && writes) return true;  // what is kept may be written to under the attribute's name
  const std::vector<Use> places = layout.places();
  return std::any_of(places.begin(), places.end(),
                     [](const Use& use) { return !ir::is_tensor(use.user->input(use.offset)); });
}

/// Does an operator of an int8 network give channels_last whatever it is given? The network converts data itself, too.
bool gives_channels_last(Node* node) {
  if (node->outputs().size() != 1 || !ir::is_tensor(node->output())) return false;
  const std::string_view name = node->kind().toQualString();
  if (name.starts_with("quantized::conv") || name.starts_with("quantized::batch_norm")) return true;
  const auto format = ir::constant_int(ir::argument(node, "memory_format"));
  return name == "aten::contiguous" && format == static_cast<std::int64_t>(at::MemoryFormat::ChannelsLast);
}

/// The values of the graph's own block, each once, that nothing of `layout` is.
std::vector<Value*> sources_among(const std::vector<Value*>& values, const ir::Graph& graph, const Spread& layout) {
  std::vector<Value*> sources;
  for (Value* value : values) {
    const bool is_there = value->node()->owningBlock() == graph.block() && !layout.has(value) && ir::is_tensor(value);
    if (is_there && std::find(sources.begin(), sources.end(), value) == sources.end()) sources.push_back(value);
  }
  return sources;
}

bool is_in_channels_last(const at::Tensor& weight) {
  return !weight.is_contiguous() && weight.is_contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor in_channels_last(const at::Tensor& weight) {
  return weight.detach().contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(weight.requires_grad());
}

/// Stores the weights so; those that were one tensor stay one.
void convert(ir::Program& program, const Convolutions& convolutions) {
  std::map<Memory, at::Tensor> converted;
  for (const ir::Layer& layer : convolutions.all()) {
    const auto key = ir::weight_key(layer.weight);
    const at::Tensor tensor = key ? program.weights.at(*key).tensor : convolutions.weight_of(layer);
    if (is_in_channels_last(tensor)) continue;  // by an earlier layer with the same weight
    at::Tensor& result = converted[memory_of(tensor)];
    if (!result.defined()) result = in_channels_last(tensor);
    if (key)
      program.weights.at(*key).tensor = result;
    else
      layer.node->replaceInputWith(layer.weight, ir::add_weight(program, layer.node, "", result, nullptr));
  }
}

}  // namespace

bool wants_channels_last(const LowerOptions& options) {
  if (options.memory_format == "preserve") return false;
  if (options.memory_format != "channels_last")
    throw Error(ErrorKind::unsupported, fmt::format("there is no memory format {} to write", options.memory_format),
                "LowerOptions::memory_format is channels_last or preserve");
  return true;
}

std::vector<InChannelsLast> put_weights_in_channels_last(ir::Program& program) {
  const std::vector<InChannelsLast> nothing(program.methods.size());
  const Convolutions convolutions(program);
  for (const ir::Layer& layer : convolutions.all())  // so is the network, and gives its results so
    if (is_in_channels_last(convolutions.weight_of(layer))) return nothing;
  std::vector<InChannelsLast> all;
  std::ptrdiff_t saved = 0;
  std::ptrdiff_t lost = 0;
  for (const ir::Method& method : program.methods) {
    std::set<const Value*> outputs;
    std::vector<Value*> inputs;
    for (const ir::Layer& layer : convolutions.in(*method.graph)) {
      outputs.insert(layer.node->output());
      inputs.push_back(layer.input);
    }
    const Spread layout(*method.graph, std::move(outputs), Reach::layout);
    if (can_tell(*method.graph, layout)) return nothing;
    saved += std::count_if(inputs.begin(), inputs.end(), [&](const Value* input) { return layout.has(input); });
    lost += std::count_if(layout.nodes().begin(), layout.nodes().end(),
                          [&](const Node* node) { return goes_back(node) && layout.reaches(node); });
    all.push_back({layout.values(), layout.places(), sources_among(inputs, *method.graph, layout)});
  }
  if (saved <= 2 * lost) return nothing;
  convert(program, convolutions);
  return all;
}

void run_in_channels_last(ir::Graph& graph, const InChannelsLast& data) {
  if (data.values.empty()) return;
  AnyLayout layout;
  layout.may_lie_otherwise = [&](const Value* value) { return data.values.count(value) > 0; };
  read_any_layout(graph, layout);
  keep_contiguous(graph, data.places, data.sources);
}

void keep_layouts_of_int8(ir::Graph& graph) {
  std::set<const Value*> outputs;
  std::vector<Value*> inputs;
  for (Node* node : ir::all_nodes(graph)) {
    if (gives_channels_last(node)) outputs.insert(node->output());
    if (ir::is_operator(node, {"aten::quantize_per_tensor"})) inputs.push_back(node->input(0));
  }
  if (inputs.empty()) return;  // a float graph, which means it where it asks for channels_last
  const Spread layout(graph, std::move(outputs), Reach::layout);
  if (!can_tell(graph, layout)) {
    run_in_channels_last(graph, {layout.values(), layout.places(), sources_among(inputs, graph, layout)});
    return;
  }
  for (Node* node : layout.nodes()) {
    if (node->kind() != c10::aten::dequantize || !layout.reaches(node)) continue;
    const torch::jit::WithInsertPoint guard(node->next());
    Value* contiguous = graph.insert(c10::aten::contiguous, {node->output()});
    contiguous->node()->copyMetadata(node);
    node->output()->replaceAllUsesAfterNodeWith(contiguous->node(), contiguous);
  }
}

}  // namespace fusekit::target
