#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "fusekit/model.h"

namespace fusekit {

/// How a picture becomes a tensor. The defaults are torchvision's for networks trained on ImageNet, and the result is
/// that of its ImageFolder loader followed by Resize, CenterCrop, ToTensor and Normalize.
struct PictureOptions {
  /// Pixels of the shorter side after resizing (bilinear with antialiasing, as Pillow does it; the aspect ratio is
  /// kept). 0: the picture keeps its size.
  std::int64_t resize = 256;
  /// Side in pixels of the square cut from the centre; a smaller picture gets a black border. 0: nothing is cut.
  std::int64_t crop = 224;
  /// Each channel's value v in [0,1] becomes (v - mean) / std. Three values each for red, green and blue; one value each
  /// makes the pictures grey, with one channel.
  std::vector<double> mean{0.485, 0.456, 0.406};
  std::vector<double> std{0.229, 0.224, 0.225};
};

/// InputOptions::batch of a file whose tensors are samples as they are.
inline constexpr std::int64_t kAsTheyAre = std::numeric_limits<std::int64_t>::max();

/// Which inputs a network is run on: given as shapes, given as a file, or (both empty) worked out of the graph.
struct InputOptions {
  /// One shape for each of forward's tensor arguments, e.g. {{1,3,224,224},{1,10}}. With `file`: of one of its samples;
  /// only the first dimension counts, as `batch`.
  std::vector<std::vector<std::int64_t>> dims{};
  /// One of "float", "double", "half", "bfloat16", "int64", "int32", "int16", "int8", "uint8_t", "bool" for each shape;
  /// fewer than shapes: the last one (or "float") goes on. "int64<30522": drawn below 30522. With "[]" behind it, the
  /// argument is a list that holds one such tensor. An argument that is no tensor is written with an equals sign and has no shape: "=3", "=0.5", "=true",
  /// "=None", "=text"; more types than shapes are only allowed for these.
  std::vector<std::string> types{};
  /// A file or folder of real inputs. A file is a `.pt` that torch.save wrote (a tensor; a tuple or list of forward's
  /// arguments; a dict of them by name; a list of such tuples or dicts for several samples, or of tensors where forward
  /// takes just one), a `.npy`, a `.npz` (arrays by the names of forward's arguments, or arr_0, arr_1, ... in their order),
  /// or a picture (PNG, JPEG), told apart by what is in them. Of a folder, all *.pt, *.npy, *.npz, *.png, *.jpg and *.jpeg in
  /// it and below are read, sorted by name, hidden ones and other files left out; it holds either pictures or tensors.
  std::filesystem::path file{};
  /// The names of forward's arguments, which a file may go by; resolve_inputs fills them in.
  std::vector<std::string> arguments{};
  /// "contiguous_format" or "channels_last" (4-D shapes only; others stay contiguous).
  std::vector<std::string> memory_formats{};
  /// Random inputs of the k-th sample are drawn from generator seed `seed + k`: floats from N(0,1), integers from
  /// [0, int_high).
  std::uint64_t seed = 0;
  /// Exclusive upper bound of random integers that have none in `types`; 0: worked out of the graph (an embedding's rows for
  /// what is looked up in it, and 2 beside it, as for masks), else 2 (int8: 128, uint8_t: 256, as in pictures).
  std::int64_t int_high = 0;
  /// The first dimension of one sample of `file`. Tensors with more, in files that are no list of samples, are taken apart:
  /// 64x3x224x224 are 64 samples for 1, 16 for 4; what is left over is left out. kAsTheyAre: nothing is. 0: the first
  /// dimension of `dims`, else 1 where forward gives each row by itself what it gives it among others, or takes no more
  /// than one; kAsTheyAre where it does not, because rows are steps, say, or nodes. Runs on one and two rows show which.
  std::int64_t batch = 0;
  /// How the pictures of `file` are read.
  PictureOptions pictures{};

  [[nodiscard]] bool given() const { return !dims.empty() || !file.empty(); }
};

/// "1,3,224,224;1,10" -> {{1,3,224,224},{1,10}}. Error{usage} names the part that is no shape.
std::vector<std::vector<std::int64_t>> parse_dims(const std::string& text);

/// What resolve_inputs found.
struct InputSummary {
  InputOptions options;   ///< explicit: dims and types are filled in, or `batch` where a file was given
  bool inferred = false;  ///< worked out of the graph by running candidates
  /// "1x3x224x224 float" or "1x3x224x224 float, inferred" or "photos.npy (64 samples of 1x3x224x224)"
  std::string text;
  std::size_t samples = 0;  ///< of the file; 0: as many as wanted are drawn
};

/// Makes the inputs of the TorchScript file `model` explicit. Where none are given, runs candidate shapes that the graph
/// suggests (first conv's, linear's or embedding's weight, flattening, ranks) until one runs.
/// Error{input}: nothing runs (the hint gives options to start from), or what was given does not fit forward's arguments.
/// Error{file}: a file that can't be read or holds no sample, a folder that holds none or mixes pictures with tensors.
InputSummary resolve_inputs(const std::filesystem::path& model, const InputOptions& options);

/// The same for the network that `model` was read as; its file is not read again.
InputSummary resolve_inputs(const Model& model, const InputOptions& options);

}  // namespace fusekit
