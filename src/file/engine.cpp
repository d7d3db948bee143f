#include "fusekit/engine.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "file/archive.h"
#include "fusekit/error.h"
#include "runtime/engines.h"

namespace fusekit {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

bool has_any(const std::string& text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return has(text, part); });
}

std::string code_of(const file::Archive& archive) {
  std::string code;
  for (const file::Archive::Record& record : archive.records()) {
    const std::string name = record.name.substr(archive.top().size());
    if (name.starts_with("code/") && name.ends_with(".py")) code += archive.read(name);
  }
  return code;
}

/// The qconfigs of our own files; nullopt for any other text.
std::optional<bool> uses_full_range(const std::string& metadata) {
  const auto json = nlohmann::json::parse(metadata, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("qconfig") || !json["qconfig"].is_string()) return std::nullopt;
  const std::string qconfig = json["qconfig"];
  if (qconfig == "full" || qconfig == "qnnpack") return true;
  if (qconfig == "reduced" || qconfig == "x86" || qconfig == "fbgemm") return false;
  return std::nullopt;
}

/// What all files together ask for.
struct Needs {
  bool full_range = false;
  bool unknown_range = false;
  std::optional<std::set<std::string>> engines;
  bool transposed = false;
  std::string against_qnnpack;
};

using Engines = std::set<std::string>;

Engines common(const std::optional<Engines>& known, const Engines& more) {
  if (!known) return more;
  Engines both;
  std::set_intersection(known->begin(), known->end(), more.begin(), more.end(), std::inserter(both, both.end()));
  return both;
}

/// Operators that only some engines have, as they stand in a file's code (aten/src/ATen/native/quantized/cpu).
struct Restricted {
  std::vector<std::string_view> operators;
  Engines engines;
};

const std::vector<Restricted>& restricted_operators() {
  static const std::vector<Restricted> all = {
      {{"ops.onednn.", "ops.quantized.conv2d_add", "ops.quantized.linear_leaky_relu", "ops.quantized.linear_tanh"},
       {"onednn"}},
      {{"_dynamic_fp16(", "ops.quantized.linear_prepack_fp16(", "ops.quantized.linear_with_input_q_dq_qweight_dq"},
       {"x86", "fbgemm"}},
      {{"ops.sparse.qlinear"}, {"x86", "fbgemm", "qnnpack"}},
  };
  return all;
}

std::optional<Engines> engines_of(const std::string& code) {
  std::optional<Engines> engines;
  for (const Restricted& each : restricted_operators())
    if (std::any_of(each.operators.begin(), each.operators.end(), [&](std::string_view op) { return has(code, op); }))
      engines = common(engines, each.engines);
  return engines;
}

Needs needs_of(const std::vector<Int8Facts>& files) {
  Needs needs;
  for (const Int8Facts& file : files) {
    needs.full_range |= file.full_range.value_or(false);
    needs.unknown_range |= !file.full_range.has_value();
    if (file.engines) needs.engines = common(needs.engines, *file.engines);
    needs.transposed |= file.transposed;
    if (!file.against_qnnpack.empty()) needs.against_qnnpack = file.against_qnnpack;
  }
  return needs;
}

bool offers(const EngineFacts& facts, const std::string& engine) {
  return std::find(facts.engines.begin(), facts.engines.end(), engine) != facts.engines.end();
}

