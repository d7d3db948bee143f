#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "fusekit/bench.h"

namespace fusekit::bench {

/// The processes of one round: one for each distinct runtime and environment; each variant knows its own. Those whose turn
/// it is not rest.
class Team {
 public:
  Team(const std::vector<Variant>& variants, Launcher& launcher);

  LoadFigures load(std::size_t index, std::size_t padding);
  Times run(const Slot& slot) { return wake(process_of_[slot.variant]).run(slot); }
  Usage usage_of(std::size_t index) { return wake(process_of_[index]).usage(); }
  Usage usage();  ///< summed over the processes

  /// Whether nothing was loaded before `index` in its process.
  [[nodiscard]] bool is_first_in_its_process(std::size_t index) const {
    return first_loaded_[process_of_[index]] == index;
  }

 private:
  Process& wake(std::size_t process);

  const std::vector<Variant>& variants_;
  std::vector<std::size_t> process_of_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::optional<std::size_t>> first_loaded_;  ///< one a process
  std::size_t awake_ = 0;                                 ///< a process
};

}  // namespace fusekit::bench
