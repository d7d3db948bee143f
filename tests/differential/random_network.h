#pragma once

#include <torch/script.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace fusekit::test {

/// A small network that was drawn at random, piece by piece: layers in the forms that the rules look for, traps that look
/// like them, state of every kind that TorchScript has, modules in training mode, and arguments that may be left out.
struct RandomNetwork {
  std::uint64_t seed = 0;
  std::int64_t pieces = 0;
  std::string source;                           ///< of its methods
  torch::jit::Module module;                    ///< to be saved
  std::vector<std::vector<std::int64_t>> dims;  ///< of the tensors that forward is given
  at::ScalarType dtype = at::kFloat;            ///< of these
  bool in_training = false;                     ///< is some module in training mode that asks for it?
  std::set<std::string> foldable;               ///< BatchNorms that may be folded into the layer in front of them
};

/// The same seed gives the same network. `without` are the numbers of pieces to leave out, to find those that matter.
RandomNetwork random_network(std::uint64_t seed, const std::set<std::int64_t>& without = {});

}  // namespace fusekit::test
