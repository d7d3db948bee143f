#pragma once

#include <set>

#include "inputs/observed_tensors.h"
#include "ir/operators/batch_norm.h"
#include "target/cpu/channels_last.h"
#include "target/cpu/packed_layer.h"
#include "target/cpu/product.h"

namespace fusekit::target {

/// Turns a functional graph into what oneDNN and MKL run fastest for the shapes that were observed in it: data in
/// channels_last, layers as operators with packed weights, the activation behind them and residual sums inside.
/// With other shapes it is slow (weights are packed in every call), and a sum may raise.
class FastRoad {
 public:
  /// `observed`: what the graph's tensors are on the inputs that the road is for.
  /// `times`: by which products are packed, where it is not null.
  FastRoad(ir::Program& program, ir::Graph& graph, inputs::ObservedTensors observed, PackedLayers& layers,
           const ProductTimes* times = nullptr)
      : program_(program),
        graph_(graph),
        observed_(std::move(observed)),
        layers_(layers),
        times_(times),
        channels_last_(graph, observed_) {}

  void build();

 private:
  using Value = torch::jit::Value;
  using Node = torch::jit::Node;
  using Shape = std::vector<std::int64_t>;
  struct Tail;

  void visit(Node* node);
  bool lower_layer(Node* node);
  bool lower_convolution(const ir::Layer& layer, const at::Tensor& weight, const Shape& input);
  bool lower_transposed(const ir::Layer& layer, const at::Tensor& weight, const Shape& input);
  bool lower_convolution_1d(const ir::Layer& layer, const at::Tensor& weight, const Shape& input);
  bool lower_convolution_3d(const ir::Layer& layer, const at::Tensor& weight, const Shape& input);
  bool lower_linear(const ir::Layer& layer);
  bool lower_batch_norm(Node* node);
  [[nodiscard]] bool is_faster_as_convolution(const Node* batch_norm) const;

  [[nodiscard]] Tail tail_of(Node* layer, bool may_sum) const;
  [[nodiscard]] bool may_be_summed_into(Value* other, Node* sum) const;
  void take_activation(Tail& tail) const;
  Value* convolution(const ir::Layer& layer, const ir::Geometry& geometry, Value* x, Value* packed, const Tail& tail);
  Value* product(const ir::Layer& layer, const Tail& tail, const Product& product, Value* x);
  Value* activated(Value* value, const Tail& tail);
  void replace(const Tail& tail, Value* result);

  Value* scalars(const Tail& tail);
  static c10::IValue algorithm_of(const Tail& tail);
  Value* insert(Node* before, const char* op, const std::vector<torch::jit::NamedValue>& arguments);

  ir::Program& program_;
  ir::Graph& graph_;
  inputs::ObservedTensors observed_;
  PackedLayers& layers_;
  const ProductTimes* times_;
  ChannelsLast channels_last_;
  std::set<const Value*> own_;  ///< memory of the road's own, whatever the operator's schema says
  std::set<const Node*> gone_;
};

}  // namespace fusekit::target
