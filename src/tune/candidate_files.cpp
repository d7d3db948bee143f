#include "tune/candidate_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "file/text_file.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/interrupted.h"
#include "fusekit/write.h"
#include "ir/model_parts.h"
#include "tune/graph_fuser_error.h"
#include "verify/metrics.h"
#include "verify/tolerance.h"

namespace fusekit::tuning {

namespace fs = std::filesystem;

/// How a candidate's file is made.
struct CandidateFiles::Recipe {
  std::string name;
  std::string target = "portable";
  std::string dtype = "float";
  bool int8 = false;
  std::string int8_dialect = "quantized";
  bool times_layers = false;
};

namespace {

/// Large activations stay in the process's heap: no new pages, and no faults for them, in each run.
std::vector<std::string> kept_heap() {
  return {"MALLOC_MMAP_THRESHOLD_=1073741824", "MALLOC_TRIM_THRESHOLD_=4294967296"};
}

/// The same network once more, sharing its weights.
Model copy_of(const Model& model) {
  const ModelParts& parts = ModelParts::of(model);
  return ModelParts::wrap(
      std::make_unique<ModelParts>(ModelParts{ir::copy_of(parts.program), parts.original, parts.allowance}));
}

bool is_the_same(const fs::path& a, const fs::path& b) {
  return fs::exists(b) && file::read_text_file(a, "") == file::read_text_file(b, "");
}

}  // namespace

CandidateFiles::CandidateFiles(const fs::path& input, const fs::path& output, const TuneOptions& options)
    : input_(input), options_(options), scratch_(output), fused_(read(input, options.read)) {
  fuse(fused_);
  inputs_ = resolve_inputs(fused_, options.inputs);
}

/// What is no faster beyond doubt than one before it does not win.
std::vector<CandidateFiles::Recipe> CandidateFiles::recipes(const TuneOptions& options) {
  std::vector<Recipe> all = {
      {"portable"}, {"cpu", "cpu"}, {.name = "cpu, timed layers", .target = "cpu", .times_layers = true}};
  if (options.max_error || options.min_sqnr_db) {
    all.push_back({"cpu bfloat16", "cpu", "bfloat16"});
    all.push_back({"portable bfloat16", "portable", "bfloat16"});
    if (options.calibration) {
      all.push_back({"int8", "portable", "float", true});
      all.push_back({"int8 cpu", "cpu", "float", true});
      all.push_back({"int8 cpu onednn", "cpu", "float", true, "onednn"});
    }
  }
  return all;
}

std::vector<CandidateFile> CandidateFiles::make() {
  add({.name = "original", .engine = "", .refused = "", .error = {}, .bytes = fs::file_size(input_)}, input_);
  const std::vector<Recipe> all = recipes(options_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (options_.progress)
      options_.progress(static_cast<double>(i) / static_cast<double>(all.size()), "making " + all[i].name);
    make(all[i]);
  }
  for (const Recipe& recipe : all) add_switches(recipe);
  return std::move(made_);
}

void CandidateFiles::make(const Recipe& recipe) {
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
    write(recipe, file, candidate);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    candidate.refused = error.message();
  }
  candidate.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (candidate.refused.empty()) candidate.bytes = fs::file_size(file);
  if (recipe.times_layers && candidate.refused.empty() && is_the_same(file, made_.back().file))
    candidate.refused = fmt::format("it is the same as \"{}\"", made_.back().candidate.name);
  add(candidate, file);
}

/// The same file with the switches of a program that may suit it.
void CandidateFiles::add_switches(const Recipe& recipe) {
  const auto found =
      std::ranges::find(made_, recipe.name, [](const CandidateFile& file) { return file.candidate.name; });
  if (!found->candidate.refused.empty()) return;
  const auto [made, file] = *found;
  if (recipe.int8) {
    if (!plain_load_runs_int8())
      found->candidate.refused =
          fmt::format("a plain load takes the engine {}, which has no kernels for this CPU", plain_load_engine());
    if (recipe.target == "portable") add_engine(made, file);
  } else if (recipe.target == "portable") {
    add_graph_fuser(made, file);
  } else if (!recipe.times_layers) {
    add_kept_heap(made, file);
  }
}

/// An int8 file under the engine that suits it best, where a plain load takes another.
void CandidateFiles::add_engine(Candidate candidate, const fs::path& file) {
  const auto choice = choose_engine({.threads = options_.threads}, {file});
  if (!choice || choice->engine == plain_load_engine()) return;
  candidate.engine = choice->engine;
  candidate.name += ", engine " + choice->engine;
  add(candidate, file);
}

void CandidateFiles::add_graph_fuser(Candidate candidate, const fs::path& file) {
  const auto start = std::chrono::steady_clock::now();
  candidate.graph_fuser = true;
  candidate.name += ", graph fuser";
  try {
    candidate.error = error_with_graph_fuser(input_, file, inputs_.options);
    if (!holds(candidate.error))
      candidate.refused = fmt::format("it is off by {:.2g} of the largest output", candidate.error.max_rel);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    candidate.refused = error.message();
  }
  candidate.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  add(candidate, file);
  if (candidate.refused.empty()) add_kept_heap(candidate, file);
}

void CandidateFiles::add_kept_heap(Candidate candidate, const fs::path& file) {
  candidate.name += ", kept heap";
  candidate.environment = kept_heap();
  add(candidate, file);
}

/// The int8 network, made once for all of its candidates.
const CandidateFiles::Quantized& CandidateFiles::quantized() {
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

void CandidateFiles::write(const Recipe& recipe, const fs::path& file, Candidate& candidate) {
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
  const WriteReport written = fusekit::write(std::move(model), file, write_options);
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

/// Is it within the bounds that were given, or else as near as `verify` asks for?
bool CandidateFiles::holds(const OutputError& error) const {
  if (!options_.max_error && !options_.min_sqnr_db)
    return error.max_rel <= gate::default_tolerance(ModelParts::of(fused_).original->module());
  return (!options_.max_error || error.max_rel <= *options_.max_error) &&
         (!options_.min_sqnr_db || error.sqnr_db >= *options_.min_sqnr_db);
}

}  // namespace fusekit::tuning