std::vector<std::string> warnings_of(const std::string& engine, const EngineFacts& facts, const Needs& needs) {
  std::vector<std::string> warnings;
  if (saturates(engine, facts) && needs.full_range) {
    warnings.push_back(fmt::format(
        "int8 with all 256 levels saturates under the engine {} on this CPU, which has no VNNI for it: "
        "outputs may be wrong; use RuntimeOptions::engine = qnnpack, or quantize with QuantizeOptions::qconfig = x86",
        engine));
  } else if (saturates(engine, facts) && needs.unknown_range) {
    warnings.push_back(
        fmt::format("the engine {} saturates on this CPU if a file's activations use all 256 levels, which this one "
                    "does not tell",
                    engine));
  }
  if (needs.engines && needs.engines->count(engine) == 0) {
    std::string text = fmt::format("a file has operators that the engine {} lacks", engine);
    const auto better = std::find_if(needs.engines->begin(), needs.engines->end(),
                                     [&](const std::string& name) { return offers(facts, name); });
    if (better != needs.engines->end()) text += "; use RuntimeOptions::engine = " + *better;
    warnings.push_back(std::move(text));
  }
  if ((engine == "onednn" || engine == "x86") && needs.transposed && facts.swaps_transposed)
    warnings.push_back(
        fmt::format("this LibTorch may compute the file's transposed convolutions wrongly under the engine {}; use "
                    "RuntimeOptions::engine = fbgemm",
                    engine));
  if (engine == "qnnpack" && !needs.against_qnnpack.empty())
    warnings.push_back(fmt::format("a file has {} under the engine qnnpack", needs.against_qnnpack));
  if (engine == "qnnpack" && facts.threads > 1)
    warnings.push_back(
        fmt::format("the engine qnnpack gets up to 15 times slower with more than one thread, and it has {}; use "
                    "RuntimeOptions::threads = 1",
                    facts.threads));
  return warnings;
}

/// The first of the engines that are there; empty for none.
std::string first_of(const EngineFacts& facts, std::initializer_list<const char*> engines) {
  for (const char* engine : engines)
    if (offers(facts, engine)) return engine;
  return "";
}

/// x86 is onednn, but for depthwise convolutions, which it leaves to fbgemm: as fast with kernels of 3 x 3, and with 5 x 5
/// many times slower (EfficientNet-Lite0, one thread: 400 ms against 14 ms).
EngineChoice fastest(const EngineFacts& facts, const Needs& needs) {
  if (!facts.is_x86) {
    if (!needs.against_qnnpack.empty() && offers(facts, "onednn"))
      return {"onednn", "qnnpack can't run it rightly", {}};
    return {first_of(facts, {"qnnpack", "onednn"}), "its kernels are made for this CPU", {}};
  }
  if (needs.transposed && facts.swaps_transposed && !saturates("fbgemm", facts) && offers(facts, "fbgemm"))
    return {"fbgemm", "the faster ones may compute its transposed convolutions wrongly", {}};
  if (facts.has_avx512_vnni)
    return {first_of(facts, {"onednn", "x86", "fbgemm", "qnnpack"}), "the CPU has AVX-512 VNNI, which it uses", {}};
  if (facts.has_avx_vnni && offers(facts, "onednn"))
    return {"onednn", "of the engines it alone uses the CPU's AVX-VNNI", {}};
  if (needs.full_range && needs.against_qnnpack.empty() && offers(facts, "qnnpack"))
    return {"qnnpack", "the others saturate on this CPU with activations of 256 levels", {}};
  return {first_of(facts, {"x86", "fbgemm", "onednn", "qnnpack"}),
          needs.full_range ? "none of the engines runs it rightly and fast on this CPU" : "it is made for such CPUs",
          {}};
}

/// `facts` with those engines alone that have all operators; all of them where none does.
EngineFacts with_operators(EngineFacts facts, const Needs& needs) {
  if (!needs.engines) return facts;
  std::vector<std::string> left;
  for (const std::string& engine : facts.engines)
    if (needs.engines->count(engine) > 0) left.push_back(engine);
  if (!left.empty()) facts.engines = std::move(left);
  return facts;
}

EngineChoice choose(const EngineFacts& facts, const Needs& needs) {
  const EngineFacts able = with_operators(facts, needs);
  EngineChoice choice = fastest(able, needs);
  if (able.engines.size() == facts.engines.size()) return choice;
  if (choice.engine.empty()) choice.engine = able.engines.front();
  choice.reason = able.engines.size() == 1
                      ? "a file has operators that only it runs"
                      : fmt::format("a file has operators that only {} run", fmt::join(able.engines, " and "));
  return choice;
}

}  // namespace

