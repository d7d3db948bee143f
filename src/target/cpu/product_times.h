#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "target/cpu/packed_layer.h"

namespace fusekit::target {

/// A matrix of `rows` rows times a layer's weight.
struct Product {
  std::int64_t rows = 0;
  std::int64_t in = 0;
  std::int64_t out = 0;
  at::ScalarType dtype = at::kFloat;
  bool has_bias = true;
  bool is_activated = false;  ///< an activation reads it, which some operators do at once
};

/// What products of float32 take on this machine, with LibTorch's threads as they are: measured, and kept in a file that
/// says for which CPU, LibTorch and number of threads each time holds.
class ProductTimes {
 public:
  /// With the times that `file` has for this machine; none where there is no such file. Error{file}: it is no file of times.
  explicit ProductTimes(std::filesystem::path file);

  /// Measures those that have no times yet, in turns, so that each finds the caches as its forerunners leave them, as in a
  /// network: a call that is repeated at once takes up to half as long.
  void measure(const std::vector<Product>& products);

  /// One of Packing's last three; nullopt where the product was not measured.
  [[nodiscard]] std::optional<Packing> fastest(const Product& product) const;

  /// Writes the file, with the times of other machines as they were. Error{file}.
  void save() const;

 private:
  using Times = std::map<std::string, double>;  ///< µs by the packing's name

  std::filesystem::path file_;
  std::string others_;                  ///< JSON: what the file has for other machines
  std::map<std::string, Times> times_;  ///< by the product, in words
};

}  // namespace fusekit::target
