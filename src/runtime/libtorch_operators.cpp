#include "runtime/libtorch_operators.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/runtime/operator.h>

namespace fusekit::runtime {

bool has_operator(const std::string& name) {
  return !torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name)).empty();
}

c10::IValue call_operator(const std::string& name, torch::jit::Stack arguments) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name.c_str(), "").callBoxed(&arguments);
  return arguments.front();
}

}  // namespace fusekit::runtime
