#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// A range of real numbers, ends included; either may be infinite.
struct Interval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// A kind of activation: a function of each element by itself that keeps shape and rank.
struct ActivationKind {
  c10::Symbol op;  ///< the operator that gives a new tensor, e.g. aten::relu; in place: the same with a "_" behind
  const char* name = "";  ///< e.g. "ReLU"
  /// Outside of this interval nothing can tell two inputs apart (or as good as nothing: below half a level of int8).
  Interval sensitive{};
  /// Of one that clamps its input and does nothing else: the interval. nullopt: its bounds are computed at run time.
  std::optional<Interval> (*bounds)(Node* node) = nullptr;
  bool keeps_dtype = true;  ///< of integer tensors, too: else they become float
};

/// Every kind that FuseKit knows. A new one is one line in activation.cpp.
const std::vector<ActivationKind>& activation_kinds();

/// The kind of that operator ("aten::relu"). Throws std::out_of_range where there is none.
const ActivationKind& activation_kind(const std::string& op);

/// An activation at one place of a graph, in its in-place form or the other.
struct Activation {
  Node* node = nullptr;
  Value* input = nullptr;
  const ActivationKind* kind = nullptr;
};

std::optional<Activation> as_activation(Node* node);

/// The interval that the activation `node` clamps its input to. nullopt: `node` does something else, or its bounds are
/// computed at run time.
std::optional<Interval> clamped_to(Node* node);

/// The interval outside of which the activation `node` can't tell inputs apart; all numbers for other nodes.
Interval sensitive_interval(Node* node);

}  // namespace fusekit::ir
