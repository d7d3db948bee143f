#pragma once

namespace fusekit::cli {

/// Takes the descriptors 0 to 2 where whoever started this program closed them, so that no file that is opened later gets
/// one of them and LibTorch's warnings do not end in it. What is written to a closed stdout fails, as it should: results
/// that nobody gets are an error. What is written to a closed stderr is gone. Call it before anything opens a file.
void own_standard_streams();

}  // namespace fusekit::cli
