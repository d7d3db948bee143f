#include "runtime/captured_output.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/csrc/jit/runtime/print_handler.h>
#include <torch/version.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace fusekit::runtime {
namespace {

// Warning handlers have different names and signatures in LibTorch 1 and 2.
#if TORCH_VERSION_MAJOR >= 2
namespace warning_handlers = c10::WarningUtils;
struct DiscardWarnings : c10::WarningHandler {
  void process(const c10::Warning& /*warning*/) override {}
};
#else
namespace warning_handlers = c10::Warning;
struct DiscardWarnings : c10::WarningHandler {
  void process(const c10::SourceLocation& /*place*/, const std::string& /*text*/, const bool /*verbatim*/) override {}
};
#endif

// LibTorch's print handler is a plain function, so the captured text has to be global.
std::mutex printing;
std::string printed;
constexpr std::size_t kMostPrinted = 1'000'000;  // characters that are kept: a loop may print without end
std::size_t left_out = 0;                        // characters beyond them
std::uint64_t hash_of_left_out = 0;

void capture_print(const std::string& text) {
  const std::lock_guard lock(printing);
  const std::size_t kept = std::min(text.size(), kMostPrinted - std::min(kMostPrinted, printed.size()));
  printed.append(text, 0, kept);
  for (std::size_t i = kept; i < text.size(); ++i) {  // FNV-1a
    hash_of_left_out = (hash_of_left_out ^ static_cast<unsigned char>(text[i])) * 1099511628211U;
    ++left_out;
  }
}

c10::WarningHandler* discarding_handler() {
  static DiscardWarnings handler;
  return &handler;
}

}  // namespace

CapturedOutput::CapturedOutput()
    : warnings_(warning_handlers::get_warning_handler()), print_(torch::jit::getPrintHandler()) {
  warning_handlers::set_warning_handler(discarding_handler());
  torch::jit::setPrintHandler(capture_print);
  printed_before_ = take_printed();
}

CapturedOutput::~CapturedOutput() {
  warning_handlers::set_warning_handler(warnings_);
  torch::jit::setPrintHandler(print_);
  take_printed();
  const std::lock_guard lock(printing);
  printed = std::move(printed_before_);
}

std::string CapturedOutput::take_printed() {
  const std::lock_guard lock(printing);
  std::string text = std::exchange(printed, {});
  if (left_out > 0) text += fmt::format("... and {} more characters ({:x})", left_out, hash_of_left_out);
  left_out = 0;
  hash_of_left_out = 0;
  return text;
}

}  // namespace fusekit::runtime
