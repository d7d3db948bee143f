#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/inputs.h"
#include "inputs/inputs.h"
#include "inputs/sample_files.h"

namespace fusekit::inputs {

struct NamedSample {
  std::string name;  ///< "photos/china.jpg", "data.pt[3]" (counted from 0)
  Sample values;
};

/// The samples of files and folders (InputOptions::file). Only the current file is in memory.
class SampleSource {
 public:
  /// Called with each sample as its file has it, and its number in there; throws where it does not fit.
  using Check = std::function<void(const std::filesystem::path& file, const Sample& sample, std::size_t number)>;

  /// `arguments`: the names of forward's, self left out, which dicts and .npz files go by. Error{file} as
  /// find_sample_files; Error{usage}: picture options that are none.
  SampleSource(const std::vector<std::filesystem::path>& paths, const PictureOptions& pictures,
               std::vector<std::string> arguments, Check check = {});

  /// Settles InputOptions::batch, to be called before samples are asked for: as it is given, by the dims, else by runs
  /// of the method on what `paths` hold. Returns it. Error{input}: the dims have another number of dimensions.
  std::int64_t settle_batch(const InputOptions& given, const Fresh& fresh, const std::string& method);
  /// The same where it is known; 0: as they are.
  void set_batch(std::int64_t batch) { batch_ = batch; }

  /// The number of samples: reads each file of tensors. Error{file}: there is none.
  [[nodiscard]] std::size_t size();
  /// Nothing behind the last one. Pictures are float32 of shape [1, channels, height, width]. Error{file}: a damaged file.
  [[nodiscard]] std::optional<NamedSample> at(std::size_t index);
  /// How they were read: "photos.npy (64 samples of 1x3x224x224)".
  [[nodiscard]] std::string text();

  [[nodiscard]] bool empty() const { return files_.files.empty(); }
  /// How many files in the given folders are neither pictures nor tensors that can be read, by their names' endings.
  [[nodiscard]] std::size_t ignored() const { return files_.ignored; }

 private:
  const std::vector<Sample>& contents_of(std::size_t file);
  void count_next_file();
  void note_shape(const Sample& sample);
  [[nodiscard]] std::optional<Sample> first_of_many_rows();

  std::string name_;  ///< of the paths
  PictureOptions pictures_;
  std::vector<std::string> arguments_;
  Check check_;
  SampleFiles files_;
  std::int64_t batch_ = 0;

  std::vector<std::size_t> ends_;     ///< the number of samples up to and including each file that was counted
  std::optional<std::string> shape_;  ///< of the first sample, in words; empty: not known
  bool all_alike_ = true;             ///< have all this shape?
  std::int64_t rows_left_ = 0;

  std::optional<std::size_t> loaded_;  ///< which file `contents_` is of
  std::vector<Sample> contents_;
};

}  // namespace fusekit::inputs
