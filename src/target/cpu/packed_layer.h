#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/operators/layer.h"
#include "ir/program.h"

namespace fusekit::target {

/// How a layer's weight is arranged when its file is loaded.
enum class Packing {
  convolution,      ///< for mkldnn::_convolution_pointwise
  transposed,       ///< for mkldnn::_convolution_transpose_pointwise
  row_convolution,  ///< the same for a 1-D convolution, whose data is seen as pictures of one row
  linear,           ///< for mkldnn::_linear_pointwise
  mkl,              ///< for mkl::_mkl_linear
  matrix,           ///< as (C_out, C_in), for aten::linear
};

/// What one layer of a road is packed for.
struct LayerShape {
  Packing packing = Packing::convolution;
  std::vector<std::int64_t>
      input;  ///< of a convolution: (N, C, H, W) or (N, C, D, H, W), H = 1 for a 1-D one; of all others: (rows)
};

/// A 1-D convolution's settings for pictures of one row.
ir::Geometry of_one_row(ir::Geometry geometry);

/// Is the layer's weight constant, and its bias constant or None?
bool has_constant_weights(const ir::Layer& layer, const ir::Program& program);

/// A convolution's or linear's weights as a module of their own, which is saved as the plain weight and bias under their
/// original names, and packs them whenever it is loaded: so packed weights survive a save.
class PackedLayers {
 public:
  using Value = torch::jit::Value;
  using Node = torch::jit::Node;

  explicit PackedLayers(ir::Program& program) : program_(program) {}

  /// Has this LibTorch the operators?
  static bool are_supported();
  static bool is_supported(Packing packing);

  /// An attribute of the module that packs `layer` for `shape`, in front of `before`: "packed", and "matrix" of one for
  /// MKL. The layer has constant weights. The same weight and shape give the same module.
  Value* read(const ir::Layer& layer, const LayerShape& shape, const std::string& attribute, Node* before);

  /// The bias of a layer that was packed, or None, in front of `before`.
  Value* bias(const ir::Layer& layer, Node* before) const;

  [[nodiscard]] bool empty() const { return modules_.empty(); }

  /// Lets everything in `graph` read the plain weights from the modules that keep them: each weight is saved once.
  void use_in(ir::Graph& graph) const;

 private:
  std::string module_of(const ir::Layer& layer, const LayerShape& shape, Node* before);

  ir::Program& program_;
  std::map<std::string, std::string> modules_;                        ///< what is packed how, to the key of its module
  std::map<std::string, std::pair<std::string, std::string>> homes_;  ///< weight's key to module's key and attribute
};

}  // namespace fusekit::target
