#pragma once

#include <string>

namespace c10 {
class WarningHandler;
}

namespace fusekit::runtime {

/// While one lives, LibTorch's warnings of this thread are swallowed, and what a network prints is caught instead of
/// written to stdout, where FuseKit's results go. Not to be nested in several threads at a time.
class CapturedOutput {
 public:
  CapturedOutput();
  ~CapturedOutput();
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;

  /// What networks have printed since the last call.
  std::string take_printed();

 private:
  c10::WarningHandler* warnings_;  ///< the handler that was there before
  void (*print_)(const std::string&);
  std::string printed_before_;
};

}  // namespace fusekit::runtime
