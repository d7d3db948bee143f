#include "bench/module_runner.h"

#include <sstream>

#include "file/load.h"
#include "fusekit/error.h"
#include "ir/foreign_device.h"
#include "runtime/graph_fuser.h"
#include "runtime/resident_memory.h"

namespace fusekit::bench {
namespace {

inputs::Sample bundled_sample(torch::jit::Module& module, const Variant& variant) {
  const auto method = module.find_method("get_all_bundled_inputs");
  if (!method)
    throw Error(ErrorKind::input, fmt::format("'{}' has no bundled inputs", variant.model.string()),
                "bundle them with torch.utils.bundled_inputs before saving, or give InputOptions::dims");
  const runtime::LimitedRun limited("get_all_bundled_inputs of " + variant.model.string());
  const c10::List<c10::IValue> all = (*method)({}).toList();
  if (static_cast<std::size_t>(variant.arguments.bundled) >= all.size())
    throw Error(ErrorKind::input,
                fmt::format("'{}' has {} bundled inputs, bench::Arguments::bundled asks for number {}",
                            variant.model.string(), all.size(), variant.arguments.bundled),
                "they are numbered from 0");
  const auto& elements = all.get(static_cast<std::size_t>(variant.arguments.bundled)).toTupleRef().elements();
  return inputs::Sample(elements.begin(), elements.end());  // braces would make two IValues of the iterators
}

inputs::Sample arguments_of(torch::jit::Module& module, const Variant& variant) {
  const Arguments& arguments = variant.arguments;
  if (arguments.none) return {};
  if (arguments.bundled >= 0) return bundled_sample(module, variant);
  inputs::Sample sample = inputs::draw_sample(arguments.inputs, 0);
  if (arguments.pytext_len > 0) sample.emplace_back(torch::full({1}, arguments.pytext_len, torch::kInt64));
  return sample;
}

/// Error{usage}: an unknown name.
at::ScalarType float_type(const std::string& name) {
  if (name == "float") return at::kFloat;
  if (name == "double") return at::kDouble;
  if (name == "half") return at::kHalf;
  if (name == "bfloat16") return at::kBFloat16;
  throw Error(ErrorKind::usage, fmt::format("bench::Variant::dtype = {} is not known", name),
              "float, double, half or bfloat16");
}

/// Converts floating-point tensors to `type`; other values are returned as they are.
c10::IValue converted(const c10::IValue& value, at::ScalarType type) {
  if (value.isTensor() && value.toTensor().is_floating_point()) return value.toTensor().to(type);
  if (!value.isTensorList()) return value;
  c10::List<at::Tensor> list;
  for (const at::Tensor& tensor : value.toTensorVector())
    list.push_back(tensor.is_floating_point() ? tensor.to(type) : tensor);
  return list;
}

}  // namespace

ModuleRunner::ModuleRunner(const Variant& variant)
    : path_(variant.model.string()), watch_("a run of " + path_, (apply(variant.runtime), runtime::standing_limits())) {
  module_ = file::load(variant.model).module;
  if (!module_.find_method("forward"))
    throw Error(ErrorKind::model, fmt::format("'{}' has no method \"forward\"", path_),
                "save a module whose forward is compiled (torch.jit.script or torch.jit.trace)");
  module_.eval();
  const torch::NoGradGuard no_grad;
  arguments_ = arguments_of(module_, variant);
  if (!variant.dtype.empty()) {
    const at::ScalarType type = float_type(variant.dtype);
    module_.to(type);
    for (c10::IValue& argument : arguments_) argument = converted(argument, type);
  }
  if (variant.graph_fuser) module_ = runtime::frozen_for_graph_fuser(module_);
}

std::string ModuleRunner::run_and_print() {
  std::ostringstream text;
  text << forward();
  return text.str();
}

c10::IValue ModuleRunner::forward() {
  const torch::NoGradGuard no_grad;
  try {
    watch_.begin();
    c10::IValue output = module_.forward(arguments_);
    watch_.end();
    return output;
  } catch (const std::exception& error) {
    watch_.end();
    if (const std::string device = ir::foreign_device_in(module_, "forward", error.what()); !device.empty())
      throw Error(ErrorKind::model, fmt::format("'{}' can't be run: {}", path_, device), ir::kForeignDeviceHint);
    throw Error(ErrorKind::model, fmt::format("'{}' can't be run: {}", path_, reason_of(error)),
                "check InputOptions::dims and InputOptions::types, or give InputOptions::file = FILE");
  }
}

std::unique_ptr<Runner> load_runner(const Variant& variant) { return std::make_unique<ModuleRunner>(variant); }

std::unique_ptr<Runner> load_runner(const Variant& variant, Clock& clock, double& load_us) {
  runtime::reset_peak_resident();
  const std::int64_t begin = clock.now();
  std::unique_ptr<Runner> runner = load_runner(variant);
  load_us = 1e-3 * static_cast<double>(clock.now() - begin);
  return runner;
}

}  // namespace fusekit::bench
