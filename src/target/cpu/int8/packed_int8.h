#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/program.h"
#include "target/cpu/int8/levels.h"

namespace fusekit::target {

/// An int8 layer as a quantized operator keeps it.
struct Int8Weights {
  std::string path;   ///< of the packed weights in the module tree
  at::Tensor weight;  ///< qint8: (C_out, C_in / groups, H, W) of a convolution, (C_out, C_in) of a linear
  at::Tensor bias;    ///< float32 (C_out), or undefined
  std::vector<std::int64_t> stride{}, padding{}, dilation{};  ///< of a convolution
  std::int64_t groups = 1;

  [[nodiscard]] bool is_linear() const { return weight.dim() == 2; }
};

/// The weights that `value` holds packed, of a 2-D convolution that is not transposed, or of a linear; else nullopt.
std::optional<Int8Weights> int8_weights(const ir::Program& program, const torch::jit::Value* value);

/// A depthwise convolution whose groups were put together, with zeros between them, as it was before; else nullopt.
std::optional<Int8Weights> taken_apart(const Int8Weights& weights);

/// The weights of int8 layers as modules of their own, which pack them for oneDNN's operators on plain uint8 tensors
/// (onednn::qconv2d_pointwise, onednn::qlinear_pointwise) whenever they are loaded.
class PackedInt8 {
 public:
  using Value = torch::jit::Value;
  using Node = torch::jit::Node;

  /// What an operator is given of a layer.
  struct Arguments {
    Value* packed;
    Value* scales;  ///< float32 (C_out)
    Value* zero_points;
    Value* bias;  ///< or None
  };

  explicit PackedInt8(ir::Program& program) : program_(program) {}

  /// Has this LibTorch the operators?
  static bool are_supported();

  /// In front of `before`, of a layer on inputs of these levels and sizes.
  Arguments read(const Int8Weights& weights, const Levels& levels, const std::vector<std::int64_t>& input,
                 Node* before);

  [[nodiscard]] bool empty() const { return modules_.empty(); }

 private:
  ir::Program& program_;
  std::map<std::string, std::string> modules_;  ///< what is packed how, to the key of its module
};

}  // namespace fusekit::target
