#pragma once

#include <string>

namespace fusekit::file {

/// Operators of TorchScript that reach outside of tensors: aten::save writes a file, aten::from_file maps one (and makes it,
/// or makes it longer), the rpc and c10d ones talk to other machines, and some (inductor's, _reshape_alias) take any place in
/// memory for a tensor's. As long as this lives, TorchScript does not know
/// them, in the whole process: code that calls one can't be loaded, so that nothing of it is ever run, __setstate__
/// included.
class WithoutOutsideOperators {
 public:
  WithoutOutsideOperators();
  ~WithoutOutsideOperators();
  WithoutOutsideOperators(const WithoutOutsideOperators&) = delete;
  WithoutOutsideOperators& operator=(const WithoutOutsideOperators&) = delete;

  /// The operator that is the reason why a file could not be loaded; empty for other reasons.
  [[nodiscard]] static std::string named_in(const std::string& reason);
};

}  // namespace fusekit::file
