#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "differential/random_network.h"

namespace fusekit::test {

/// What became of a network in one command.
struct Outcome {
  std::string fault;                    ///< what is wrong; empty where all is well
  std::string refusal;                  ///< the error that it was refused with, where it may be
  std::size_t done = 0;                 ///< places fused, or int8 operators
  std::vector<std::string> unfolded{};  ///< BatchNorms that may be folded, and why they were not
};

/// Puts the network through `fuse` and a verified write. The written file has to hold the original's state to the bit, and
/// to agree with it run by run, as it is saved and in eval(), on two batch sizes. Files go into `folder`.
Outcome check_fuse(const RandomNetwork& network, const std::filesystem::path& folder);

/// What is wrong with `network` in this check is wrong without these pieces, too, and each of the others is needed for it.
std::set<std::int64_t> shrink(const RandomNetwork& network, const std::function<Outcome(const RandomNetwork&)>& check);

/// The same with the target cpu.
Outcome check_cpu(const RandomNetwork& network, const std::filesystem::path& folder);

/// The same with `to_int8`: of the network in eval(), where it is in training mode, which to_int8 has to refuse.
Outcome check_quantize(const RandomNetwork& network, const std::filesystem::path& folder);

}  // namespace fusekit::test
