#include "fusekit/ready.h"

#include "file/original.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "inputs/inputs.h"
#include "runtime/error_text.h"
#include "runtime/graph_fuser.h"
#include "runtime/limited_run.h"
#include "runtime/seed_guard.h"

namespace fusekit {
namespace {

/// Runs `module`, whose code is that of the module to be handed out, and whose state is its own.
void warm_up(torch::jit::Module module, const std::filesystem::path& path, const inputs::Sample& sample, int runs) {
  const torch::NoGradGuard no_grad;
  const runtime::SeedGuard seed_guard;
  for (int run = 0; run < runs; ++run) {
    runtime::LimitedRun limited("a run of " + path.string());
    try {
      module.forward(sample);
    } catch (...) {
      limited.check();
      throw Error(ErrorKind::model,
                  fmt::format("{} can't be run: {}", path.string(), runtime::explain_current_exception()));
    }
  }
}

}  // namespace

torch::jit::Module load_ready(const std::filesystem::path& path, const ReadyOptions& options) {
  apply_for(options.runtime, std::vector<std::filesystem::path>{path});
  const file::Original original(path);
  const InputSummary inputs = inputs::resolve_inputs(original, options.inputs);
  const inputs::Sample sample = inputs::draw_sample(inputs.options, 0);
  torch::jit::Module module = original.fresh();
  if (options.graph_fuser) {
    module = runtime::frozen_for_graph_fuser(module);
    warm_up(module.deepcopy(), path, sample, options.warm_up);
  } else {
    warm_up(original.fresh(), path, sample, options.warm_up);
  }
  return module;
}

}  // namespace fusekit
