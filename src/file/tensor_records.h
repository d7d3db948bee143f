#pragma once

#include <filesystem>
#include <string>

#include "file/archive.h"

namespace fusekit::file {

/// LibTorch believes a pickle about the sizes of its tensors and reads past the end of a record that is shorter. This
/// follows the pickle (running nothing) and compares: Error{file} names the record that is too short. `folder` is where
/// the pickle's records lie, e.g. "data/". A pickle that can't be followed to its end is an Error{file}, too: lengths that
/// the file does not have, opcodes that TorchScript does not use, tuples in tuples without end.
void check_tensor_records(const Archive& archive, const std::string& pickle, const std::string& folder,
                          const std::filesystem::path& path);

}  // namespace fusekit::file
