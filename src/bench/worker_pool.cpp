#include "bench/worker_pool.h"

#include <algorithm>

namespace fusekit::bench {
namespace {

bool can_share_process(const Variant& a, const Variant& b) {
  return a.runtime.threads == b.runtime.threads && a.runtime.engine == b.runtime.engine &&
         a.environment == b.environment && a.graph_fuser == b.graph_fuser;
}

}  // namespace

WorkerPool::WorkerPool(const std::vector<Variant>& variants, Launcher& launcher) : variants_(variants) {
  std::vector<const Variant*> settings;
  for (const Variant& variant : variants) {
    const auto found = std::find_if(settings.begin(), settings.end(),
                                    [&](const Variant* known) { return can_share_process(*known, variant); });
    process_of_.push_back(static_cast<std::size_t>(found - settings.begin()));
    if (found == settings.end()) settings.push_back(&variant);
  }
  for (const Variant* setting : settings) processes_.push_back(launcher.start(setting->runtime, setting->environment));
  first_loaded_.resize(processes_.size());
}

LoadFigures WorkerPool::load(std::size_t index, std::size_t padding) {
  std::optional<std::size_t>& first = first_loaded_[process_of_[index]];
  if (!first) first = index;
  return activate(process_of_[index]).load(index, variants_[index], padding);
}

Usage WorkerPool::usage() {
  Usage sum;
  for (std::size_t process = 0; process < processes_.size(); ++process) sum += activate(process).usage();
  return sum;
}

Process& WorkerPool::activate(std::size_t process) {
  if (process != active_) processes_[active_]->suspend();
  active_ = process;
  return *processes_[process];
}

}  // namespace fusekit::bench
