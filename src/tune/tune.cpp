#include "fusekit/tune.h"

#include <fmt/format.h>

#include <fstream>
#include <utility>

#include "file/output.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/interrupted.h"
#include "tune/candidate_files.h"

namespace fusekit {
namespace tuning {
namespace {

namespace fs = std::filesystem;

class Tuner {
 public:
  Tuner(const fs::path& input, const fs::path& output, const TuneOptions& options)
      : input_(input), output_(output), options_(options) {}

  TuneReport run(bench::Launcher& launcher, bench::Clock& clock) {
    TuneOptions making = options_;
    making.progress = [this](double share, const std::string& what) { tell(0.5 * share, what); };
    CandidateFiles candidates(input_, output_, making);
    inputs_ = candidates.inputs();
    report_.inputs = inputs_.text;
    for (auto& [candidate, file] : candidates.make()) {
      report_.candidates.push_back(std::move(candidate));
      files_.push_back(std::move(file));
    }
    measure(launcher, clock);
    choose();
    publish();
    return std::move(report_);
  }

 private:
  void tell(double share, const std::string& what) const {
    if (options_.progress) options_.progress(share, what);
  }

  void measure(bench::Launcher& launcher, bench::Clock& clock) {
    std::vector<bench::Variant> variants;
    const std::string plain_engine = plain_load_runs_int8() ? plain_load_engine() : "auto";
    for (std::size_t i = 0; i < report_.candidates.size(); ++i) {
      Candidate& candidate = report_.candidates[i];
      if (!candidate.refused.empty()) continue;
      bench::Variant variant;
      variant.label = candidate.name;
      variant.model = files_[i];
      variant.arguments.inputs = inputs_.options;
      variant.inputs = inputs_.text;
      variant.runtime.threads = options_.threads;
      variant.runtime.engine = candidate.engine.empty() ? plain_engine : candidate.engine;
      variant.graph_fuser = candidate.graph_fuser;
      variant.environment = candidate.environment;
      candidate.outcome = variants.size();
      variants.push_back(variant);
    }
    report_.measured = bench::measure(variants, options_.bench, launcher, clock,
                                      [this](double share, const std::string& what) { tell(0.5 + 0.5 * share, what); });
    if (report_.measured.interrupted) throw Interrupted();
  }

  void choose() {
    std::size_t winner = 0;
    std::size_t fastest = 0;
    const bench::Ratio* best = nullptr;
    const bench::Ratio* best_of_all = nullptr;
    for (std::size_t i = 0; i < report_.candidates.size(); ++i) {
      const bench::Ratio* ratio = report_.ratio_of(report_.candidates[i]);
      if (ratio == nullptr) continue;
      const auto beats = [ratio](const bench::Ratio* other) {
        return other == nullptr || ratio->interval.low > other->interval.high;
      };
      if (beats(best_of_all)) best_of_all = ratio, fastest = i;
      if (report_.candidates[i].needs_no_switch() && beats(best)) best = ratio, winner = i;
    }
    if (winner == 0)
      throw Error(ErrorKind::model, fmt::format("no candidate for {} could be written", input_.string()),
                  report_.candidates.size() > 1 ? report_.candidates[1].refused : "");
    report_.winner = winner;
    report_.fastest = fastest;
  }

  /// The winner's bytes under the output's name.
  void publish() const {
    WriteOptions write_options;
    write_options.force = options_.force;
    file::AtomicFile file = file::begin_output(output_, input_, write_options);
    std::ifstream winner(files_[report_.winner], std::ios::binary);
    std::vector<char> buffer(1 << 20);
    while (winner.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || winner.gcount() > 0)
      file.append(buffer.data(), static_cast<std::size_t>(winner.gcount()));
    if (winner.bad() || !winner.eof())
      throw Error(ErrorKind::file, fmt::format("{} can't be read", files_[report_.winner].string()));
    file.finish();
    file.publish(options_.force);
  }

  fs::path input_;
  fs::path output_;
  const TuneOptions& options_;
  InputSummary inputs_;
  std::vector<fs::path> files_;  ///< of the candidates
  TuneReport report_;
};

}  // namespace
}  // namespace tuning

bool Candidate::needs_no_switch() const { return engine.empty() && !graph_fuser && environment.empty(); }

const bench::Ratio* TuneReport::ratio_of(const Candidate& candidate) const {
  for (const bench::Ratio& ratio : measured.ratios)
    if (candidate.outcome == ratio.variant && ratio.variant != ratio.against) return &ratio;
  return nullptr;
}

TuneReport tune(const std::filesystem::path& input, const std::filesystem::path& output, const TuneOptions& options,
                bench::Launcher& launcher, bench::Clock& clock) {
  WriteOptions write_options;
  write_options.force = options.force;
  check_output(output, input, write_options);
  return tuning::Tuner(input, output, options).run(launcher, clock);
}

}  // namespace fusekit
