#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace fusekit::test {

/// float32, as numpy.save writes it.
void write_npy(const std::filesystem::path& path, const at::Tensor& tensor);

}  // namespace fusekit::test
