#pragma once

#include <filesystem>
#include <string>

#include "file/original.h"
#include "fusekit/verify.h"

namespace fusekit::gate {

/// A file that is compared with an original.
struct SecondFile {
  std::filesystem::path path;
  std::string name;  ///< what messages call it
};

/// fusekit::verify with a file that is loaded already.
VerifyReport verify_file(const file::Original& a, const SecondFile& b, const VerifyOptions& options);

}  // namespace fusekit::gate