EngineFacts engine_facts(const RuntimeOptions& runtime) {
  EngineFacts facts;
  facts.engines = quantized_engines();
  facts.standing = at::toString(at::globalContext().qEngine());
  std::transform(facts.standing.begin(), facts.standing.end(), facts.standing.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  facts.swaps_transposed = TORCH_VERSION_MAJOR >= 2;
  facts.threads = runtime.threads > 0 ? runtime.threads : at::get_num_threads();
#if defined(__x86_64__)
  facts.is_x86 = true;
  facts.has_avx512_vnni = __builtin_cpu_supports("avx512vnni") > 0;
#if !defined(__clang__) || __clang_major__ > 16  // older ones, clang-tidy's among them, do not know the word
  facts.has_avx_vnni = __builtin_cpu_supports("avxvnni") > 0;
#endif
#endif
  return facts;
}

std::optional<Int8Facts> int8_facts(const std::filesystem::path& file) {
  try {
    const file::Archive archive(file);
    const std::string code = code_of(archive);
    if (!has_any(code, {"ops.quantized.", "ops.onednn.", "ops.sparse.qlinear", "torch.quantize_per_tensor("}))
      return std::nullopt;
    Int8Facts facts;
    const std::string metadata = std::string("extra/") + kQuantizeRecord;
    const bool is_ours = archive.has(metadata);
    if (is_ours) facts.full_range = uses_full_range(archive.read(metadata));
    facts.transposed = !is_ours && has(code, "ops.quantized.conv_transpose");
    facts.engines = engines_of(code);
    if (has_any(code, {"torch.clamp(", "torch.hardtanh(", "torch.relu6(", "ops.quantized.relu6("}))
      facts.against_qnnpack = "a clamp, which mixes up channels_last int8 data";
    if (has_any(code, {"ops.quantized.conv3d", "ops.quantized.conv_transpose3d"}))
      facts.against_qnnpack = "a 3-D convolution, which can't be loaded";
    return facts;
  } catch (const Error&) {
    return std::nullopt;  // whoever loads it says what is wrong with it
  }
}

std::string plain_load_engine() {
  const std::vector<std::string> engines = runtime::listed_engines();
  for (const char* engine : {"x86", "fbgemm", "onednn", "qnnpack"})
    if (std::find(engines.begin(), engines.end(), engine) != engines.end()) return engine;
  return engine_facts().standing;
}

bool plain_load_runs_int8() {
  const std::vector<std::string> able = quantized_engines();
  return std::find(able.begin(), able.end(), plain_load_engine()) != able.end();
}

bool saturates(const std::string& engine, const EngineFacts& facts) {
  if (!facts.is_x86 || engine == "qnnpack" || facts.has_avx512_vnni) return false;
  return !(engine == "onednn" && facts.has_avx_vnni);
}

EngineChoice choose_engine(const std::string& wanted, const EngineFacts& facts, const std::vector<Int8Facts>& files) {
  const Needs needs = needs_of(files);
  EngineChoice choice = wanted == "auto" ? choose(facts, needs) : EngineChoice{wanted, "", {}};
  if (choice.engine.empty()) choice.engine = facts.standing;
  choice.warnings = warnings_of(choice.engine, facts, needs);
  choice.runs_all = !needs.engines || needs.engines->count(choice.engine) > 0;
  return choice;
}

std::optional<EngineChoice> choose_engine(const RuntimeOptions& runtime,
                                          const std::vector<std::filesystem::path>& files) {
  std::vector<Int8Facts> int8;
  for (const std::filesystem::path& file : files)
    if (const auto facts = int8_facts(file)) int8.push_back(*facts);
  if (int8.empty()) return std::nullopt;
  return choose_engine(runtime.engine, engine_facts(runtime), int8);
}

std::optional<EngineChoice> apply_for(const RuntimeOptions& runtime, const std::vector<std::filesystem::path>& files) {
  std::optional<EngineChoice> choice = choose_engine(runtime, files);
  RuntimeOptions settled = runtime;
  if (choice) settled.engine = choice->engine;
  apply(settled);
  return choice;
}

}  // namespace fusekit
