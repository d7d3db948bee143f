#include "bench/team.h"

#include <algorithm>

namespace fusekit::bench {
namespace {

bool same(const RuntimeOptions& a, const RuntimeOptions& b) { return a.threads == b.threads && a.engine == b.engine; }

}  // namespace

Team::Team(const std::vector<Variant>& variants, Launcher& launcher) : variants_(variants) {
  std::vector<const RuntimeOptions*> runtimes;
  for (const Variant& variant : variants) {
    const auto found = std::find_if(runtimes.begin(), runtimes.end(),
                                    [&](const RuntimeOptions* known) { return same(*known, variant.runtime); });
    process_of_.push_back(static_cast<std::size_t>(found - runtimes.begin()));
    if (found == runtimes.end()) runtimes.push_back(&variant.runtime);
  }
  for (const RuntimeOptions* runtime : runtimes) processes_.push_back(launcher.start(*runtime));
  first_loaded_.resize(processes_.size());
}

LoadFigures Team::load(std::size_t index, std::size_t padding) {
  std::optional<std::size_t>& first = first_loaded_[process_of_[index]];
  if (!first) first = index;
  return processes_[process_of_[index]]->load(index, variants_[index], padding);
}

Usage Team::usage() {
  Usage sum;
  for (const auto& process : processes_) sum += process->usage();
  return sum;
}

}  // namespace fusekit::bench
