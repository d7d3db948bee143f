#include "target/cpu/take_apart.h"

#include <algorithm>
#include <string_view>

#include "ir/autocast.h"
#include "ir/constants.h"
#include "ir/operators.h"
#include "target/cpu/product.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// From this width on linears with packed weights gain more than the operators between them cost.
constexpr std::int64_t kWide = 192;

/// Both operators also take nested tensors, which only operators of that name make.
bool makes_nested_tensors(torch::jit::Graph& graph) {
  const auto nodes = ir::all_nodes(graph);
  return std::any_of(nodes.begin(), nodes.end(), [](const Node* node) {
    return std::string_view(node->kind().toUnqualString()).find("nested") != std::string_view::npos &&
           node->kind() != c10::Symbol::prim("is_nested");
  });
}

/// Is element `place` of a tuple, or the tensor itself (no place), read anywhere? Branches hand it on.
bool is_read(const Value* value, std::optional<std::size_t> place) {
  return std::any_of(value->uses().begin(), value->uses().end(), [&](const torch::jit::Use& use) {
    Node* user = use.user;
    if (user->kind() == c10::prim::Return) {
      const Node* owner = user->owningBlock()->owningNode();
      return owner == nullptr || owner->kind() != c10::prim::If || is_read(owner->output(use.offset), place);
    }
    if (user->kind() == c10::prim::TupleConstruct) return place.has_value() || is_read(user->output(), use.offset);
    if (!place) return true;
    if (user->kind() == c10::prim::TupleUnpack) return is_read(user->output(*place), std::nullopt);
    if (user->kind() != c10::prim::TupleIndex) return true;
    const auto index = ir::constant_int(user->input(1));
    if (!index) return true;
    const auto size = static_cast<std::int64_t>(value->type()->containedTypeSize());
    return (*index < 0 ? *index + size : *index) == static_cast<std::int64_t>(*place) &&
           is_read(user->output(), std::nullopt);
  });
}

class Taker {
 public:
  Taker(const ir::Program& program, inputs::ObservedTensors& observed) : program_(program), observed_(observed) {}

  /// Is the operator gone?
  bool take(Node* node) const {
    if (const auto layer = ir::as_encoder_layer(node)) {
      if (!may_be_taken(node, layer->attention)) return false;
      replace(node->output(), ir::write_encoder_layer(*layer));
      return true;
    }
    const auto attention = ir::as_headed_attention(node);
    if (!attention || !may_be_taken(node, *attention)) return false;
    const bool to_itself = node->input(0) == node->input(1) && node->input(1) == node->input(2);
    if (!to_itself || is_read(node->output(1), std::nullopt)) return false;
    Value* attended = ir::write_self_attention(*attention, node->input(0), node);
    replace(node->output(0), attended);
    node->output(1)->replaceAllUsesWith(attended);  // nobody reads what branches hand on
    return true;
  }

 private:
  [[nodiscard]] bool may_be_taken(Node* node, const ir::HeadedAttention& attention) const {
    if (!ir::is_none(ir::argument(node, "mask")) || ir::is_under_autocast(node)) return false;
    const auto sizes = inputs::seen(observed_, node->input(0)).sizes;
    const auto weight = ir::constant_tensor(program_, attention.in.weight);
    if (!sizes || sizes->size() != 3 || !weight || attention.width < kWide) return false;
    Product product;
    product.rows = sizes->at(0) * sizes->at(1);
    product.in = weight->size(1);
    product.out = weight->size(0);
    product.dtype = weight->scalar_type();
    return packing_of(product) == Packing::mkl;
  }

  void replace(Value* output, Value* by) const {
    observed_[by->unique()] = inputs::seen(observed_, output);
    output->replaceAllUsesWith(by);
  }

  const ir::Program& program_;
  inputs::ObservedTensors& observed_;
};

}  // namespace

bool take_layers_apart(torch::jit::Graph& graph, const ir::Program& program, inputs::ObservedTensors& observed) {
  if (makes_nested_tensors(graph)) return false;
  const Taker taker(program, observed);
  bool any = false;
  for (Node* node : ir::all_nodes(graph)) {
    if (!taker.take(node)) continue;
    node->destroy();
    any = true;
  }
  return any;
}

}  // namespace fusekit::target
