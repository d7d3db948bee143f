#include "runtime/captured_output.h"

#include <c10/util/Exception.h>
#include <torch/csrc/jit/runtime/print_handler.h>
#include <torch/version.h>

#include <mutex>
#include <utility>

namespace fusekit::runtime {
namespace {

// The two LibTorchs name and call a warning handler differently.
#if TORCH_VERSION_MAJOR >= 2
namespace warning_handlers = c10::WarningUtils;
struct Swallow : c10::WarningHandler {
  void process(const c10::Warning& /*warning*/) override {}
};
#else
namespace warning_handlers = c10::Warning;
struct Swallow : c10::WarningHandler {
  void process(const c10::SourceLocation& /*place*/, const std::string& /*text*/, const bool /*verbatim*/) override {}
};
#endif

// LibTorch's print handler is a plain function: what it catches has to live outside of CapturedOutput.
std::mutex printing;
std::string printed;

void catch_print(const std::string& text) {
  const std::lock_guard lock(printing);
  printed += text;
}

c10::WarningHandler* swallow() {
  static Swallow handler;
  return &handler;
}

}  // namespace

CapturedOutput::CapturedOutput()
    : warnings_(warning_handlers::get_warning_handler()), print_(torch::jit::getPrintHandler()) {
  warning_handlers::set_warning_handler(swallow());
  torch::jit::setPrintHandler(catch_print);
  printed_before_ = take_printed();
}

CapturedOutput::~CapturedOutput() {
  warning_handlers::set_warning_handler(warnings_);
  torch::jit::setPrintHandler(print_);
  const std::lock_guard lock(printing);
  printed = std::move(printed_before_);
}

std::string CapturedOutput::take_printed() {
  const std::lock_guard lock(printing);
  return std::exchange(printed, {});
}

}  // namespace fusekit::runtime
