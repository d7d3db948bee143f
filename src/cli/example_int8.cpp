#include "cli/example_int8.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/report_quantize.h"
#include "fusekit/bench.h"

namespace fusekit::cli {
namespace {

constexpr int kSamples = 8;

InputOptions recipe_input(std::uint64_t seed) {
  InputOptions inputs;
  inputs.dims = {{1, 3, 224, 224}};
  inputs.types = {"float"};
  inputs.seed = seed;
  return inputs;
}

QuantizeOptions as_the_recipe(const Int8File& file, std::uint64_t seed) {
  QuantizeOptions options;
  options.qconfig = Qconfig::qnnpack;
  options.calibration.random = kSamples;
  options.calibration.inputs = recipe_input(seed);
  options.fuse = file.fuse;
  options.fuse_options.modules = file.lists;
  return options;
}

bool write_one(const std::filesystem::path& original, Int8File& file, std::uint64_t seed,
               const WriteOptions& write_options, const Console& console) {
  Model model = read(original);
  file.report = to_int8(model, as_the_recipe(file, seed));
  const WriteReport written = write(std::move(model), file.path, write_options);
  tell_refusal(written, console);
  if (!written.written) return false;
  console.note(fmt::format("{}: int8, {}; {} operator{}, SQNR {:.1f} dB; calibrated on {} random images",
                           file.path.string(), file.what, file.report.int8_operators,
                           file.report.int8_operators == 1 ? "" : "s", file.report.whole.sqnr_db, file.report.samples));
  return true;
}

}  // namespace

std::vector<Int8File> int8_files(const std::filesystem::path& folder,
                                 const std::vector<std::vector<std::string>>& lists) {
  return {{"int8", folder / "model.pt", "unfused", /*fuse=*/false},
          {"int8_fused", folder / "model_fused.pt", "fused as shown", /*fuse=*/true, lists},
          {"int8_fully_fused", folder / "model_fully_fused.pt", "everything fused"}};
}

bool write_int8_files(const std::filesystem::path& original, std::vector<Int8File>& files, std::uint64_t seed,
                      const WriteOptions& write_options, const Console& console) {
  for (Int8File& file : files)
    if (!write_one(original, file, seed, write_options, console)) return false;
  return true;
}

nlohmann::json compare_int8_files(const std::vector<Int8File>& files, const RuntimeOptions& runtime, double seconds,
                                  bool json, const Console& console) {
  const InterruptWatch watch;
  std::vector<std::filesystem::path> paths;
  for (const Int8File& file : files) paths.push_back(file.path);
  std::vector<bench::Variant> variants = bench::variants_of(paths);
  for (bench::Variant& variant : variants) {
    variant.arguments.inputs = recipe_input(0);
    variant.runtime = runtime;
    if (runtime.threads == 0) variant.runtime.threads = 1;  // so small a network gains nothing by more
  }
  for (const bench::Remark& remark : bench::prepare(variants))
    if (remark.kind == bench::Remark::Kind::warning)
      console.warn(remark.text);
    else if (remark.kind == bench::Remark::Kind::engine)
      console.note(remark.text);
  bench::Options options;
  options.max_seconds = seconds;
  options.interrupted = InterruptWatch::raised;
  const auto launcher = bench::process_launcher({"/proc/self/exe", "bench-worker"}, InterruptWatch::raised);
  const bench::Report report =
      bench::measure(variants, options, *launcher, bench::real_clock(),
                     [&](double share, const std::string& what) { console.progress(share, what); });
  console.end_progress();
  if (json) return nlohmann::json::parse(bench::to_json(report, /*traces=*/false));
  console.print(bench::to_table(report, Console::columns()));
  for (const bench::Ratio& ratio : report.ratios) console.print(bench::verdict_text(report, ratio));
  for (const std::string& warning : report.warnings) console.detail(warning);
  return {};
}

}  // namespace fusekit::cli
