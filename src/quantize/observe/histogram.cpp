#include "quantize/observe/histogram.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>

namespace fusekit::quantize {
namespace {

constexpr int kBins = Histogram::kBins;
constexpr int kFiner = 16;   // PyTorch's upsample_rate
constexpr int kBlock = 512;  // elements whose bins are computed at once: a loop that the compiler vectorises
constexpr int kTables = 4;   // neighbours often fall into one bin (zeros of a ReLU): separate tables don't wait on it
constexpr int kGrain = 65536;

struct Edges {
  float left;
  float right;
};

/// histc's edges: never of width zero.
Edges edges_of(Range range) {
  if (range.min < range.max) return {static_cast<float>(range.min), static_cast<float>(range.max)};
  return {static_cast<float>(range.min - 1), static_cast<float>(range.max + 1)};
}

/// The bin of each of `size` (at most kBlock) values: (x - left) * bins / (right - left), the last edge inclusive.
void bins_of(const float* values, int size, Edges edges, std::array<std::int32_t, kBlock>& bins) {
  const float width = edges.right - edges.left;
  constexpr float last = kBins - 1;
  const auto bin = [&](float value) {
    const float position = (value - edges.left) * static_cast<float>(kBins) / width;
    return static_cast<std::int32_t>(position < last ? position : last);
  };
  if (size == kBlock) {
    for (int i = 0; i < kBlock; ++i) bins[i] = bin(values[i]);
  } else {
    for (int i = 0; i < size; ++i) bins[i] = bin(values[i]);
  }
}

using Table = std::array<std::uint32_t, kBins>;

/// Adds the counts of fewer than 2^32 values to `totals`.
void count(const float* values, std::int64_t size, Edges edges, std::vector<std::int64_t>& totals) {
  std::array<Table, kTables> tables{};
  std::array<std::int32_t, kBlock> bins;
  for (std::int64_t begin = 0; begin < size; begin += kBlock) {
    const int here = static_cast<int>(std::min<std::int64_t>(kBlock, size - begin));
    bins_of(values + begin, here, edges, bins);
    int i = 0;
    for (; i + kTables <= here; i += kTables) {
      ++tables[0][bins[i]];
      ++tables[1][bins[i + 1]];
      ++tables[2][bins[i + 2]];
      ++tables[3][bins[i + 3]];
    }
    for (; i < here; ++i) ++tables[0][bins[i]];
  }
  for (const Table& table : tables) {
    for (int bin = 0; bin < kBins; ++bin) totals[bin] += table[bin];
  }
}

/// torch.linspace(low, high, steps)[i], rounded once, as in LibTorch 2.13 (which multiplies and adds fused).
float point_of(float low, float high, int steps, int i) {
  const double step = (high - low) / static_cast<float>(steps - 1);
  return static_cast<float>(i < steps / 2 ? low + step * i : high - step * (steps - 1 - i));
}

/// `counts` over `old_range` told in the bins of `range`, which holds it: each bin is cut into kFiner equal parts, and a
/// part goes where its middle lies.
std::vector<float> spread(const std::vector<float>& counts, Range old_range, Range range) {
  const auto old_low = static_cast<float>(old_range.min);
  const auto old_high = static_cast<float>(old_range.max);
  const auto low = static_cast<float>(range.min);
  const auto high = static_cast<float>(range.max);
  constexpr int parts = kBins * kFiner;
  const float half_part = 0.5F * ((old_high - old_low) / static_cast<float>(parts));

  std::vector<float> boundaries(kBins + 1);
  for (int i = 0; i <= kBins; ++i) boundaries[i] = point_of(low, high, kBins + 1, i);

  std::vector<float> result(kBins);
  int bin = -1;  // the last boundary at or below the middle; the middles ascend, but for a last bit
  for (int part = 0; part < parts; ++part) {
    const float middle = point_of(old_low, old_high, parts + 1, part) + half_part;
    while (bin < kBins && boundaries[bin + 1] <= middle) ++bin;
    while (bin >= 0 && boundaries[bin] > middle) --bin;
    result[std::clamp(bin, 0, kBins - 1)] += counts[part / kFiner] / static_cast<float>(kFiner);
  }
  return result;
}

/// All of `counts`, which were of one value, in the bin of that value.
std::vector<float> gather(const std::vector<float>& counts, float value, Range range) {
  float total = 0;
  for (const float count : counts) total += count;  // exact: all but one are zero
  std::vector<float> result = count_into_bins(at::full({1}, value, at::kFloat), range);
  for (float& count : result) count *= total;
  return result;
}

}  // namespace

std::vector<float> count_into_bins(const at::Tensor& x, Range range) {
  const float* values = x.data_ptr<float>();
  const Edges edges = edges_of(range);
  std::vector<std::int64_t> totals(kBins);
  std::mutex mutex;
  at::parallel_for(0, x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> own(kBins);
    constexpr std::int64_t piece = std::int64_t{1} << 30;
    for (; begin < end; begin += piece) count(values + begin, std::min(piece, end - begin), edges, own);
    const std::lock_guard lock(mutex);
    for (int bin = 0; bin < kBins; ++bin) totals[bin] += own[bin];
  });
  return {totals.begin(), totals.end()};
}

void Histogram::add(const at::Tensor& x, Range range) {
  if (empty()) {
    counts_ = count_into_bins(x, range);
    range_ = range;
    return;
  }
  const Range grown{std::min(range_.min, range.min), std::max(range_.max, range.max)};
  std::vector<float> counts = count_into_bins(x, grown);
  const std::vector<float> before = grown == range_            ? std::move(counts_)
                                    : range_.min == range_.max ? gather(counts_, static_cast<float>(range_.min), grown)
                                                               : spread(counts_, range_, grown);
  for (int bin = 0; bin < kBins; ++bin) counts[bin] += before[bin];
  counts_ = std::move(counts);
  range_ = grown;
}

}  // namespace fusekit::quantize
