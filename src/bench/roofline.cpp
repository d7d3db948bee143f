#include "bench/roofline.h"

#include <algorithm>

namespace fusekit::bench {
namespace {

std::vector<LayerTime> sum_by(const std::vector<LayerTime>& layers, std::string LayerTime::*kept) {
  std::vector<LayerTime> sums;
  std::map<std::string, std::size_t> places;
  for (const LayerTime& layer : layers) {
    const auto [place, is_new] = places.try_emplace(layer.*kept, sums.size());
    if (is_new) {
      sums.emplace_back().*kept = layer.*kept;
      sums.back().dtype = layer.dtype;
      sums.back().attainable_us = 0;
    }
    LayerTime& sum = sums[place->second];
    // What bounds most of the time that can't be won, of the part that is known.
    if (layer.attainable_us.value_or(0) > sum.attainable_us.value_or(0) / 2) sum.bound = layer.bound;
    sum.us += layer.us;
    sum.calls += layer.calls;
    sum.flops += layer.flops;
    sum.bytes += layer.bytes;
    if (sum.dtype != layer.dtype) sum.dtype = "";
    if (layer.attainable_us && sum.attainable_us) {
      *sum.attainable_us += *layer.attainable_us;
    } else {
      sum.attainable_us.reset();
    }
  }
  std::stable_sort(sums.begin(), sums.end(), [](const auto& a, const auto& b) { return a.us > b.us; });
  return sums;
}

double sum_of_layers(const Profile& profile) {
  double sum = 0;
  for (const LayerTime& layer : profile.layers) sum += layer.us;
  return sum;
}

}  // namespace

double LayerTime::gain_us() const { return std::max(0.0, us - attainable_us.value_or(0)); }

double Profile::observer_us() const {
  const double outside = std::max(0.0, forward_us - sum_of_layers(*this));
  return plain_us > 0 ? std::clamp(forward_us - plain_us, 0.0, outside) : 0;
}

double Profile::between_us() const { return std::max(0.0, forward_us - sum_of_layers(*this) - observer_us()); }

std::vector<LayerTime> sum_by_operator(const std::vector<LayerTime>& layers) { return sum_by(layers, &LayerTime::op); }

std::vector<LayerTime> sum_by_scope(const std::vector<LayerTime>& layers) { return sum_by(layers, &LayerTime::scope); }

double bandwidth_for(const MachineSpeed& machine, double bytes) {
  double bandwidth = machine.bandwidth.empty() ? 0 : machine.bandwidth.front().bytes_per_second;
  for (const MachineSpeed::Bandwidth& measured : machine.bandwidth)
    if (measured.bytes <= bytes) bandwidth = measured.bytes_per_second;
  return bandwidth;
}

std::optional<Attainable> attainable(const OperatorWork& work, double all_weights, const MachineSpeed& machine) {
  const bool computes = work.flops > 0 && !work.dtype.empty();
  const auto peak = machine.flops_per_second.find(work.dtype);
  if (machine.bandwidth.empty() || (computes && peak == machine.flops_per_second.end())) return std::nullopt;
  const double compute = computes ? 1e6 * work.flops / peak->second : 0;
  double memory = 0;
  if (work.weight_bytes > 0)
    memory += 1e6 * work.weight_bytes / bandwidth_for(machine, std::max(all_weights, work.weight_bytes));
  if (work.data_bytes > 0) memory += 1e6 * work.data_bytes / bandwidth_for(machine, work.data_bytes);
  const double us = std::max(compute, memory);
  if (us < machine.call_us) return Attainable{us, Bound::call};
  return Attainable{us, compute > memory ? Bound::compute : Bound::memory};
}

}  // namespace fusekit::bench
