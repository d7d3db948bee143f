#pragma once

#include <torch/script.h>

#include <filesystem>
#include <string>
#include <vector>

namespace fusekit::inputs {

/// Reads the samples of an inputs file (for the formats see InputOptions::file); a sample is a list of forward's arguments.
/// In dicts and .npz files, the keys are matched with `arguments`, the names of forward's arguments. Error{file}: the file
/// can't be read or has another format. Error{input}: an unknown name, or an argument that is missing before others.
std::vector<std::vector<c10::IValue>> read_input_file(const std::filesystem::path& path,
                                                      const std::vector<std::string>& arguments);

}  // namespace fusekit::inputs
