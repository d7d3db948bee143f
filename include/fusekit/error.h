#pragma once

#include <exception>
#include <string>
#include <utility>

namespace fusekit {

/// What an Error is about. Every kind ends the program with exit code 2.
enum class ErrorKind {
  usage,        ///< the call is wrong: a flag, a combination of flags
  file,         ///< a file can't be read or written, or is not what it should be
  model,        ///< the network can't be run, followed or rebuilt
  input,        ///< the tensors that were given don't fit the network
  unsupported,  ///< this LibTorch lacks what is needed
};

/// The one error type. `message` names the file, the module path and the value; `hint` says what to do next.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, std::string hint = {})
      : kind_(kind), message_(std::move(message)), hint_(std::move(hint)) {}

  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  /// May be empty.
  [[nodiscard]] const std::string& hint() const noexcept { return hint_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
  std::string hint_;
};

}  // namespace fusekit
