#pragma once

#include <cstdint>
#include <string>

#include "fusekit/bench_profile.h"

namespace fusekit::bench {

/// What one call of an operator computes and moves.
struct OperatorWork {
  double flops = 0;         ///< operations; a multiply-add is two
  double weight_bytes = 0;  ///< of tensors that belong to a module: read once in a run
  double data_bytes = 0;    ///< of all other inputs, and of outputs
  std::string dtype = {};   ///< that it computes in; empty: no tensor

  [[nodiscard]] double bytes() const { return weight_bytes + data_bytes; }
};

struct Attainable {
  double us = 0;
  Bound bound = Bound::memory;
};

/// Bytes per second for data of this size: of the largest measured size that is not larger.
double bandwidth_for(const MachineSpeed& machine, double bytes);

/// max(flops / peak, bytes / bandwidth). Data comes from as near as its own size allows: the operator before has just
/// written it. Weights come from as far as all weights of the run (`all_weights`, bytes) drive them. nullopt: nothing was
/// measured for this dtype.
std::optional<Attainable> attainable(const OperatorWork& work, double all_weights, const MachineSpeed& machine);

}  // namespace fusekit::bench
