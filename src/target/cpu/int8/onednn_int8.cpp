#include "target/cpu/int8/onednn_int8.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "ir/operators.h"
#include "ir/uses.h"
#include "target/cpu/int8/int8_layer.h"

namespace fusekit::target {
namespace {

using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Value;

/// What works on plain uint8 tensors: a layer, or an operator that moves numbers.
struct Piece {
  std::optional<Int8Layer> layer{};
  Node* mover = nullptr;

  [[nodiscard]] Node* last() const { return layer ? layer->last() : mover; }
};

/// The graph as it is rewritten.
class OnednnInt8 {
 public:
  OnednnInt8(ir::Program& program, ir::Graph& graph, inputs::ObservedTensors& observed, PackedInt8& packed)
      : program_(program), graph_(graph), observed_(observed), packed_(packed) {}

  void write() {
    find_pieces();
    std::vector<Node*> gone;
    for (const Piece& piece : pieces_) {
      if (piece.mover != nullptr && !reads_plain(piece.mover)) continue;
      Value* result = piece.layer ? write(*piece.layer) : write(piece.mover);
      Value* replaced = piece.last()->output();
      note(result, replaced);
      if (piece.layer && !piece.layer->output)
        replaced->replaceAllUsesWith(result);
      else
        plain_[replaced] = result;
      if (piece.layer)
        gone.insert(gone.end(), piece.layer->nodes.begin(), piece.layer->nodes.end());
      else
        gone.push_back(piece.mover);
    }
    for (auto node = gone.rbegin(); node != gone.rend(); ++node) {
      give_quantized_back((*node)->output());
      (*node)->destroy();
    }
  }

