#include "quantize/observe/samples.h"

#include <algorithm>
#include <utility>

#include "fusekit/error.h"
#include "inputs/inputs.h"

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
}

}  // namespace

std::vector<std::string> argument_names(const c10::FunctionSchema& forward) {
  std::vector<std::string> names;
  for (const c10::Argument& argument : forward.arguments()) names.push_back(argument.name());
  names.erase(names.begin());  // self
  return names;
}

Samples::Samples(const CalibrationOptions& options, std::vector<std::string> arguments)
    : options_((check(options), options)), source_(options.paths, options.pictures, std::move(arguments)) {
  source_.set_batch(options.inputs.batch);
  total_ = source_.empty() ? static_cast<std::size_t>(options_.random) : source_.size();
  size_ = options_.limit == 0 ? total_ : std::min(total_, options_.limit);
}

std::string Samples::text() {
  if (source_.empty()) return fmt::format("{} random sample{}", total_, total_ == 1 ? "" : "s");
  return source_.text() + (size_ < total_ ? fmt::format(", {} of them", size_) : "");
}

std::size_t Samples::chosen(std::size_t k) const { return k * total_ / size_; }

Sample Samples::sample_at(std::size_t index) {
  if (source_.empty())
    return {fmt::format("random[{}]", index), inputs::draw_sample(options_.inputs, static_cast<std::uint64_t>(index))};
  inputs::NamedSample sample = source_.at(index).value();
  return {std::move(sample.name), std::move(sample.values)};
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
