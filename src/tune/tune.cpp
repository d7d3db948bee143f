#include "fusekit/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <utility>

#include "file/output.h"
#include "file/text_file.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/interrupted.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "ir/model_parts.h"
#include "tune/graph_fuser_error.h"
#include "tune/scratch_folder.h"
#include "verify/metrics.h"
#include "verify/tolerance.h"

namespace fusekit {
namespace tuning {
namespace {

namespace fs = std::filesystem;

/// How a candidate's file is made.
struct Recipe {
  std::string name;
  std::string target = "portable";
  std::string dtype = "float";
  bool int8 = false;
  std::string int8_dialect = "quantized";
  bool times_layers = false;
};

/// From the most exact on: what is no faster beyond doubt than one before it does not win.
std::vector<Recipe> recipes(const TuneOptions& options) {
  std::vector<Recipe> all = {
      {"portable"}, {"cpu", "cpu"}, {.name = "cpu, timed layers", .target = "cpu", .times_layers = true}};
  if (options.max_error || options.min_sqnr_db) {
    all.push_back({"cpu bfloat16", "cpu", "bfloat16"});
    if (options.calibration) {
      all.push_back({"int8", "portable", "float", true});
      all.push_back({"int8 cpu", "cpu", "float", true});
      all.push_back({"int8 cpu onednn", "cpu", "float", true, "onednn"});
    }
  }
  return all;
}

/// Large activations stay in the process's heap: no new pages, and no faults for them, in each run.
std::vector<std::string> kept_heap() {
  return {"MALLOC_MMAP_THRESHOLD_=1073741824", "MALLOC_TRIM_THRESHOLD_=4294967296"};
}

struct Quantized {
  Model model;
  QuantizeReport report;
};

/// The same network once more, sharing its weights.
Model copy_of(const Model& model) {
  const ModelParts& parts = ModelParts::of(model);
  return ModelParts::wrap(
      std::make_unique<ModelParts>(ModelParts{ir::copy_of(parts.program), parts.original, parts.allowance}));
}

class Tuner {
 public:
  Tuner(const fs::path& input, const fs::path& output, const TuneOptions& options)
      : input_(input), output_(output), options_(options), scratch_(output), fused_(read(input, options.read)) {
    fuse(fused_);
    inputs_ = resolve_inputs(fused_, options.inputs);
    report_.inputs = inputs_.text;
  }

  TuneReport run(bench::Launcher& launcher, bench::Clock& clock) {
    report_.candidates.push_back(
        {.name = "original", .engine = "", .refused = "", .error = {}, .bytes = fs::file_size(input_)});
    files_.push_back(input_);
    const std::vector<Recipe> all = recipes(options_);
    for (std::size_t i = 0; i < all.size(); ++i) {
      tell(0.5 * static_cast<double>(i) / static_cast<double>(all.size()), "making " + all[i].name);
      make(all[i]);
    }
    for (const Recipe& recipe : all) add_switches(recipe);
    measure(launcher, clock);
    choose();
    publish();
    return std::move(report_);
  }

 private:
  void tell(double share, const std::string& what) const {
    if (options_.progress) options_.progress(share, what);
  }

  void make(const Recipe& recipe) {
    const auto start = std::chrono::steady_clock::now();
    Candidate candidate;
    candidate.name = recipe.name;
    candidate.target = recipe.target;
    candidate.dtype = recipe.dtype;
    candidate.int8 = recipe.int8;
    candidate.int8_dialect = recipe.int8_dialect;
    candidate.times_layers = recipe.times_layers;
    const fs::path file = scratch_.path() / (recipe.name + ".pt");
    try {
      write_candidate(recipe, file, candidate);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      candidate.refused = error.message();
    }
    candidate.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (candidate.refused.empty()) candidate.bytes = fs::file_size(file);
    if (recipe.times_layers && candidate.refused.empty() && is_the_same(file, files_.back()))
      candidate.refused = fmt::format("it is the same as \"{}\"", report_.candidates.back().name);
    add(candidate, file);
  }

  static bool is_the_same(const fs::path& a, const fs::path& b) {
    return fs::exists(b) && file::read_text_file(a, "") == file::read_text_file(b, "");
  }

  void add(const Candidate& candidate, const fs::path& file) {
    report_.candidates.push_back(candidate);
    files_.push_back(file);
  }

