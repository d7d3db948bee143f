#include "inputs/sample_source.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "fusekit/error.h"
#include "inputs/batch.h"
#include "inputs/draw.h"
#include "inputs/input_file.h"
#include "inputs/pictures/pictures.h"

namespace fusekit::inputs {
namespace {

namespace fs = std::filesystem;

std::string own_name(const fs::path& path) {
  return (path.has_filename() ? path.filename() : path.parent_path().filename()).string();
}

std::string names_of(const std::vector<fs::path>& paths) {
  constexpr std::size_t most = 3;
  if (paths.size() > most) return fmt::format("{} and {} more", own_name(paths.front()), paths.size() - 1);
  std::vector<std::string> names;
  for (const fs::path& path : paths) names.push_back(own_name(path));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<at::Tensor> tensors_in(const Sample& sample) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : sample)
    if (value.isTensor() && value.toTensor().defined()) tensors.push_back(value.toTensor());
  return tensors;
}

/// "1x3x224x224; 1x10".
std::string shapes_in_words(const Sample& sample) {
  std::string text;
  for (const at::Tensor& tensor : tensors_in(sample))
    text +=
        (text.empty() ? "" : "; ") + (tensor.dim() == 0 ? "scalar" : fmt::format("{}", fmt::join(tensor.sizes(), "x")));
  return text;
}

std::vector<std::vector<std::int64_t>> shapes_given(const InputOptions& options) {
  std::vector<std::vector<std::int64_t>> shapes;
  for (const ArgumentForm& form : argument_forms(options))
    if (!is_literal(form)) shapes.push_back(form.dims);
  return shapes;
}

/// The first dimension of all shapes. Where these differ, it is no batch.
std::int64_t batch_by_shapes(const std::vector<std::vector<std::int64_t>>& shapes) {
  std::optional<std::int64_t> batch;
  for (const auto& shape : shapes) {
    if (shape.empty()) continue;
    if (batch && *batch != shape.front()) return kAsTheyAre;
    batch = shape.front();
  }
  return batch && *batch > 0 ? *batch : kAsTheyAre;
}

void check_ranks(const Sample& sample, const std::vector<std::vector<std::int64_t>>& shapes, const std::string& name) {
  const std::vector<at::Tensor> tensors = tensors_in(sample);
  for (std::size_t k = 0; k < std::min(tensors.size(), shapes.size()); ++k)
    if (static_cast<std::size_t>(tensors[k].dim()) != shapes[k].size())
      throw Error(ErrorKind::input,
                  fmt::format("{} holds {}, and InputOptions::dims is {}", name, shapes_in_words(sample),
                              fmt::join(shapes[k], "x")),
                  "beside a file, InputOptions::dims is the shape of one of its samples");
}

}  // namespace

SampleSource::SampleSource(const std::vector<fs::path>& paths, const PictureOptions& pictures,
                           std::vector<std::string> arguments, Check check)
    : name_(names_of(paths)), pictures_(pictures), arguments_(std::move(arguments)), check_(std::move(check)) {
  check_picture_options(pictures);
  files_ = find_sample_files(paths);
}

const std::vector<Sample>& SampleSource::contents_of(std::size_t file) {
  if (loaded_ == file) return contents_;
  const fs::path& path = files_.files[file].path;
  loaded_.reset();
  contents_.clear();  // first, so that two files are never in memory
  contents_ = read_input_file(path, arguments_);
  for (std::size_t k = 0; k < contents_.size() && check_; ++k) check_(path, contents_[k], k);
  loaded_ = file;
  return contents_;
}

std::optional<Sample> SampleSource::first_of_many_rows() {
  for (std::size_t k = 0; k < files_.files.size(); ++k) {
    if (files_.files[k].kind == SampleKind::picture) continue;
    const std::vector<Sample>& contents = contents_of(k);
    if (contents.size() == 1 && pieces_of(contents.front(), 1) > 1) return contents.front();
  }
  return std::nullopt;
}

