#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/inputs.h"
#include "fusekit/model.h"

namespace fusekit {

/// What a file can be written for.
struct TargetInfo {
  std::string name;     ///< e.g. "portable"
  std::string summary;  ///< one line
  bool for_shapes =
      false;  ///< its files are made for certain inputs (LowerOptions::inputs), and take others another way
};

/// All targets; the first is the default.
std::vector<TargetInfo> targets();

struct LowerOptions {
  /// "portable": plain operators, for every LibTorch and machine. "cpu": operators of oneDNN and MKL with weights that
  /// are packed when the file is loaded, for inference; an input of another shape than `inputs` takes plain operators.
  /// "mobile": for apps on phones; see WriteOptions::lite.
  std::string target = "portable";
  /// What forward is given in use, of target "cpu", and of any in bfloat16. Neither shapes nor a file: worked out of the
  /// graph.
  InputOptions inputs{};
  /// Of target "cpu": further inputs that it is packed for, too. Each costs its packed weights in memory, and time to load.
  std::vector<InputOptions> more_inputs{};
  /// Of the targets "cpu" and "portable": "float" (what the file has is kept), or "bfloat16": layers compute in bfloat16 and
  /// keep their weights so; what forward takes and gives keeps its dtype. A portable file in bfloat16 is for GPUs, and for
  /// LibTorch's oneDNN Graph fuser: without that its plain operators are slow on most CPUs.
  std::string dtype = "float";
  /// Of the targets "cpu" (for other shapes than `inputs`) and "portable": "channels_last": weights of convolutions are stored
  /// so where that pays, and LibTorch's convolutions then work in that layout. What forward is given and gives lies in
  /// memory as it did. "preserve": weights lie as they do in the original.
  std::string memory_format = "channels_last";
  /// Of target "cpu": what computes int8 layers for the shapes of `inputs`: "quantized": quantized::*, on quint8 tensors, as
  /// for other shapes; "onednn": onednn::q*, on plain uint8 tensors, with sums, Hardswish and SiLU inside. These round
  /// less often, so a file that was int8 before needs a tolerance for it (VerifyOptions).
  std::string int8_dialect = "quantized";
  /// Of target "cpu": a file of times that layers take on this machine, by which the fastest of several operators is chosen
  /// for each linear and 1x1 convolution. What it does not know of this CPU, LibTorch and number of threads is measured and
  /// added; it is made where there is none. Empty: by rules, so that the same options write the same file everywhere.
  std::filesystem::path layer_times{};
};

/// Turns a fused or quantized network into what runs best on a target; the last step, after which it can only be written.
/// `write` does it where it was not done. Does nothing where the network was lowered for this target already.
/// Error{unsupported}: there is no such target, dtype or dialect, or this LibTorch lacks its operators; Error{usage}: it
/// was lowered for another one; Error{input}: the network can't be run on the inputs.
void lower(Model& model, const LowerOptions& options);
void lower(Model& model, const std::string& target = "portable");

}  // namespace fusekit
