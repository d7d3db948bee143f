#include "quantize/score.h"

#include <array>
#include <chrono>
#include <cmath>
#include <limits>

#include "fusekit/error.h"
#include "verify/compare.h"
#include "verify/detections.h"
#include "verify/metrics.h"
#include "verify/state.h"

namespace fusekit::quantize {
namespace {

constexpr std::size_t kMostJudged = 64;
constexpr std::size_t kLeastToSplit = 8;

double energy(const at::Tensor& tensor) { return tensor.to(at::kDouble).square().sum().item<double>(); }

/// Energies over all floating-point tensors of two outputs of one structure.
struct Energies {
  double signal = 0;
  double noise = 0;
  double dot = 0;
  double other = 0;

  void add(const c10::IValue& a, const c10::IValue& b) {
    std::vector<at::Tensor> as;
    std::vector<at::Tensor> bs;
    a.visit([&](const c10::IValue& value) { return collect(value, as); });
    b.visit([&](const c10::IValue& value) { return collect(value, bs); });
    for (std::size_t i = 0; i < std::min(as.size(), bs.size()); ++i) {
      if (as[i].sizes() != bs[i].sizes()) continue;
      const at::Tensor x = as[i].to(at::kDouble);
      const at::Tensor y = bs[i].to(at::kDouble);
      signal += energy(x);
      other += energy(y);
      noise += energy(x - y);
      dot += (x * y).sum().item<double>();
    }
  }

 private:
  static bool collect(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
    if (value.isTensor() && value.toTensor().is_floating_point()) tensors.push_back(value.toTensor());
    return false;
  }
};

}  // namespace

double LayerError::sqnr_db() const { return gate::sqnr_db(signal, noise); }

Judge::Judge(const Observed& observed, std::vector<Sample> samples)
    : observed_(observed), samples_(std::move(samples)) {
  Network network(ir::copy_of(*observed.program));
  for (const Sample& sample : samples_) outputs_.push_back(network.run(sample.inputs).deepcopy());
}

Score Judge::score(const Built& built, std::size_t limit) const {
  Network network(ir::copy_of(built.program));
  const std::size_t count = limit == 0 ? samples_.size() : std::min(limit, samples_.size());
  Score score;
  score.worst_sqnr_db = std::numeric_limits<double>::infinity();
  Energies all;
  double top1 = 0;
  bool has_top1 = true;
  for (std::size_t k = 0; k < count; ++k) {
    const gate::AlignedOutputs outputs = gate::align_detections(outputs_[k], network.run(samples_[k].inputs));
    const gate::Comparison comparison = gate::compare(outputs.a, outputs.b);
    if (!comparison.failure.empty())
      throw Error(ErrorKind::model, fmt::format("{}: the int8 network can't stand for the float one: {}",
                                                samples_[k].name, comparison.failure));
    score.whole = k == 0 ? comparison.error : gate::worse(score.whole, comparison.error);
    score.worst_sqnr_db = std::min(score.worst_sqnr_db, comparison.error.sqnr_db);
    score.worst_alone = std::max(score.worst_alone, outputs.share_alone());
    has_top1 = has_top1 && comparison.error.top1.has_value();
    top1 += comparison.error.top1.value_or(0);
    all.add(outputs.a, outputs.b);
  }
  score.whole.sqnr_db = gate::sqnr_db(all.signal, all.noise);
  score.has_signal = all.signal > 0;
  if (all.signal > 0 && all.other > 0) score.whole.cosine = all.dot / std::sqrt(all.signal * all.other);
  if (has_top1) score.whole.top1 = top1 / static_cast<double>(count);
  return score;
}

Score Judge::score_layers(Built built) const {
  Score score = this->score(built);
  ir::Program floats = ir::copy_of(*observed_.program);
  const Numbering numbers(*floats.methods.front().graph);
  std::vector<Watch> watches;
  for (const Watch& watch : built.watches) watches.push_back({watch.number, numbers.value(watch.number)});
  Network before(std::move(floats), watches);
  Network after(std::move(built.program), built.watches);
  for (const Sample& sample : samples_) {
    std::map<int, at::Tensor> truth;
    before.run(sample.inputs, [&](int number, const at::Tensor& tensor) { truth[number] = tensor; });
    after.run(sample.inputs, [&](int number, const at::Tensor& tensor) {
      const auto found = truth.find(number);
      if (found == truth.end() || found->second.sizes() != tensor.sizes()) return;
      LayerError& error = score.layers[number];
      const QParams qparams = observed_.facts.at(number).qparams;
      const double low = qparams.scale * (kUnsigned8.low - static_cast<double>(qparams.zero_point) - 0.5);
      const double high = qparams.scale * (kUnsigned8.high - static_cast<double>(qparams.zero_point) + 0.5);
      error.signal += energy(found->second);
      error.noise += energy(found->second - tensor);
      error.outside += found->second.lt(low).logical_or_(found->second.gt(high)).sum().item<double>();
      error.count += static_cast<double>(tensor.numel());
    });
  }
  return score;
}

double Judge::least_sqnr(const Built& built, const std::vector<Sample>& samples, int runs) const {
  Network before(ir::copy_of(*observed_.program));
  Network after(ir::copy_of(built.program));
  const gate::State state(before.module());
  double least = std::numeric_limits<double>::infinity();
  for (const Sample& sample : samples)
    for (int run = 0; run < runs; ++run) {
      const c10::IValue truth = before.run(sample.inputs);
      const c10::IValue output = after.run(sample.inputs);
      const gate::AlignedOutputs outputs = gate::align_detections(truth, output);
      for (const gate::Comparison& compared :
           {gate::compare(outputs.a, outputs.b), state.compare_written(after.module())})
        least = std::min(least, compared.error.sqnr_db);
    }
  return least;
}

double Judge::relative_time(const Built& a, const Built& b) const {
  constexpr int turns = 9;
  std::array<Network, 2> networks = {Network(ir::copy_of(a.program)), Network(ir::copy_of(b.program))};
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::array<double, 2> least = {infinity, infinity};
  for (int turn = 0; turn < turns; ++turn) {
    for (std::size_t k = 0; k < networks.size(); ++k) {
      const auto start = std::chrono::steady_clock::now();
      (void)networks.at(k).run(samples_.front().inputs);
      least.at(k) =
          std::min(least.at(k), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  }
  return least[0] / least[1];
}

std::size_t most_to_split(bool learned) { return learned ? 2 * kMostJudged : kMostJudged; }

SampleSplit split_samples(std::vector<Sample> samples, bool learned) {
  const bool apart = learned && samples.size() >= kLeastToSplit;
  const std::size_t every = samples.size() == most_to_split(learned) ? 2 : 4;
  SampleSplit split;
  split.same = learned && !apart;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    const bool judged = !apart || k % every == every - 1;
    if (judged) split.judged.push_back(samples[k]);
    if (learned && (!judged || !apart)) split.learned.push_back(std::move(samples[k]));
  }
  return split;
}

}  // namespace fusekit::quantize
