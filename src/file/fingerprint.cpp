#include "file/fingerprint.h"

#include <bit>
#include <cstring>

namespace fusekit::file {
namespace {

std::uint64_t hash_of_bytes(const char* bytes, std::size_t size) {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;
  std::uint64_t hash = size;
  const auto mix = [&](std::uint64_t word) { hash = std::rotl((hash ^ word) * odd, 29); };
  std::uint64_t word = 0;
  std::size_t at = 0;
  for (; at + sizeof(word) <= size; at += sizeof(word)) {
    std::memcpy(&word, bytes + at, sizeof(word));
    mix(word);
  }
  word = 0;
  if (at < size) std::memcpy(&word, bytes + at, size - at);
  mix(word);
  return hash;
}

}  // namespace

Fingerprint fingerprint(const at::Tensor& tensor) {
  Fingerprint found;
  if (!tensor.defined()) return found;
  if (!tensor.is_inference()) found.version = static_cast<std::uint32_t>(tensor._version());
  if (tensor.requires_grad() || tensor.layout() != at::kStrided || !tensor.device().is_cpu()) return found;
  const at::NoGradGuard no_grad;
  const at::Tensor dense = tensor.resolve_conj().resolve_neg().contiguous();
  found.hash = hash_of_bytes(static_cast<const char*>(dense.data_ptr()), dense.nbytes());
  return found;
}

}  // namespace fusekit::file
