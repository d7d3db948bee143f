#include "bench/team.h"

#include <algorithm>

namespace fusekit::bench {
namespace {

bool share_a_process(const Variant& a, const Variant& b) {
  return a.runtime.threads == b.runtime.threads && a.runtime.engine == b.runtime.engine &&
         a.environment == b.environment;
}

}  // namespace

Team::Team(const std::vector<Variant>& variants, Launcher& launcher) : variants_(variants) {
  std::vector<const Variant*> settings;
  for (const Variant& variant : variants) {
    const auto found = std::find_if(settings.begin(), settings.end(),
                                    [&](const Variant* known) { return share_a_process(*known, variant); });
    process_of_.push_back(static_cast<std::size_t>(found - settings.begin()));
    if (found == settings.end()) settings.push_back(&variant);
  }
  for (const Variant* setting : settings) processes_.push_back(launcher.start(setting->runtime, setting->environment));
  first_loaded_.resize(processes_.size());
}

LoadFigures Team::load(std::size_t index, std::size_t padding) {
  std::optional<std::size_t>& first = first_loaded_[process_of_[index]];
  if (!first) first = index;
  return wake(process_of_[index]).load(index, variants_[index], padding);
}

Usage Team::usage() {
  Usage sum;
  for (std::size_t process = 0; process < processes_.size(); ++process) sum += wake(process).usage();
  return sum;
}

Process& Team::wake(std::size_t process) {
  if (process != awake_) processes_[awake_]->rest();
  awake_ = process;
  return *processes_[process];
}

}  // namespace fusekit::bench
