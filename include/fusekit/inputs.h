#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/model.h"

namespace fusekit {

/// Which inputs a network is run on: given as shapes, given as a file, or (both empty) worked out of the graph.
struct InputOptions {
  /// One shape for each of forward's tensor arguments, e.g. {{1,3,224,224},{1,10}}.
  std::vector<std::vector<std::int64_t>> dims;
  /// One of "float", "double", "half", "bfloat16", "int64", "int32", "int16", "int8", "uint8_t", "bool" for each shape;
  /// fewer than shapes: the last one (or "float") goes on. With "[]" behind it, the argument is a list that holds one
  /// such tensor. An argument that is no tensor is written with an equals sign and has no shape: "=3", "=0.5", "=true",
  /// "=None", "=text"; more types than shapes are only allowed for these.
  std::vector<std::string> types;
  /// A `.pt` that torch.save wrote (a tensor; a tuple or list of forward's arguments; a dict of them by name; a list of
  /// such tuples or dicts for several samples, or of tensors where forward takes just one), a `.npy` or a `.npz` (arrays
  /// by the names of forward's arguments, or arr_0, arr_1, ... in their order). Excludes `dims`.
  std::filesystem::path file;
  /// The names of forward's arguments, which a file may go by; resolve_inputs fills them in.
  std::vector<std::string> arguments;
  /// "contiguous_format" or "channels_last" (4-D shapes only; others stay contiguous).
  std::vector<std::string> memory_formats;
  /// Random inputs of the k-th sample are drawn from generator seed `seed + k`: floats from N(0,1), integers from
  /// [0, int_high).
  std::uint64_t seed = 0;
  /// Exclusive upper bound of random integers; 0: worked out of the graph (an embedding's rows), else 2 (int8: 128,
  /// uint8_t: 256, as in pictures).
  std::int64_t int_high = 0;

  [[nodiscard]] bool given() const { return !dims.empty() || !file.empty(); }
};

/// "1,3,224,224;1,10" -> {{1,3,224,224},{1,10}}. Error{usage} names the part that is no shape.
std::vector<std::vector<std::int64_t>> parse_dims(const std::string& text);

/// What resolve_inputs found.
struct InputSummary {
  InputOptions options;   ///< explicit: dims and types are filled in unless a file was given
  bool inferred = false;  ///< worked out of the graph by running candidates
  std::string text;       ///< "1x3x224x224 float" or "1x3x224x224 float, inferred" or "photos.pt (12 samples)"
};

/// Makes the inputs of the TorchScript file `model` explicit. Where none are given, runs candidate shapes that the graph
/// suggests (first conv's, linear's or embedding's weight, flattening, ranks) until one runs.
/// Error{input}: nothing runs (the hint gives options to start from), or what was given does not fit forward's arguments.
InputSummary resolve_inputs(const std::filesystem::path& model, const InputOptions& options);

/// The same for the network that `model` was read as; its file is not read again.
InputSummary resolve_inputs(const Model& model, const InputOptions& options);

}  // namespace fusekit
