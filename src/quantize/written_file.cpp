#include <algorithm>

#include "file/load.h"
#include "fusekit/quantize.h"
#include "quantize/observe/samples.h"
#include "quantize/score.h"
#include "runtime/captured_output.h"
#include "runtime/error_text.h"
#include "verify/compare.h"

namespace fusekit {
namespace {

constexpr std::size_t kSamples = 3;
constexpr int kRuns = 3;        // the executor specializes in the second
constexpr double kSlackDb = 6;  // below the worst sample: rounding may fall otherwise in another run

}  // namespace

std::string quantized_file_problem(const std::filesystem::path& float_file, const std::filesystem::path& int8_file,
                                   const QuantizeOptions& options, const QuantizeReport& report) {
  const torch::NoGradGuard no_grad;
  const runtime::CapturedOutput captured;
  torch::jit::Module floats = file::load(float_file).module;
  torch::jit::Module int8 = file::load(int8_file).module;
  const auto names = quantize::argument_names(floats.get_method("forward").function().getSchema());
  const auto judged = quantize::split_samples(options.calibration, names, report.rounding != "nearest").judged;
  for (std::size_t k = 0; k < std::min(kSamples, judged.size()); ++k) {
    const quantize::Sample& sample = judged[k * judged.size() / std::min(kSamples, judged.size())];
    for (int run = 0; run < kRuns; ++run) {
      std::vector<c10::IValue> a;
      std::vector<c10::IValue> b;
      for (const c10::IValue& input : sample.inputs) {
        a.push_back(input.deepcopy());
        b.push_back(input.deepcopy());
      }
      try {
        const gate::Comparison comparison = gate::compare(floats.forward(a), int8.forward(b));
        if (!comparison.failure.empty()) return fmt::format("{}: {}", sample.name, comparison.failure);
        if (comparison.error.sqnr_db < report.worst_sqnr_db - kSlackDb)
          return fmt::format("{}: the reloaded file's SQNR is {:.1f} dB, and no sample was below {:.1f} dB in memory",
                             sample.name, comparison.error.sqnr_db, report.worst_sqnr_db);
      } catch (...) {
        return fmt::format("{}: the reloaded file fails: {}", sample.name, runtime::explain_current_exception());
      }
    }
  }
  return "";
}

}  // namespace fusekit
