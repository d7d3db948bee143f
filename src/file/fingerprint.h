#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace fusekit::file {

/// Changes whenever something writes into the tensor: also by operators that do not count their writes, as BatchNorm does
/// not when it updates its running statistics. Two reads of a tensor that nothing wrote to are equal.
/// Trained parameters (requires_grad) go by LibTorch's count of writes alone: only they are large, and every operator that
/// takes one counts.
struct Fingerprint {
  std::uint32_t version = 0;
  std::uint64_t hash = 0;

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

Fingerprint fingerprint(const at::Tensor& tensor);

}  // namespace fusekit::file
