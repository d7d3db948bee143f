#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "file/original.h"
#include "fusekit/verify.h"
#include "inputs/inputs.h"

namespace fusekit::gate {

/// A file that is compared with an original.
struct SecondFile {
  std::filesystem::path path;
  std::string name;                            ///< what messages call it
  std::optional<torch::jit::Module> loaded{};  ///< what was loaded of it, if it was not run yet: this saves a load
  bool mobile = false;                         ///< runs in the mobile interpreter

  /// For LibTorch's full interpreter, in which state and settings can be seen.
  /// Error as file::load, which calls the file by its name.
  [[nodiscard]] torch::jit::Module module() const;
};

/// What two networks are run on.
struct TestData {
  std::string text;       ///< InputSummary::text
  std::size_t given = 0;  ///< so many samples are given; 0: they are drawn
  std::function<inputs::Sample(std::uint64_t k)> sample{};
};

/// What `options.inputs` asks for, for `options.method`. Error as resolve_inputs; Error{input}: `a` has no such method.
TestData test_data(const file::Original& a, const VerifyOptions& options);

/// fusekit::verify with a file that is loaded already.
VerifyReport verify_file(const file::Original& a, const SecondFile& b, const VerifyOptions& options,
                         const TestData& data);

}  // namespace fusekit::gate
