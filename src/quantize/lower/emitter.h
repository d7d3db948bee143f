#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "quantize/lower/conversion.h"
#include "quantize/observe/values.h"

namespace fusekit::quantize {

/// A layer's int8 weight with the bias that belongs to it.
struct LayerWeights {
  at::Tensor weight;  ///< qint8, per tensor or per channel
  at::Tensor bias;    ///< float32 (C_out), undefined where there is none
};

/// A layer's float weight (and bias, may be undefined) to int8; `layer`: the number of its output in the float network;
/// `axis`: the dimension of the output channels, or none where the int8 operator takes no per-channel weights.
using WeightQuantizer = std::function<LayerWeights(int layer, const at::Tensor& weight, const at::Tensor& bias,
                                                   std::optional<std::int64_t> axis)>;

/// Other weights that compute the same.
using WeightForm = std::function<LayerWeights(const LayerWeights&)>;

/// How a layer's packed weights are made anew.
struct Packing {
  std::string key;  ///< into Program::weights
  std::function<c10::IValue(const LayerWeights&)> pack;
};

/// Writes the int8 graph: each step in its place, quantize where a float tensor is read as int8, dequantize where an
/// int8 tensor is read as float.
class Emitter {
 public:
  /// `facts` has the scale and zero point of each observed value by its number in `numbers`. `for_x86`: the file is to be
  /// fast under the engine x86.
  Emitter(ir::Program& program, Graph& graph, const Numbering& numbers, const Facts& facts, WeightQuantizer quantizer,
          bool for_x86)
      : program_(program),
        graph_(graph),
        numbers_(numbers),
        facts_(facts),
        quantizer_(std::move(quantizer)),
        for_x86_(for_x86) {}

  /// Emits all steps, which stand in the graph's order.
  void run(const std::vector<Step>& steps);

  /// The int8 value that stands for a float one; nullptr where it stayed float.
  [[nodiscard]] Value* int8_of(Value* value) const;
  /// The channels of a float value whose int8 form has more, of zeros, behind them.
  [[nodiscard]] std::optional<std::int64_t> channels_of_widened(const Value* value) const;
  /// By the number of the layer's output in the float network.
  [[nodiscard]] const std::map<int, Packing>& packings() const { return packings_; }

  // For conversions.

  [[nodiscard]] ir::Program& program() const { return program_; }
  /// The int8 form of a float tensor, quantized where it has none yet.
  Value* int8(Value* value);
  /// Inserts an operator in front of the step's first node.
  Value* insert(const Step& step, const char* name, const std::vector<torch::jit::NamedValue>& arguments);
  /// An int8 value, of the step's output scale, with nothing outside of the clamp: once over to levels that end where the
  /// clamp does, and back. (aten::clamp and hardtanh mix up channels_last data under the engine qnnpack. They are faster,
  /// so behind an operator of reduced levels, which are not for qnnpack, they are used all the same.)
  Value* ending_with(const ir::Interval& clamp, const Step& step, Value* value);
  /// The same node with int8 inputs in place of the step's float ones.
  Node* clone(const Step& step, Node* node);
  /// Is the file to be fast under the engine x86?
  [[nodiscard]] bool is_for_x86() const { return for_x86_; }
  /// The operator that alone reads the step's output, and becomes int8; nullptr: there is none.
  [[nodiscard]] Node* int8_reader(const Step& step) const;
  /// The int8 form of the step's output has more channels than these.
  void note_widened(const Step& step, std::int64_t channels) { widened_[step.output] = channels; }
  /// The number of dimensions that the tensor had when it was observed; 0 where it was not.
  [[nodiscard]] std::size_t rank_of(const Value* value) const;
  /// The scale and zero point of the step's output.
  [[nodiscard]] QParams output_qparams(const Step& step) const;
  /// Packs the layer's weights (`prepack`: the operator; `settings`: its arguments after weight and bias) as an
  /// attribute of the module that the weight lives in; in another `form`, where that is given.
  Value* packed_weights(const Step& step, Value* weight, Value* bias, std::optional<std::int64_t> axis,
                        const char* prepack, const std::vector<c10::IValue>& settings, const WeightForm& form = {});

 private:
  void emit(const Step& step);
  void give_floats_back(const Step& step);
  [[nodiscard]] QParams qparams_of(const Value* value) const;
  [[nodiscard]] std::optional<std::int64_t> channels_of_picture(const Value* value) const;

  ir::Program& program_;
  Graph& graph_;
  const Numbering& numbers_;
  const Facts& facts_;
  WeightQuantizer quantizer_;
  bool for_x86_;
  std::unordered_set<const Node*> fronts_;  ///< of the steps
  std::unordered_map<Value*, Value*> int8_;
  std::unordered_map<const Value*, std::int64_t> widened_;
  std::map<int, Packing> packings_;
};

}  // namespace fusekit::quantize
