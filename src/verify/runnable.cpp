#include "verify/runnable.h"

#include <torch/csrc/jit/mobile/import.h>
#include <torch/csrc/jit/mobile/module.h>

#include <memory>

#include "fusekit/error.h"
#include "runtime/error_text.h"
#include "runtime/limited_run.h"

namespace fusekit::gate {

Runnable in_full_interpreter(torch::jit::Module& module) {
  return {[&module](const std::string& method) { return module.find_method(method).has_value(); },
          [&module](const std::string& method, const std::vector<c10::IValue>& inputs) {
            return module.get_method(method)(inputs);
          },
          &module};
}

Runnable in_mobile_interpreter(const std::filesystem::path& path) {
  runtime::LimitedRun limited("the load of " + path.string() + " in the mobile interpreter");
  std::shared_ptr<torch::jit::mobile::Module> module;
  try {
    module = std::make_shared<torch::jit::mobile::Module>(torch::jit::_load_for_mobile(path.string(), at::kCPU));
  } catch (...) {
    limited.check();
    throw Error(ErrorKind::model,
                "the mobile interpreter can't load what was written: " + runtime::explain_current_exception());
  }
  return {[module](const std::string& method) { return module->find_method(method).has_value(); },
          [module](const std::string& method, const std::vector<c10::IValue>& inputs) {
            return module->get_method(method)(inputs);
          }};
}

}  // namespace fusekit::gate
