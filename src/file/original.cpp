#include "file/original.h"

#include "file/copy_module.h"

namespace fusekit::file {
namespace {

std::uint32_t version_of(const at::Tensor& tensor) {
  return tensor.is_inference() ? 0 : static_cast<std::uint32_t>(tensor._version());
}

}  // namespace

Original::Original(std::filesystem::path path) : path_(std::move(path)), loaded_(load(path_)) {
  for (const auto& attribute : loaded_.module.named_attributes(/*recurse=*/true))
    if (attribute.value.isTensor() && attribute.value.toTensor().defined())
      versions_.push_back({attribute.value.toTensor(), version_of(attribute.value.toTensor())});
}

bool Original::is_untouched() const {
  return std::all_of(versions_.begin(), versions_.end(),
                     [](const Version& each) { return version_of(each.tensor) == each.at_load; });
}

torch::jit::Module Original::fresh() const {
  const auto shares = [this](const std::string& path, const c10::IValue& value) {
    return written_ && value.isTensor() && written_->count(path) == 0;
  };
  if (is_untouched())
    if (auto copy = copy_module(loaded_.module, shares)) return std::move(*copy);
  return load(path_).module;
}

torch::jit::Module Original::last() && { return is_untouched() ? std::move(loaded_.module) : load(path_).module; }

}  // namespace fusekit::file
