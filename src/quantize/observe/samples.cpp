#include "quantize/observe/samples.h"

#include <algorithm>
#include <utility>

#include "fusekit/error.h"
#include "inputs/input_file.h"
#include "inputs/inputs.h"
#include "inputs/pictures/pictures.h"

namespace fusekit::quantize {
namespace {

void check(const CalibrationOptions& options) {
  if (options.random < 0)
    throw Error(ErrorKind::usage, fmt::format("{} random samples can't be drawn", options.random),
                "give a positive number");
  if (options.paths.empty() && options.random == 0)
    throw Error(ErrorKind::usage, "there is no calibration data",
                "give files or folders of real inputs as CalibrationOptions::paths; without any, "
                "CalibrationOptions::random draws random ones, which fit real activations badly");
  if (!options.paths.empty() && options.random > 0)
    throw Error(ErrorKind::usage, "calibration data is given, and random data is asked for", "leave out one of both");
  inputs::check_picture_options(options.pictures);
}

}  // namespace

std::vector<std::string> argument_names(const c10::FunctionSchema& forward) {
  std::vector<std::string> names;
  for (const c10::Argument& argument : forward.arguments()) names.push_back(argument.name());
  names.erase(names.begin());  // self
  return names;
}

Samples::Samples(const CalibrationOptions& options, std::vector<std::string> arguments)
    : options_(options), arguments_(std::move(arguments)) {
  check(options_);
  files_ = inputs::find_sample_files(options_.paths);
  total_ = static_cast<std::size_t>(options_.random);
  for (std::size_t k = 0; k < files_.files.size(); ++k) {
    const inputs::SampleFile& file = files_.files[k];
    if (file.kind == inputs::SampleKind::tensors) {
      tensors_ = inputs::read_input_file(file.path, arguments_);
      loaded_ = k;
      total_ += tensors_.size();
    } else {
      ++total_;
    }
    ends_.push_back(total_);
  }
  if (total_ == 0) throw Error(ErrorKind::file, files_.files.front().path.string() + ": holds no sample");
  size_ = options_.limit == 0 ? total_ : std::min(total_, options_.limit);
}

std::size_t Samples::chosen(std::size_t k) const { return k * total_ / size_; }

Sample Samples::sample_at(std::size_t index) {
  if (files_.files.empty())
    return {fmt::format("random[{}]", index), inputs::draw_sample(options_.inputs, static_cast<std::uint64_t>(index))};
  const auto end = std::ranges::upper_bound(ends_, index);
  const auto k = static_cast<std::size_t>(end - ends_.begin());
  const inputs::SampleFile& file = files_.files[k];
  if (file.kind == inputs::SampleKind::picture) {
    tensors_.clear();
    return {file.name, {inputs::load_picture(file.path, options_.pictures)}};
  }
  if (tensors_.empty() || loaded_ != k) {
    tensors_.clear();  // first, so that two files are never in memory
    tensors_ = inputs::read_input_file(file.path, arguments_);
    loaded_ = k;
  }
  const std::size_t place = index - (k == 0 ? 0 : ends_[k - 1]);
  if (place >= tensors_.size())
    throw Error(ErrorKind::file, file.path.string() + ": has changed while it was used", "run the command again");
  const bool one = ends_[k] - (k == 0 ? 0 : ends_[k - 1]) == 1;
  return {one ? file.name : fmt::format("{}[{}]", file.name, place), tensors_[place]};
}

std::optional<Sample> Samples::next() {
  if (next_ == size_) return std::nullopt;
  Sample sample = sample_at(chosen(next_));
  if (kept_.size() < keep_ && next_ == kept_.size() * size_ / keep_) kept_.push_back(sample);
  ++next_;
  return sample;
}

void Samples::rewind() { next_ = 0; }

void Samples::keep(std::size_t most) {
  rewind();
  kept_.clear();
  keep_ = std::min(most, size_);
}

std::vector<Sample> Samples::take_kept() {
  keep_ = 0;
  return std::exchange(kept_, {});
}

}  // namespace fusekit::quantize
