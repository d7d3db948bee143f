#pragma once

#include <filesystem>

#include "file/archive.h"

namespace fusekit::file {

/// Error{file} where a file's first bytes show that it is no zip archive: the message says what it is instead (text,
/// ONNX, an old torch.save, a mobile flatbuffer, ...), the hint how to get to a TorchScript file.
void check_begins_as_zip(const std::filesystem::path& path);

/// Error{file} where a zip archive is no TorchScript file: a state_dict, a pickled module, torch.export's .pt2, ...
void check_holds_torchscript(const Archive& archive, const std::filesystem::path& path);

}  // namespace fusekit::file
