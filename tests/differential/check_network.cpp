#include "differential/check_network.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "verify/compare.h"

// Judged by plain torch::jit::load and forward, not by FuseKit's own verification.

namespace fusekit::test {
namespace {

namespace fs = std::filesystem;
using torch::jit::Module;

constexpr int kRuns = 6;
constexpr double kTolerance = 1e-4;  // of fused files; state carries rounding from run to run
constexpr double kLeastSqnr = 3;     // of int8 files whose own judgement is far better

/// Is a tensor contiguous in `a`, and its counterpart in `b`, which is built alike, not?
bool lies_otherwise(const c10::IValue& a, const c10::IValue& b) {
  if (a.isTensor()) {
    const at::Tensor& x = a.toTensor();
    return x.defined() && x.layout() == at::kStrided && x.is_contiguous() && !b.toTensor().is_contiguous();
  }
  const auto elements = [](const c10::IValue& value) {
    if (value.isTuple()) return value.toTupleRef().elements().vec();
    if (value.isList()) return value.toListRef().vec();
    std::vector<c10::IValue> values;
    if (value.isGenericDict())
      for (const auto& entry : value.toGenericDict()) values.push_back(entry.value());
    return values;
  };
  const auto xs = elements(a);
  const auto ys = elements(b);
  return !std::equal(xs.begin(), xs.end(), ys.begin(), ys.end(),
                     [](const auto& x, const auto& y) { return !lies_otherwise(x, y); });
}

/// Are they one value, floating-point tensors within this bound, that lies in memory alike?
std::string difference(const c10::IValue& a, const c10::IValue& b, const std::string& place, double max_rel) {
  const gate::Comparison comparison = gate::compare(a, b, place);
  if (!comparison.failure.empty()) return comparison.failure;
  if (lies_otherwise(a, b)) return place + " is not contiguous any more";
  if (comparison.error.max_rel > max_rel && comparison.error.max_abs > max_rel)
    return fmt::format("{} is off by {:.2g}", comparison.worst_at, comparison.error.max_rel);
  return "";
}

bool is_weight(const std::string& name) { return name == "weight" || name == "bias" || name.starts_with("_packed"); }

/// Every attribute that both have, but weights, which rewrites change.
std::string state_difference(const Module& a, const Module& b, const std::string& prefix, double max_rel) {
  for (const auto& attribute : a.named_attributes(/*recurse=*/false)) {
    if (is_weight(attribute.name) || !b.hasattr(attribute.name)) continue;
    const c10::IValue other = b.attr(attribute.name);
    const std::string path = prefix + attribute.name;
    const std::string found = attribute.value.isModule() && other.isModule()
                                  ? state_difference(attribute.value.toModule(), other.toModule(), path + ".", max_rel)
                                  : difference(attribute.value, other, path, max_rel);
    if (!found.empty()) return found;
  }
  return "";
}

/// In how many of the runs is the noise above the bound? A network this small may have a run whose outputs are next to
/// nothing, or nothing at all (-inf); a wrong one is wrong in most.
std::string too_noisy(const std::vector<double>& sqnrs_db, double least) {
  const auto heard = std::count_if(sqnrs_db.begin(), sqnrs_db.end(), [](double db) { return db > -INFINITY; });
  const auto below =
      std::count_if(sqnrs_db.begin(), sqnrs_db.end(), [&](double db) { return db > -INFINITY && db < least; });
  return 2 * below > heard ? fmt::format("SQNR of the runs: {:.1f} dB", fmt::join(sqnrs_db, ", ")) : "";
}

using Dims = std::vector<std::int64_t>;

/// Runs both side by side on the same inputs, of these dims, and random numbers.
std::string run_difference(const fs::path& a_path, const fs::path& b_path, const RandomNetwork& network,
                           const Dims& dims, bool eval, double max_rel, double least_sqnr) {
  const torch::NoGradGuard no_grad;
  Module a = torch::jit::load(a_path.string());
  Module b = torch::jit::load(b_path.string());
  if (eval) {
    a.eval();
    b.eval();
  }
  if (std::string found = state_difference(a, b, "", 0); !found.empty()) return "before any run: " + found;
  std::vector<double> sqnrs_db;
  for (int run = 0; run < kRuns; ++run) {
    at::manual_seed(network.seed + static_cast<std::uint64_t>(run));
    const at::Tensor x = at::randn(dims, network.dtype);
    std::vector<c10::IValue> outputs;
    for (Module* module : {&a, &b}) {
      at::manual_seed(7);
      outputs.push_back(module->forward({x.clone()}));
    }
    sqnrs_db.push_back(gate::compare(outputs[0], outputs[1]).error.sqnr_db);
    for (const std::string& found :
         {difference(outputs[0], outputs[1], "output", max_rel), state_difference(a, b, "", max_rel)})
      if (!found.empty()) return fmt::format("run {}{}: {}", run + 1, eval ? " in eval()" : "", found);
  }
  return too_noisy(sqnrs_db, least_sqnr);
}

InputOptions inputs_of(const RandomNetwork& network) {
  InputOptions options;
  options.dims = network.dims;
  options.types = {network.dtype == at::kDouble ? "double" : "float"};
  return options;
}

std::string not_written(const WriteReport& report) {
  return report.failure() != nullptr ? "not written: " + report.failure()->failure : "not written";
}

/// The BatchNorms that may be folded and were not, with the reason where one was given.
std::vector<std::string> unfolded(const RandomNetwork& network, const FusionReport& report) {
  std::map<std::string, std::string> left;
  for (const std::string& name : network.foldable) left[name] = "no pattern";
  for (const FusionSite& site : report.entries) {
    if (site.rule.find("+bn") == std::string::npos) continue;
    for (const std::string& module : site.modules) {
      if (site.fused) left.erase(module);
      if (left.count(module) > 0) left[module] = to_text(site.reason);
    }
  }
  std::vector<std::string> texts;
  texts.reserve(left.size());
  for (const auto& [name, why] : left) texts.push_back(name + ": " + why);
  return texts;
}

Outcome written_and_compared(const RandomNetwork& network, const fs::path& folder, const std::string& target) {
  Model model = read(folder / "in.pt");
  Outcome outcome;
  if (model.modules_in_training().empty() == network.in_training)
    return {network.in_training ? "not seen to be in training mode" : "taken to be in training mode", ""};
  const FusionReport fusion = fuse(model);
  outcome.done = fusion.fused();
  outcome.unfolded = unfolded(network, fusion);
  WriteOptions options;
  options.force = true;
  options.target = target;
  options.verify.inputs = inputs_of(network);
  const WriteReport report = write(std::move(model), folder / "fused.pt", options);
  if (!report.written) return {not_written(report), ""};
  Dims larger = network.dims.front();
  ++larger.front();
  for (const Dims& dims : {network.dims.front(), larger, network.dims.front()})
    for (const bool eval : {false, true})
      if (outcome.fault.empty())
        outcome.fault =
            run_difference(folder / "in.pt", folder / "fused.pt", network, dims, eval, kTolerance, -INFINITY);
  return outcome;
}

Outcome fuse_and_compare(const RandomNetwork& network, const fs::path& folder) {
  return written_and_compared(network, folder, "portable");
}

Outcome lower_and_compare(const RandomNetwork& network, const fs::path& folder) {
  return written_and_compared(network, folder, "cpu");
}

/// Does to_int8 refuse the network as it was saved?
bool refuses_training_mode(const fs::path& path, const QuantizeOptions& options) {
  try {
    Model model = read(path);
    to_int8(model, options);
    return false;
  } catch (const Error& error) {
    return error.message().find("training mode") != std::string::npos;
  }
}

Outcome quantize_and_compare(const RandomNetwork& network, const fs::path& folder) {
  QuantizeOptions options;
  options.calibration.random = 8;
  options.calibration.inputs = inputs_of(network);
  if (network.in_training && !refuses_training_mode(folder / "in.pt", options))
    return {"a network in training mode was quantized", ""};
  Model model = read(folder / "in.pt", {.eval = network.in_training});
  Outcome outcome;
  QuantizeReport quantized;
  try {
    quantized = to_int8(model, options);
  } catch (const Error& error) {
    if (error.message().find("no convolution or linear that could be int8") == std::string::npos) throw;
    return {"", error.message() + " (" + error.hint() + ")"};
  }
  outcome.done = quantized.int8_operators;
  WriteOptions write_options;
  write_options.force = true;
  const WriteReport report = write(std::move(model), folder / "int8.pt", write_options);
  if (!report.written) return {not_written(report), ""};
  const double least = quantized.worst_sqnr_db > 5 * kLeastSqnr ? kLeastSqnr : -INFINITY;
  outcome.fault = run_difference(folder / "in.pt", folder / "int8.pt", network, network.dims.front(),
                                 network.in_training, INFINITY, least);
  return outcome;
}

Outcome checked(const RandomNetwork& network, const fs::path& folder,
                Outcome (*check)(const RandomNetwork&, const fs::path&)) {
  save_module(network.module, folder / "in.pt");
  try {
    return check(network, folder);
  } catch (const Error& error) {
    return {fmt::format("{} ({})", error.message(), error.hint()), ""};
  } catch (const std::exception& error) {
    return {std::string("threw ") + error.what(), ""};
  }
}

}  // namespace

std::set<std::int64_t> shrink(const RandomNetwork& network, const std::function<Outcome(const RandomNetwork&)>& check) {
  std::set<std::int64_t> without;
  for (std::int64_t piece = network.pieces - 1; piece >= 0; --piece) {
    std::set<std::int64_t> fewer = without;
    fewer.insert(piece);
    if (!check(random_network(network.seed, fewer)).fault.empty()) without = fewer;
  }
  return without;
}

Outcome check_fuse(const RandomNetwork& network, const fs::path& folder) {
  return checked(network, folder, fuse_and_compare);
}

Outcome check_cpu(const RandomNetwork& network, const fs::path& folder) {
  return checked(network, folder, lower_and_compare);
}

Outcome check_quantize(const RandomNetwork& network, const fs::path& folder) {
  return checked(network, folder, quantize_and_compare);
}

}  // namespace fusekit::test
