#pragma once

#include "fusekit/error.h"

namespace fusekit {

/// Work that its caller stopped (bench::Options::interrupted) before there was anything to report. The command ends with
/// exit code 130.
class Interrupted : public Error {
 public:
  Interrupted() : Error(ErrorKind::usage, "interrupted", "nothing was saved or reported") {}
};

}  // namespace fusekit
