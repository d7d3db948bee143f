#pragma once

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fusekit::test {

/// A small network that was drawn at random: convolutions, BatchNorms and activations, and between them state of every
/// kind that TorchScript has (buffers written in place and by assignment, numbers, lists, dicts, tied storages), modules in
/// training mode, and arguments that may be left out.
struct RandomNetwork {
  std::uint64_t seed = 0;
  std::string source;                           ///< of its methods
  torch::jit::Module module;                    ///< to be saved
  std::vector<std::vector<std::int64_t>> dims;  ///< of the tensors that forward is given
  std::vector<std::string> types;               ///< of these
  bool in_training = false;                     ///< is some module in training mode that asks for it?
};

/// The same seed gives the same network.
RandomNetwork random_network(std::uint64_t seed);

}  // namespace fusekit::test