  /// The same file with the switches of a program that may suit it.
  void add_switches(const Recipe& recipe) {
    const auto found = std::ranges::find(report_.candidates, recipe.name, &Candidate::name);
    if (!found->refused.empty()) return;
    const Candidate made = *found;
    const fs::path file = files_[static_cast<std::size_t>(found - report_.candidates.begin())];
    if (recipe.int8) {
      if (!plain_load_runs_int8())
        found->refused =
            fmt::format("a plain load takes the engine {}, which has no kernels for this CPU", plain_load_engine());
      if (recipe.target == "portable") add_engine(made, file);
    } else if (recipe.target == "portable") {
      add_graph_fuser(made, file);
    } else if (!recipe.times_layers) {
      Candidate candidate = made;
      candidate.name += ", kept heap";
      candidate.environment = kept_heap();
      add(candidate, file);
    }
  }

  /// An int8 file under the engine that suits it best, where a plain load takes another.
  void add_engine(Candidate candidate, const fs::path& file) {
    const auto choice = choose_engine({.threads = options_.threads}, {file});
    if (!choice || choice->engine == plain_load_engine()) return;
    candidate.engine = choice->engine;
    candidate.name += ", engine " + choice->engine;
    add(candidate, file);
  }

  void add_graph_fuser(Candidate candidate, const fs::path& file) {
    const auto start = std::chrono::steady_clock::now();
    candidate.graph_fuser = true;
    candidate.name += ", graph fuser";
    try {
      candidate.error = error_with_graph_fuser(input_, file, inputs_.options);
      const double tolerance =
          options_.max_error.value_or(gate::default_tolerance(ModelParts::of(fused_).original->module()));
      const bool holds = options_.min_sqnr_db ? candidate.error.sqnr_db >= *options_.min_sqnr_db
                                              : candidate.error.max_rel <= tolerance;
      if (!holds) candidate.refused = fmt::format("it is off by {:.2g} of the largest output", candidate.error.max_rel);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      candidate.refused = error.message();
    }
    candidate.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    add(candidate, file);
  }

  /// The int8 network, made once for all of its candidates.
  const Quantized& quantized() {
    if (quantized_) return *quantized_;
    QuantizeOptions quantize;
    quantize.calibration = *options_.calibration;
    if (!quantize.calibration.inputs.given()) quantize.calibration.inputs = inputs_.options;
    quantize.max_error = options_.max_error;
    quantize.min_sqnr_db = options_.min_sqnr_db;
    Model model = copy_of(fused_);
    QuantizeReport report = to_int8(model, quantize);
    return quantized_.emplace(Quantized{std::move(model), std::move(report)});
  }

  void write_candidate(const Recipe& recipe, const fs::path& file, Candidate& candidate) {
    Model model = copy_of(fused_);
    WriteOptions write_options;
    write_options.target = recipe.target;
    write_options.dtype = recipe.dtype;
    write_options.int8_dialect = recipe.int8_dialect;
    if (recipe.times_layers)
      write_options.layer_times = options_.layer_times.empty() ? scratch_.path() / "times.json" : options_.layer_times;
    write_options.verify.inputs = inputs_.options;
    write_options.verify.tolerance = options_.max_error;
    write_options.verify.min_sqnr_db = options_.min_sqnr_db;
    if (recipe.int8) {
      const Quantized& int8 = quantized();
      candidate.error = int8.report.whole;
      if (!int8.report.bound_holds) {
        candidate.refused = "the bound does not hold in int8";
        return;
      }
      model = copy_of(int8.model);
    }
    const WriteReport written = write(std::move(model), file, write_options);
    if (!recipe.int8 || recipe.target != "portable") {  // these round as the network in memory does not
      candidate.error = {};
      for (const MethodCheck& check : written.methods)
        if (check.report && check.method == "forward")
          candidate.error = gate::worse(candidate.error, check.report->worst);
    }
    if (!written.written)
      candidate.refused = written.failure() != nullptr ? written.failure()->failure : "it could not be verified";
    else if (recipe.int8 && !holds(candidate.error))
      candidate.refused = fmt::format("it is off by {:.2g} of the largest output", candidate.error.max_rel);
  }

  /// Is it within the bounds that were given?
  [[nodiscard]] bool holds(const OutputError& error) const {
    return (!options_.max_error || error.max_rel <= *options_.max_error) &&
           (!options_.min_sqnr_db || error.sqnr_db >= *options_.min_sqnr_db);
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
  ScratchFolder scratch_;
  Model fused_;
  std::optional<Quantized> quantized_;
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
