#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "file/load.h"
#include "file/modules_in_training.h"
#include "file/text_file.h"
#include "fusekit/bench.h"
#include "fusekit/doctor.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/interrupted.h"
#include "fusekit/model.h"
#include "inputs/packed_shapes.h"

namespace fusekit::bench {
namespace {

namespace fs = std::filesystem;

/// Collects remarks; what was said is not said again.
class Remarks {
 public:
  void add(Remark::Kind kind, const std::string& text) {
    if (said_.insert(text).second) all_.push_back({kind, text});
  }
  std::vector<Remark> take() { return std::move(all_); }

 private:
  std::set<std::string> said_;
  std::vector<Remark> all_;
};

/// Files that are run in one process share an engine, where one runs them all.
void settle_engines(std::vector<Variant>& variants, Remarks& remarks) {
  std::map<std::pair<int, std::string>, std::vector<fs::path>> processes;
  for (const Variant& variant : variants)
    if (variant.command.empty()) processes[{variant.runtime.threads, variant.runtime.engine}].push_back(variant.model);
  for (Variant& variant : variants) {
    if (!variant.command.empty()) continue;
    auto choice = choose_engine(variant.runtime, processes.at({variant.runtime.threads, variant.runtime.engine}));
    if (choice && !choice->runs_all) choice = choose_engine(variant.runtime, {variant.model});
    if (!choice) continue;
    for (const std::string& warning : choice->warnings) remarks.add(Remark::Kind::warning, warning);
    if (!choice->reason.empty())
      remarks.add(Remark::Kind::engine, fmt::format("engine {}: {}", choice->engine, choice->reason));
    variant.runtime.engine = choice->engine;
  }
}

/// Works inputs out, once for each model and shape: the cells of a matrix share them.
class SettledInputs {
 public:
  void settle(Variant& variant) {
    Arguments& arguments = variant.arguments;
    if (!variant.command.empty()) return;  // its own affair
    if (arguments.none) {
      variant.inputs = "none";
    } else if (arguments.bundled >= 0) {
      variant.inputs = fmt::format("bundled input {}", arguments.bundled);
    } else {
      std::string key = variant.model.string();
      for (const auto& shape : arguments.inputs.dims) key += fmt::format(" {}", fmt::join(shape, "x"));
      const std::string shapes = key.substr(variant.model.string().size());
      auto found = known_.find(key);
      if (found == known_.end()) {
        if (const auto settled = batches_.find(shapes); settled != batches_.end())
          arguments.inputs.batch = settled->second;
        RuntimeOptions runtime = variant.runtime;
        runtime.threads = 0;  // those of this process
        apply(runtime);
        found = known_.emplace(key, resolve_inputs(variant.model, arguments.inputs)).first;
      }
      arguments.inputs = found->second.options;
      if (!arguments.inputs.file.empty()) batches_.emplace(shapes, arguments.inputs.batch);
      variant.inputs = (found->second.samples > 1 ? "the first of " : "") + found->second.text;
    }
  }

