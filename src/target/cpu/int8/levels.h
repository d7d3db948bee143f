#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>

namespace fusekit::target {

/// What the numbers of an int8 tensor stand for: (number - zero_point) * scale.
struct Levels {
  double scale = 1;
  std::int64_t zero_point = 0;

  friend bool operator==(const Levels& a, const Levels& b) {
    return a.scale == b.scale && a.zero_point == b.zero_point;
  }
};

/// The levels of the quint8 tensor `value`, per tensor; nullopt: it is none, or they are not known from the graph.
std::optional<Levels> levels_of(torch::jit::Value* value);

/// Moves or picks numbers and computes none, on plain uint8 tensors as on quint8 ones: a view, a cat of equal levels.
/// `values`: the tensors that it reads; empty where `node` is none of these.
std::vector<torch::jit::Value*> moved_by(torch::jit::Node* node);

}  // namespace fusekit::target
