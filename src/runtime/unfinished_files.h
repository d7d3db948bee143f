#pragma once

#include <filesystem>

/// Files with a temporary name, so that a process that ends early leaves none of them behind.
namespace fusekit::runtime {

void remember_unfinished(const std::filesystem::path& file);
/// It has its name, or is gone.
void forget_unfinished(const std::filesystem::path& file);
/// For a process that is about to end: removes them all.
void remove_unfinished();

}  // namespace fusekit::runtime
