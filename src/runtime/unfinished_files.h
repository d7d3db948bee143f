#pragma once

#include <filesystem>

/// Files and folders with a hidden name of FuseKit's (".fusekit-" and more) that are to be renamed or removed, so that
/// nothing is left behind by a process that ends early.
namespace fusekit::runtime {

void remember_unfinished(const std::filesystem::path& path);
/// It has its name, or is gone.
void forget_unfinished(const std::filesystem::path& path);
/// Removes them all: for a process that is about to end.
void remove_unfinished();

/// Keeps the list in memory that a child process shares, from now on: so that its parent can remove them, however the child
/// ended.
void share_unfinished_with_children();

/// Removes what processes have left in `folder` that ended with nobody to clear up after them (signal 9 to all, power).
/// What is locked (flock) is in use, and what is younger than a minute may be about to be.
void remove_abandoned(const std::filesystem::path& folder);

}  // namespace fusekit::runtime
