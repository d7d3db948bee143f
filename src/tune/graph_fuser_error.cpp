#include "tune/graph_fuser_error.h"

#include "file/load.h"
#include "fusekit/error.h"
#include "inputs/inputs.h"
#include "runtime/captured_output.h"
#include "runtime/graph_fuser.h"
#include "runtime/seed_guard.h"
#include "verify/compare.h"
#include "verify/metrics.h"
#include "verify/one_run.h"
#include "verify/runnable.h"

namespace fusekit::tuning {
namespace {

constexpr int kSamples = 3;
constexpr int kRuns = 4;  ///< the first records, the second compiles

gate::Run run_of(torch::jit::Module& module, const std::string& name, const inputs::Sample& sample,
                 runtime::CapturedOutput& captured) {
  gate::Run run = gate::run_once(gate::in_full_interpreter(module), name, "forward", sample, captured);
  if (run.problem) throw Error(ErrorKind::model, *run.problem);
  return run;
}

}  // namespace

OutputError error_with_graph_fuser(const std::filesystem::path& original, const std::filesystem::path& file,
                                   const InputOptions& inputs) {
  const torch::NoGradGuard no_grad;
  const runtime::SeedGuard seed_guard;
  const runtime::GraphFuserGuard graph_fuser_guard;
  runtime::CapturedOutput captured;
  torch::jit::Module plain = file::load(original).module;
  plain.eval();
  std::vector<gate::Run> expected;
  for (int run = 0; run < kSamples * kRuns; ++run)
    expected.push_back(
        run_of(plain, "the original", inputs::draw_sample(inputs, static_cast<std::uint64_t>(run / kRuns)), captured));
  torch::jit::Module fused = runtime::frozen_for_graph_fuser(file::load(file).module);
  OutputError worst;
  for (int run = 0; run < kSamples * kRuns; ++run) {
    const gate::Run ours = run_of(fused, "the network under the graph fuser",
                                  inputs::draw_sample(inputs, static_cast<std::uint64_t>(run / kRuns)), captured);
    const gate::Comparison comparison =
        gate::compare(expected[static_cast<std::size_t>(run)].output, ours.output, "output");
    if (!comparison.failure.empty()) throw Error(ErrorKind::model, comparison.failure);
    worst = gate::worse(worst, comparison.error);
  }
  return worst;
}

}  // namespace fusekit::tuning
