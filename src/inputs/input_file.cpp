#include "inputs/input_file.h"

#include <fmt/ranges.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "file/archive.h"
#include "file/regular_file.h"
#include "file/tensor_records.h"
#include "fusekit/error.h"
#include "inputs/npy.h"
#include "runtime/error_text.h"

namespace fusekit::inputs {
namespace {

namespace fs = std::filesystem;
using c10::IValue;
using Sample = std::vector<IValue>;

constexpr const char* kHowToWrite =
    "write it in Python: torch.save((argument1, argument2), \"inputs.pt\"), numpy.save or numpy.savez";

std::vector<char> bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <typename T>
IValue typed_list(c10::ArrayRef<IValue> values) {
  c10::List<T> list;
  for (const IValue& value : values) list.push_back(value.to<T>());
  return list;
}

/// Lists and dicts from a pickle have no element type, but forward's arguments have: sets the type of their elements.
IValue with_types(const IValue& value) {
  if (value.isTuple()) {
    Sample elements;
    for (const IValue& element : value.toTupleRef().elements()) elements.push_back(with_types(element));
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (value.isList()) {
    const auto elements = value.toListRef();
    const auto all = [&](auto test) { return std::all_of(elements.begin(), elements.end(), test); };
    if (all([](const IValue& v) { return v.isTensor(); })) return typed_list<at::Tensor>(elements);
    if (all([](const IValue& v) { return v.isInt(); })) return typed_list<std::int64_t>(elements);
    if (all([](const IValue& v) { return v.isDouble(); })) return typed_list<double>(elements);
    if (all([](const IValue& v) { return v.isBool(); })) return typed_list<bool>(elements);
    if (all([](const IValue& v) { return v.isString(); })) return typed_list<std::string>(elements);
  }
  if (value.isGenericDict()) {
    c10::Dict<std::string, at::Tensor> tensors;
    for (const auto& entry : value.toGenericDict()) {
      if (!entry.key().isString() || !entry.value().isTensor()) return value;
      tensors.insert(entry.key().toStringRef(), entry.value().toTensor());
    }
    return tensors;
  }
  return value;
}

using Named = std::vector<std::pair<std::string, IValue>>;

/// Sorts named values into the order of forward's arguments; the last arguments may be missing.
Sample by_name(const Named& named, const fs::path& path, const std::vector<std::string>& arguments) {
  std::vector<std::optional<IValue>> found(arguments.size());
  std::size_t end = 0;
  for (const auto& [name, value] : named) {
    const auto place = std::find(arguments.begin(), arguments.end(), name);
    if (place == arguments.end())
      throw Error(ErrorKind::input, fmt::format("{}: \"{}\" is none of forward's arguments", path.string(), name),
                  fmt::format("they are: {}", fmt::join(arguments, ", ")));
    const auto index = static_cast<std::size_t>(place - arguments.begin());
    found[index] = with_types(value);
    end = std::max(end, index + 1);
  }
  Sample sample;
  for (std::size_t k = 0; k < end; ++k) {
    if (!found[k])
      throw Error(ErrorKind::input,
                  fmt::format("{}: forward's argument \"{}\" is missing", path.string(), arguments[k]),
                  "add it to the file under this name");
    sample.push_back(*found[k]);
  }
  return sample;
}

Named named_values(const IValue& dict, const fs::path& path) {
  Named named;
  for (const auto& entry : dict.toGenericDict()) {
    if (!entry.key().isString())
      throw Error(ErrorKind::input, path.string() + ": a dict of arguments has to have their names as its keys",
                  kHowToWrite);
    named.emplace_back(entry.key().toStringRef(), entry.value());
  }
  return named;
}

/// One sample from a tensor, or from a tuple, list or dict of arguments.
Sample one_sample(const IValue& value, const fs::path& path, const std::vector<std::string>& arguments) {
  if (value.isGenericDict()) return by_name(named_values(value, path), path, arguments);
  Sample sample;
  if (value.isTuple()) {
    for (const IValue& element : value.toTupleRef().elements()) sample.push_back(with_types(element));
  } else if (value.isList()) {
    for (const IValue& element : value.toListRef()) sample.push_back(with_types(element));
  } else {
    sample.push_back(value);
  }
  return sample;
}

bool holds_samples(const IValue& value, std::size_t arguments) {
  if (!value.isList() || value.toListRef().empty()) return false;
  const auto elements = value.toListRef();
  const auto all = [&](auto test) { return std::all_of(elements.begin(), elements.end(), test); };
  if (all([](const IValue& v) { return v.isTuple() || v.isList() || v.isGenericDict(); })) return true;
  return arguments == 1 && elements.size() > 1 && all([](const IValue& v) { return v.isTensor(); });
}

std::vector<Sample> samples_of(const IValue& value, const fs::path& path, const std::vector<std::string>& arguments) {
  if (!holds_samples(value, arguments.size())) return {one_sample(value, path, arguments)};
  std::vector<Sample> samples;
  for (const IValue& element : value.toListRef()) samples.push_back(one_sample(element, path, arguments));
  return samples;
}

IValue unpickle(const fs::path& path) {
  try {
    return torch::jit::pickle_load(bytes_of(path));
  } catch (...) {
    throw Error(ErrorKind::file,
                fmt::format("{}: can't be read as inputs: {}", path.string(), runtime::explain_current_exception()),
                std::string("tensors, numbers, strings, lists, tuples and dicts are read; ") + kHowToWrite);
  }
}

Sample read_npz(const file::Archive& archive, const fs::path& path, const std::vector<std::string>& arguments) {
  Named named;
  bool numbered = true;
  for (const file::Archive::Record& record : archive.records()) {
    const std::string name = record.name.substr(0, record.name.size() - 4);
    numbered = numbered && name == fmt::format("arr_{}", named.size());
    named.emplace_back(
        name, parse_npy(archive.read(record.name.substr(archive.top().size())), path.string() + ": " + record.name));
  }
  if (!numbered && named.size() > 1) return by_name(named, path, arguments);
  if (!numbered && std::find(arguments.begin(), arguments.end(), named.front().first) != arguments.end())
    return by_name(named, path, arguments);
  Sample sample;
  for (const auto& [name, value] : named) sample.push_back(value);
  return sample;
}

std::vector<Sample> read_zip(const fs::path& path, const std::vector<std::string>& arguments) {
  const file::Archive archive(path);
  const auto is_array = [](const file::Archive::Record& record) { return record.name.ends_with(".npy"); };
  if (!archive.records().empty() && std::ranges::all_of(archive.records(), is_array))
    return {read_npz(archive, path, arguments)};
  if (archive.has("code/"))
    throw Error(ErrorKind::file, path.string() + ": is a TorchScript file, not a file of inputs", kHowToWrite);
  if (!archive.has("data.pkl"))
    throw Error(ErrorKind::file, path.string() + ": is a zip archive, but neither torch.save nor numpy.savez wrote it",
                kHowToWrite);
  archive.check_bytes();
  file::check_tensor_records(archive, "data.pkl", "data/", path);
  return samples_of(unpickle(path), path, arguments);
}

}  // namespace

std::vector<Sample> read_input_file(const fs::path& path, const std::vector<std::string>& arguments) {
  file::check_regular_file(path);
  const std::string start = file::first_bytes(path, 8);
  if (start.starts_with("\x93NUMPY")) {
    const std::vector<char> bytes = bytes_of(path);
    return {{parse_npy({bytes.data(), bytes.size()}, path.string())}};
  }
  if (start.starts_with("PK\x03\x04")) return read_zip(path, arguments);
  if (start.starts_with("\x80\x02\x8a\x0a"))
    throw Error(ErrorKind::file, path.string() + ": is in torch.save's old format (before PyTorch 1.6)",
                "save it again with torch.save of PyTorch 1.6 or newer");
  throw Error(ErrorKind::file, path.string() + ": is neither a .pt of torch.save nor a .npy, .npz, PNG or JPEG",
              kHowToWrite);
}

}  // namespace fusekit::inputs
