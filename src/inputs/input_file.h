#pragma once

#include <torch/script.h>

#include <filesystem>
#include <string>
#include <vector>

namespace fusekit::inputs {

/// The samples of an inputs file (InputOptions::file says which there are), each a list of forward's arguments. Dicts and
/// .npz files go by `arguments`, the names of forward's arguments. Error{file}: the file can't be read or is something
/// else; Error{input}: a name that is none of forward's, or an argument in between that is missing.
std::vector<std::vector<c10::IValue>> read_input_file(const std::filesystem::path& path,
                                                      const std::vector<std::string>& arguments);

}  // namespace fusekit::inputs
