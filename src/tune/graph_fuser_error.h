#pragma once

#include <filesystem>

#include "fusekit/inputs.h"
#include "fusekit/verify.h"

namespace fusekit::tuning {

/// How far the outputs of `file`, frozen and compiled by LibTorch's oneDNN Graph fuser, are from those of `original` in
/// eval(): the worst of three samples, four runs each. The fuser is as it was afterwards. Error{unsupported}: this LibTorch
/// has none. Error{model}: one of them can't be run, or the outputs differ in what no figure measures.
OutputError error_with_graph_fuser(const std::filesystem::path& original, const std::filesystem::path& file,
                                   const InputOptions& inputs);

}  // namespace fusekit::tuning
