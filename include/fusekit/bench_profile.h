#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Where the time of a run goes, and how much of it the machine could do without (the roofline model: Williams, Waterman
/// and Patterson 2009, "Roofline: an insightful visual performance model for multicore architectures").
namespace fusekit::bench {

/// What an operator's time can't fall below: that of its arithmetic, of its memory traffic, or of its call.
enum class Bound { compute, memory, call };

/// The time of one operator in one module, and its work. All figures are per forward.
struct LayerTime {
  /// Path of the module whose weights the operator reads, "layer1.0.conv1". Without weights: the module whose code calls
  /// it, where the file still tells; else that of the operator before it ("" before the first operator with weights).
  std::string scope;
  std::string op;  ///< "aten::conv2d"
  double us = 0;   ///< including the operators that it calls
  double calls = 0;
  double flops = 0;                          ///< operations, of the shapes that it was given; a multiply-add is two
  double bytes = 0;                          ///< what its inputs, weights and outputs hold
  std::string dtype = {};                    ///< that it computes in: "float", "bfloat16", "int8"
  std::optional<double> attainable_us = {};  ///< the roofline: below this no call can take; none where it is not known
  Bound bound = Bound::memory;               ///< of most of attainable_us

  /// The time above the roofline; all of it where the roofline is not known.
  [[nodiscard]] double gain_us() const;
};

/// What the machine was measured to reach, in the process of the profile, on its threads.
struct MachineSpeed {
  struct Bandwidth {
    double bytes = 0;  ///< of the data that is read or written again and again
    double bytes_per_second = 0;
  };
  int threads = 0;
  std::map<std::string, double> flops_per_second = {};  ///< by dtype: a large product of matrices
  std::vector<Bandwidth> bandwidth = {};                ///< the larger the data, the further away the cache
  double call_us = 0;                                   ///< of an operator on one number
  double fault_us = 0;                                  ///< of a page fault: memory that is used for the first time
};

/// A variant's time by layer.
struct Profile {
  std::string label;
  double forward_us = 0;               ///< of a typical observed forward: the sum of its parts
  std::vector<LayerTime> layers = {};  ///< in the order of execution
  double plain_us = 0;                 ///< time of an unobserved forward; 0: not measured
  double page_faults = 0;              ///< minor ones, per unobserved forward
  MachineSpeed machine = {};

  /// What observing added, and what neither it nor the operators took: the interpreter, moving data between operators.
  /// forward_us is the sum of these and of the layers.
  [[nodiscard]] double observer_us() const;
  [[nodiscard]] double between_us() const;
};

/// The rows summed by operator (`scope` is "") or by scope (`op` is ""), the slowest first.
std::vector<LayerTime> sum_by_operator(const std::vector<LayerTime>& layers);
std::vector<LayerTime> sum_by_scope(const std::vector<LayerTime>& layers);

/// Sentences on what to look at next, the largest gain first: layers, kinds of operators, the time between operators, page
/// faults. At most `most`; nothing below 3 % of a run.
std::vector<std::string> next_bottlenecks(const Profile& profile, std::size_t most = 4);

}  // namespace fusekit::bench
