#pragma once

#include <ATen/ATen.h>

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "fusekit/quantize_names.h"
#include "quantize/observe/qparams.h"

namespace fusekit::quantize {

/// What an observer refuses to learn from: NaN or an infinity. The caller knows the layer and the sample and says so.
class NotFinite : public std::exception {
 public:
  explicit NotFinite(bool nan) : nan_(nan) {}
  [[nodiscard]] bool is_nan() const noexcept { return nan_; }
  /// "NaN" or "an infinity".
  [[nodiscard]] const char* what() const noexcept override { return nan_ ? "NaN" : "an infinity"; }

 private:
  bool nan_;
};

/// Learns the range of one activation, sample after sample. Its memory does not grow with them.
class Observer {
 public:
  virtual ~Observer() = default;
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// One more sample: a dense floating-point tensor of any shape and strides; without elements it changes nothing.
  /// Throws NotFinite, and has then learned nothing from it.
  void observe(const at::Tensor& x);

  /// True until something was observed.
  [[nodiscard]] bool empty() const { return empty_; }

  /// The smallest and largest value that was observed, of all samples. Throws Error where it is empty.
  [[nodiscard]] Range range() const;

  /// What is to be kept of that range, for these levels. Throws Error where it is empty.
  [[nodiscard]] Range chosen_range(Levels levels) const;

  /// affine_qparams of the chosen range. Throws Error where it is empty: PyTorch's scale 1 would be silently wrong.
  [[nodiscard]] QParams qparams(Levels levels) const { return affine_qparams(chosen_range(levels), levels); }

 protected:
  /// `x` is contiguous, one-dimensional, float32, has elements, all finite, from `range.min` to `range.max`.
  virtual void learn(const at::Tensor& x, Range range) = 0;
  [[nodiscard]] virtual Range choose(Levels levels) const = 0;

 private:
  bool empty_ = true;
  Range seen_;
};

struct ObserverOptions {
  double averaging = 0.01;    ///< moving_average: the weight of a new sample, in (0, 1]
  double percentile = 99.99;  ///< percentile: the share that is kept, in (0, 100]
};

/// Throws Error (usage) where an option is out of its range.
std::unique_ptr<Observer> make_observer(ObserverKind kind, const ObserverOptions& options = {});

}  // namespace fusekit::quantize