 private:
  std::map<std::string, InputSummary> known_;
  std::map<std::string, std::int64_t> batches_;  ///< by shapes: a file means the same for all models
};

/// What a file is, as far as its times depend on it.
struct FileTraits {
  std::vector<std::string> in_training;
  std::vector<inputs::PackedShapes> packed;
  std::vector<std::string> dtypes;  ///< that layers compute in, besides float
};

bool holds_bfloat16(const torch::jit::Module& module) {
  for (const at::Tensor& tensor : module.parameters())
    if (tensor.scalar_type() == at::kBFloat16) return true;
  return false;
}

FileTraits traits_of(const fs::path& path) {
  const torch::jit::Module module = file::load(path).module;
  FileTraits traits{file::modules_in_training(module), inputs::packed_shapes(module), {}};
  if (holds_bfloat16(module)) traits.dtypes.emplace_back("bfloat16");
  if (int8_facts(path)) traits.dtypes.emplace_back("int8");
  return traits;
}

using KnownTraits = std::map<fs::path, FileTraits>;

KnownTraits traits_of(const std::vector<Variant>& variants) {
  KnownTraits known;
  for (const Variant& variant : variants)
    if (variant.command.empty() && known.count(variant.model) == 0)
      known.emplace(variant.model, traits_of(variant.model));
  return known;
}

/// A file that was saved in training mode is measured as it is, and does other work than in use.
void tell_training_mode(Variant& variant, const FileTraits& traits, Remarks& remarks) {
  variant.in_training = traits.in_training;
  if (const std::string warning = training_warning(variant.in_training); !warning.empty())
    remarks.add(Remark::Kind::warning, fmt::format("{}: {}", variant.model.string(), warning));
}

/// What makes a file slow here that is fast elsewhere.
void tell_slowness(const Variant& variant, const FileTraits& traits, Remarks& remarks) {
  for (const std::string& dtype : traits.dtypes)
    if (const std::string why = slowness(dtype, cpu_facts()); !why.empty())
      remarks.add(Remark::Kind::warning, fmt::format("{}: this CPU has {}", variant.label, why));
  const bool knows_inputs = !variant.arguments.none && variant.arguments.bundled < 0;
  if (traits.packed.empty() || !knows_inputs) return;
  if (!inputs::fits_packed(traits.packed, inputs::draw_sample(variant.arguments.inputs, 0)))
    remarks.add(Remark::Kind::warning, fmt::format("{} is packed for {}; at {} it takes the plain road", variant.label,
                                                   inputs::text_of(traits.packed), variant.inputs));
}

/// Numbers those that are alike.
void make_distinct(std::vector<std::string>& labels) {
  const std::vector<std::string> all = labels;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (std::count(all.begin(), all.end(), all[i]) == 1) continue;
    const auto before = std::count(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i), all[i]);
    labels[i] += fmt::format(" ({})", before + 1);
  }
}

}  // namespace

std::vector<std::string> labels_of(const std::vector<fs::path>& models) {
  std::vector<std::string> labels;
  for (const fs::path& model : models) labels.push_back(model.filename().string());
  const std::vector<std::string> names = labels;
  for (std::size_t i = 0; i < models.size(); ++i)
    if (std::count(names.begin(), names.end(), names[i]) > 1) labels[i] = models[i].string();
  make_distinct(labels);
  return labels;
}

std::vector<Variant> variants_of(const std::vector<fs::path>& models) {
  const std::vector<std::string> labels = labels_of(models);
  std::vector<Variant> variants(models.size());
  for (std::size_t i = 0; i < models.size(); ++i) {
    variants[i].label = labels[i];
    variants[i].model = models[i];
  }
  return variants;
}

std::vector<Remark> prepare(std::vector<Variant>& variants, const std::function<bool()>& interrupted) {
  Remarks remarks;
  settle_engines(variants, remarks);
  const KnownTraits traits = traits_of(variants);
  SettledInputs settled;
  std::set<std::string> distinct;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    Variant& variant = variants[i];
    if (variant.command.empty()) tell_training_mode(variant, traits.at(variant.model), remarks);
    settled.settle(variant);
    if (variant.command.empty()) tell_slowness(variant, traits.at(variant.model), remarks);
    if (interrupted && interrupted()) throw Interrupted();
    const Variant& other = variants[variant.against <= i ? variant.against : 0];
    if (variant.inputs != other.inputs && variant.samples == other.samples)
      remarks.add(Remark::Kind::warning,
                  fmt::format("{} is run on {}, {} on {}", other.label, other.inputs, variant.label, variant.inputs));
    if (!variant.inputs.empty()) distinct.insert(variant.inputs);
  }
  remarks.add(Remark::Kind::inputs, fmt::format("inputs: {}", fmt::join(distinct, " | ")));
  return remarks.take();
}

Report unmeasured(const std::vector<Variant>& variants) {
  Report report;
  report.environment = this_environment(real_clock());
  for (const Variant& variant : variants) copy_settings(variant, report.outcomes.emplace_back());
  return report;
}

void save(const Report& report, const fs::path& path) {
  file::write_text_file(path, to_json(report, /*traces=*/false) + "\n");
}

void save_page(const std::string& json, const fs::path& path) { file::write_text_file(path, html_page(json)); }

void check_save(const fs::path& path) { file::check_text_file(path); }

Report load(const fs::path& path) {
  return from_json(file::read_text_file(path, "make it with bench::save"), path.string());
}

}  // namespace fusekit::bench
