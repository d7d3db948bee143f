#pragma once

#include <map>
#include <vector>

#include "fusekit/quantize.h"
#include "quantize/lower/build.h"
#include "quantize/observe/samples.h"

namespace fusekit::quantize {

/// Energies of one layer's output and of its error, over all samples.
struct LayerError {
  double signal = 0;
  double noise = 0;
  double outside = 0;  ///< values outside of the levels' range
  double count = 0;

  [[nodiscard]] double sqnr_db() const;
};

/// How far an int8 network is from the float one.
struct Score {
  OutputError whole;       ///< sqnr_db and cosine over all samples, max_abs and max_rel the worst, top1 the mean
  double worst_sqnr_db;    ///< of one sample
  double worst_alone = 0;  ///< share of one sample's detections that have no counterpart
  bool has_signal = true;  ///< does the float network put out anything but zeros?
  std::map<int, LayerError> layers;  ///< by the number of the layer's output
};

/// Compares int8 networks with one float network on the same samples, whose outputs are kept.
class Judge {
 public:
  /// Runs the float network. `samples`: few enough that they and their outputs fit into memory.
  Judge(const Observed& observed, std::vector<Sample> samples);

  /// Runs the int8 network on the first `limit` samples (0: all).
  [[nodiscard]] Score score(const Built& built, std::size_t limit = 0) const;
  /// The same, with the error of each step's output.
  [[nodiscard]] Score score_layers(Built built) const;
  /// The least SQNR of the outputs, and of what the network writes into its attributes, where each sample is run `runs`
  /// times: a network with state gives others each time.
  [[nodiscard]] double least_sqnr(const Built& built, const std::vector<Sample>& samples, int runs) const;
  /// How many times as long one run of `a` takes as one of `b`, on the first sample: the least times of runs that took
  /// turns. A hint, without an interval.
  [[nodiscard]] double relative_time(const Built& a, const Built& b) const;

  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }

 private:
  const Observed& observed_;
  std::vector<Sample> samples_;
  std::vector<c10::IValue> outputs_;
};

/// What the calibration data is used for beside finding ranges.
struct SampleSplit {
  std::vector<Sample> learned;  ///< weights are fitted to these
  std::vector<Sample> judged;   ///< the network's error is measured on these, at most 64
  bool same = false;            ///< they are the same ones
};

/// How many samples split_samples wants, from all over the data.
std::size_t most_to_split(bool learned);

/// Where weights are fitted (`learned`) and there are 8 samples or more, none is in both parts: what a network was fitted to
/// says little about how it does on other data.
SampleSplit split_samples(std::vector<Sample> samples, bool learned);

}  // namespace fusekit::quantize