 private:
  /// In the order in which they are computed: a layer where what it takes in ends.
  void find_pieces() {
    std::set<const Node*> taken;
    for (Node* node : graph_.nodes()) {
      if (taken.count(node) > 0) continue;
      Piece piece;
      if (auto layer = as_int8_layer(node, program_, observed_, taken)) {
        taken.insert(layer->nodes.begin(), layer->nodes.end());
        piece.layer = std::move(layer);
      } else if (!moved_by(node).empty()) {
        piece.mover = node;
      } else {
        continue;
      }
      pieces_.push_back(std::move(piece));
    }
    std::ranges::sort(pieces_, [](const Piece& a, const Piece& b) { return a.last()->isBefore(b.last()); });
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i].mover != nullptr) piece_of_[pieces_[i].mover] = i;
      if (pieces_[i].layer)
        for (const Node* node : pieces_[i].layer->nodes) piece_of_[node] = i;
    }
  }

  [[nodiscard]] bool reads_plain(Node* mover) const {
    return std::ranges::all_of(moved_by(mover), [&](Value* value) { return plain_.count(value) > 0; });
  }

  /// The node that reads the value, be it in a list.
  static const Node* reader_of(const torch::jit::Use& use) {
    const Node* node = use.user;
    const bool is_list = node->kind() == c10::prim::ListConstruct && node->output()->uses().size() == 1;
    return is_list ? node->output()->uses().front().user : node;
  }

  void note(const Value* made, const Value* like) {
    inputs::ObservedTensor tensor = inputs::seen(observed_, like);
    if (tensor.dtype == at::kQUInt8) tensor.dtype = at::kByte;
    observed_[made->unique()] = tensor;
  }

  /// The numbers of a quint8 tensor.
  Value* plain(Value* value) {
    if (const auto known = plain_.find(value); known != plain_.end()) return known->second;
    Node* maker = value->node();
    const bool is_argument = maker->kind() == c10::prim::Param;
    const torch::jit::WithInsertPoint guard(is_argument ? *maker->owningBlock()->nodes().begin() : maker->next());
    Value* numbers = graph_.insert(c10::Symbol::aten("int_repr"), {value});
    numbers->node()->copyMetadata(maker);
    note(numbers, value);
    return plain_[value] = numbers;
  }

  Value* write(Node* mover) {
    const torch::jit::WithInsertPoint guard(mover);
    if (ir::is_operator(mover, {"quantized::cat"})) {
      std::vector<Value*> parts;
      for (Value* part : mover->input(0)->node()->inputs()) parts.push_back(plain(part));
      Value* list = graph_.insertNode(graph_.createList(c10::TensorType::get(), parts))->output();
      Value* result = graph_.insert(c10::aten::cat, {list, mover->input(1)});
      result->node()->copyMetadata(mover);
      return result;
    }
    return graph_
        .insertNode(
            graph_.createClone(mover, [&](Value* input) { return input == mover->input(0) ? plain(input) : input; }))
        ->output();
  }

  Value* write(const Int8Layer& layer) {
    Node* before = layer.last();
    Value* x = plain(layer.x());
    const PackedInt8::Arguments packed = packed_.read(layer.weights, layer.input, layer.input_sizes, before);
    const torch::jit::WithInsertPoint guard(before);
    Value* none = graph_.insertNode(graph_.createList(c10::OptionalType::create(c10::NumberType::get()), {}))->output();
    const Levels output = layer.output.value_or(Levels{1, 0});
    const auto dtype = static_cast<std::int64_t>(layer.output ? at::kByte : at::kFloat);
    std::vector<NamedValue> arguments = {
        x, layer.input.scale, layer.input.zero_point, packed.packed, packed.scales, packed.zero_points};
    const auto add = [&](const std::vector<NamedValue>& more) {
      arguments.insert(arguments.end(), more.begin(), more.end());
    };
    if (layer.other != nullptr) add({memory_of(layer)});
    add({packed.bias});
    if (!layer.weights.is_linear())
      add({layer.weights.stride, layer.weights.padding, layer.weights.dilation, layer.weights.groups});
    add({output.scale, output.zero_point, dtype});
    const char* name = layer.weights.is_linear() ? "onednn::qlinear_pointwise" : "onednn::qconv2d_pointwise";
    if (layer.other != nullptr)
      add({layer.other_levels.scale, layer.other_levels.zero_point, "sum", c10::IValue(1.0), layer.activation, none,
           ""});
    else
      add({layer.activation, none, ""});
    Value* result = graph_.insert(c10::Symbol::fromQualString(name), arguments);
    result->node()->copyMetadata(layer.first());
    return result;
  }

  /// What the sum is written into: the other operand, or a copy where it is read later.
  Value* memory_of(const Int8Layer& layer) {
    Value* other = plain(layer.other);
    const bool is_own = other->node()->kind() == c10::Symbol::fromQualString("onednn::qconv2d_pointwise");
    const auto& uses = layer.other->uses();
    if (is_own && std::none_of(uses.begin(), uses.end(), [&](const auto& use) { return is_later(use, layer.last()); }))
      return other;
    return graph_.insert(c10::aten::clone, {other},
                         {NamedValue("memory_format", static_cast<std::int64_t>(at::MemoryFormat::ChannelsLast))});
  }

  /// Might this use of a value, or that of a view of it, come behind `node`?
  bool is_later(const torch::jit::Use& use, const Node* node) const {
    const Node* reader = reader_of(use);
    if (reader == node || ir::reads_only_shape(reader)) return false;
    const auto piece = piece_of_.find(reader);
    if (piece != piece_of_.end()) {
      const bool is_cat = ir::is_operator(reader, {"quantized::cat"});
      if (pieces_[piece->second].mover != nullptr && !is_cat) return true;
      reader = pieces_[piece->second].last();
    }
    return reader->kind() == c10::prim::Return || !ir::top_level(reader)->isBefore(node);
  }

  void give_quantized_back(Value* output) {
    const auto known = plain_.find(output);
    if (known == plain_.end() || !output->hasUses()) return;
    const Levels levels = *levels_of(output);
    const torch::jit::WithInsertPoint guard(known->second->node()->next());
    Value* quantized = graph_.insert(c10::Symbol::aten("_make_per_tensor_quantized_tensor"),
                                     {known->second, levels.scale, levels.zero_point});
    quantized->node()->copyMetadata(output->node());
    observed_[quantized->unique()] = inputs::seen(observed_, output);
    output->replaceAllUsesWith(quantized);
  }

  ir::Program& program_;
  ir::Graph& graph_;
  inputs::ObservedTensors& observed_;
  PackedInt8& packed_;
  std::vector<Piece> pieces_;  ///< by where they end
  std::map<const Node*, std::size_t> piece_of_;
  std::unordered_map<Value*, Value*> plain_;
};

}  // namespace

void write_onednn_int8(ir::Program& program, ir::Graph& graph, inputs::ObservedTensors& observed, PackedInt8& packed) {
  OnednnInt8(program, graph, observed, packed).write();
}

}  // namespace fusekit::target
