#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fusekit::test {

inline constexpr int kMadeUpSamples = 4;
inline constexpr int kMadeUpSize = 5000;

/// Numbers from -1 to 1, a hash of their places: `even` of torch_observers.py, bit for bit.
inline at::Tensor even(int sample, int size = kMadeUpSize) {
  at::Tensor result = at::empty({size}, at::kFloat);
  for (int i = 0; i < size; ++i) {
    auto h = static_cast<std::uint32_t>(static_cast<std::uint64_t>(sample) * size + i) * 2654435761U;
    h = (h ^ (h >> 15U)) * 2246822519U;
    h ^= h >> 13U;
    result.data_ptr<float>()[i] = static_cast<float>(h >> 8U) * 0x1p-23F - 1;
  }
  return result;
}

/// Many small numbers, few large ones, from -8 to 8.
inline at::Tensor heavy(int sample, int size = kMadeUpSize) {
  const at::Tensor u = even(sample, size);
  return u * u * u * 8;
}

struct MadeUpData {
  std::string name;
  std::function<at::Tensor(int sample)> make;

  [[nodiscard]] std::vector<at::Tensor> samples() const {
    std::vector<at::Tensor> all;
    for (int sample = 0; sample < kMadeUpSamples; ++sample) all.push_back(make(sample));
    return all;
  }
};

/// DATA of torch_observers.py.
inline std::vector<MadeUpData> made_up_data() {
  const auto constant = [](float value) { return [value](int) { return at::full({kMadeUpSize}, value, at::kFloat); }; };
  const auto outliers = [](int sample) {
    at::Tensor x = heavy(sample);
    for (int i = 0; i < kMadeUpSize; i += 499) x.data_ptr<float>()[i] *= 16;
    return x;
  };
  return {
      {"even", [](int s) { return even(s); }},
      {"heavy", [](int s) { return heavy(s); }},
      {"relu", [](int s) { return heavy(s).relu(); }},
      {"relu6", [](int s) { return (heavy(s) * 2).clamp(0, 6); }},
      {"all_positive", [](int s) { return even(s) + 3; }},
      {"all_negative", [](int s) { return even(s) - 3; }},
      {"constant", constant(2.5F)},
      {"zeros", constant(0)},
      {"minus_zeros", constant(-0.0F)},
      {"constant_at_first", [=](int s) { return s == 0 ? constant(0.5F)(s) : heavy(s); }},
      {"tiny", [](int s) { return heavy(s) * std::ldexp(1.0F, -30); }},
      {"large", [](int s) { return heavy(s) * std::ldexp(1.0F, 60); }},
      {"growing", [](int s) { return heavy(s) * (s + 1); }},
      {"shrinking", [](int s) { return heavy(s) * std::ldexp(1.0F, -s); }},
      {"outliers", outliers},
  };
}

}  // namespace fusekit::test
