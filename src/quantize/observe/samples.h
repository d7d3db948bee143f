#pragma once

#include <torch/script.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/calibration.h"
#include "inputs/sample_source.h"

namespace fusekit::quantize {

struct Sample {
  std::string name;                 ///< "photos/china.jpg", "data.pt[3]" (counted from 0), "random[0]"
  std::vector<c10::IValue> inputs;  ///< forward's arguments, self left out
};

/// The names of forward's arguments, self left out.
std::vector<std::string> argument_names(const c10::FunctionSchema& forward);

/// The calibration samples, one after the other. Only the current file is in memory.
class Samples {
 public:
  /// Finds all samples; options.inputs.batch says what one of a file is. `arguments` are the names of forward's arguments,
  /// self left out, which dicts and .npz files go by.
  /// Error{usage}: no data given, or paths and random ones; picture options that are none. Error{file}: a path that can't
  /// be read or holds no sample, a folder that holds none or mixes pictures with tensors. Error{input}: a dict that does
  /// not fit `arguments`.
  Samples(const CalibrationOptions& options, std::vector<std::string> arguments);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// How many files in the given folders are neither pictures nor tensors that can be read, by their names' endings.
  [[nodiscard]] std::size_t ignored() const { return source_.ignored(); }
  /// What they are, in words: "photos.npy (64 samples of 1x3x224x224)", "8 random samples".
  [[nodiscard]] std::string text();

  /// The next sample, or nothing behind the last. Pictures are float32 of shape [1, channels, height, width]. Every pass
  /// gives the same samples. Error{file}: a damaged picture.
  std::optional<Sample> next();
  /// Starts again with the first sample.
  void rewind();

  /// From the first sample on, `most` of those that `next` gives, from all over the data, are kept, so that no file has to
  /// be read and no picture decoded again for them.
  void keep(std::size_t most);
  /// Those that were kept.
  [[nodiscard]] std::vector<Sample> take_kept();

 private:
  [[nodiscard]] std::size_t chosen(std::size_t k) const;
  [[nodiscard]] Sample sample_at(std::size_t index);

  CalibrationOptions options_;
  inputs::SampleSource source_;
  std::size_t total_ = 0;  ///< samples that there are, of which size_ are chosen
  std::size_t size_ = 0;
  std::size_t next_ = 0;
  std::size_t keep_ = 0;  ///< so many are to be kept, at most size_
  std::vector<Sample> kept_;
};

}  // namespace fusekit::quantize
