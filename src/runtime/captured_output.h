#pragma once

#include <string>

namespace c10 {
class WarningHandler;
}

namespace fusekit::runtime {

/// During its lifetime, LibTorch's warnings in this thread are discarded, and the output of a network's print() is captured
/// (stdout is for FuseKit's results). Must not be used in several threads at the same time.
class CapturedOutput {
 public:
  CapturedOutput();
  ~CapturedOutput();
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;

  /// The text that networks have printed since the last call. Of what is beyond a million characters, only the number of
  /// characters and a hash.
  std::string take_printed();

 private:
  c10::WarningHandler* warnings_;  ///< the handler that was there before
  void (*print_)(const std::string&);
  std::string printed_before_;
};

}  // namespace fusekit::runtime
