#pragma once

#include <torch/script.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace fusekit::print {

/// The operators that read each module's tensors, by the module's path ("layer1.0.conv1").
using WeightReaders = std::unordered_map<std::string, std::vector<const torch::jit::Node*>>;

/// The path that `value` reads from self by attributes: "" for self, "layer1.0.conv1.weight"; nullopt for any other
/// value.
std::optional<std::string> attribute_path(const torch::jit::Value* value, const torch::jit::Value* self);

/// For a graph whose reads of tensors are chains of GetAttr from self, as in a flat file.
WeightReaders weight_readers(const torch::jit::Graph& graph);

/// The settings and tensors of a layer, for scripted and for traced files.
class LayerFacts {
 public:
  /// `readers`: the operators of the root's graph that read this module's tensors.
  LayerFacts(const torch::jit::Module& module, std::vector<const torch::jit::Node*> readers);

  /// A setting by PyTorch's name for it ("stride"): a constant of the class, else a plain attribute, else the constant
  /// argument of that name of an operator in the module's own forward, else of one that reads its tensors.
  [[nodiscard]] std::optional<c10::IValue> setting(const std::string& name) const;
  /// A parameter or buffer; undefined where there is none or it is None.
  [[nodiscard]] at::Tensor tensor(const std::string& name) const;
  /// Whether the module's own forward, or a reader of its tensors, uses this operator (e.g. "aten::relu_").
  [[nodiscard]] bool runs(const std::string& op) const;

 private:
  const torch::jit::Module& module_;
  std::vector<const torch::jit::Node*> operators_;
};

}  // namespace fusekit::print
