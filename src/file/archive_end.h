#pragma once

#include <filesystem>

namespace fusekit::file {

/// libzip and LibTorch look for a zip's directory in different ways: where there are two, one could check an archive and
/// the other load another. So there may be one, which ends where the file ends (no comment, nothing behind it), with as
/// many records as it says, none of whose names holds a zero byte, at which libzip would end them. Else Error{file}.
/// (APPNOTE.TXT of PKWARE, 4.3.)
void check_archive_end(const std::filesystem::path& path);

}  // namespace fusekit::file