std::int64_t SampleSource::settle_batch(const InputOptions& given, const Fresh& fresh, const std::string& method) {
  batch_ = given.batch;
  if (batch_ != 0) return batch_;
  const auto sample = first_of_many_rows();
  if (given.dims.empty()) {
    batch_ = sample ? batch_by_runs(fresh, method, *sample) : kAsTheyAre;
  } else {
    const auto shapes = shapes_given(given);
    if (sample) check_ranks(*sample, shapes, files_.files[*loaded_].path.string());
    batch_ = batch_by_shapes(shapes);
  }
  return batch_;
}

void SampleSource::note_shape(const Sample& sample) {
  std::string shape = shapes_in_words(sample);
  if (!shape_) shape_ = shape;
  all_alike_ = all_alike_ && *shape_ == shape;
}

void SampleSource::count_next_file() {
  const std::size_t file = ends_.size();
  std::size_t count = 1;
  if (files_.files[file].kind == SampleKind::picture) {
    const std::int64_t side = pictures_.crop;
    const auto channels = static_cast<std::int64_t>(pictures_.mean.size());
    if (side > 0) note_shape({at::empty({1, channels, side, side}, at::kMeta)});
    all_alike_ = all_alike_ && side > 0;
  } else {
    const std::vector<Sample>& contents = contents_of(file);
    const bool is_list = contents.size() != 1;
    count = is_list ? contents.size() : pieces_of(contents.front(), batch_);
    if (!is_list) rows_left_ += rows_left(contents.front(), batch_);
    for (const Sample& sample : contents) note_shape(is_list ? sample : piece_of(sample, batch_, 0));
  }
  ends_.push_back((ends_.empty() ? 0 : ends_.back()) + count);
}

std::size_t SampleSource::size() {
  while (ends_.size() < files_.files.size()) count_next_file();
  if (ends_.empty() || ends_.back() == 0)
    throw Error(ErrorKind::file, (empty() ? name_ : files_.files.front().path.string()) + ": holds no sample");
  return ends_.back();
}

std::optional<NamedSample> SampleSource::at(std::size_t index) {
  while (ends_.size() < files_.files.size() && (ends_.empty() || ends_.back() <= index)) count_next_file();
  const auto end = std::ranges::upper_bound(ends_, index);
  if (end == ends_.end()) return std::nullopt;
  const auto k = static_cast<std::size_t>(end - ends_.begin());
  const SampleFile& file = files_.files[k];
  if (file.kind == SampleKind::picture) {
    loaded_.reset();
    contents_.clear();
    return NamedSample{file.name, {load_picture(file.path, pictures_)}};
  }
  const std::vector<Sample>& contents = contents_of(k);
  const std::size_t begin = k == 0 ? 0 : ends_[k - 1];
  const std::size_t count = ends_[k] - begin;
  const std::size_t place = index - begin;
  const bool is_list = contents.size() != 1;
  if (count != (is_list ? contents.size() : pieces_of(contents.front(), batch_)))
    throw Error(ErrorKind::file, file.path.string() + ": has changed while it was used", "run the command again");
  NamedSample sample{count == 1 ? file.name : fmt::format("{}[{}]", file.name, place),
                     is_list ? contents[place] : piece_of(contents.front(), batch_, place)};
  if (!is_list && count > 1)  // whoever keeps a few does not keep the whole file
    for (c10::IValue& value : sample.values)
      if (value.isTensor()) value = value.toTensor().clone();
  return sample;
}

std::string SampleSource::text() {
  const std::size_t count = size();
  std::string text = fmt::format("{} ({} sample{}", name_, count, count == 1 ? "" : "s");
  if (shape_ && !shape_->empty()) text += fmt::format("{} {}", all_alike_ ? " of" : ", the first of", *shape_);
  if (rows_left_ > 0) text += fmt::format("; {} row{} left over", rows_left_, rows_left_ == 1 ? " is" : "s are");
  return text + ")";
}

}  // namespace fusekit::inputs
