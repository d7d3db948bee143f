#include "file/original.h"

#include "file/copy_module.h"

namespace fusekit::file {

Original::Original(std::filesystem::path path) : path_(std::move(path)), loaded_(load(path_)) {
  for (const auto& attribute : loaded_.module.named_attributes(/*recurse=*/true))
    if (attribute.value.isTensor() && attribute.value.toTensor().defined())
      tensors_.push_back({attribute.value.toTensor(), fingerprint(attribute.value.toTensor())});
}

void Original::put_into_eval() {
  eval_ = true;
  loaded_.module.eval();
}

Loaded Original::load_it() const {
  Loaded loaded = load(path_);
  if (eval_) loaded.module.eval();
  return loaded;
}

bool Original::is_untouched() const {
  return std::all_of(tensors_.begin(), tensors_.end(),
                     [](const AsLoaded& each) { return fingerprint(each.tensor) == each.fingerprint; });
}

torch::jit::Module Original::fresh() const {
  const auto shares = [this](const std::string& path, const c10::IValue& value) {
    return written_ && value.isTensor() && written_->count(path) == 0;
  };
  if (is_untouched())
    if (auto copy = copy_module(loaded_.module, shares)) return std::move(*copy);
  return load_it().module;
}

torch::jit::Module Original::last() && { return is_untouched() ? std::move(loaded_.module) : load_it().module; }

}  // namespace fusekit::file
