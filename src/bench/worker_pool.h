#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "fusekit/bench.h"

namespace fusekit::bench {

/// The worker processes of one round: one for each distinct runtime and environment, with and
/// without the oneDNN Graph fuser. It sends each variant's requests to
/// the right process. Only one process is active at a time; the others are suspended.
class WorkerPool {
 public:
  WorkerPool(const std::vector<Variant>& variants, Launcher& launcher);

  LoadFigures load(std::size_t index, std::size_t padding);
  Times run(const Slot& slot) { return activate(process_of_[slot.variant]).run(slot); }
  Usage usage_of(std::size_t index) { return activate(process_of_[index]).usage(); }
  Usage usage();  ///< summed over the processes

  /// Whether `index` was the first variant that its process loaded.
  [[nodiscard]] bool is_first_in_its_process(std::size_t index) const {
    return first_loaded_[process_of_[index]] == index;
  }

 private:
  /// Suspends the process that was active before.
  Process& activate(std::size_t process);

  const std::vector<Variant>& variants_;
  std::vector<std::size_t> process_of_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::optional<std::size_t>> first_loaded_;  ///< one per process
  std::size_t active_ = 0;                                ///< index of a process
};

}  // namespace fusekit::bench
