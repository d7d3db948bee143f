#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// a + alpha b, a - alpha b, a * b or a / b, element by element; b is a tensor or a number. In place or not.
struct Arithmetic {
  enum class Kind { add, subtract, multiply, divide };

  Node* node = nullptr;
  Kind kind = Kind::add;
  Value* a = nullptr;
  Value* b = nullptr;

  [[nodiscard]] bool of_tensors() const;
};

std::optional<Arithmetic> as_arithmetic(Node* node);

/// Is `node` a + b of two tensors, with alpha 1?
bool is_plain_sum(Node* node);

/// aten::cat of a list that is built where it stands.
struct Concat {
  Node* node = nullptr;
  Node* list = nullptr;             ///< prim::ListConstruct
  std::optional<std::int64_t> dim;  ///< nullopt: computed at run time

  [[nodiscard]] std::vector<Value*> parts() const;
};

std::optional<Concat> as_concat(Node* node);

}  // namespace fusekit::ir
