#include "quantize/observe/network.h"

#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "file/rebuild.h"
#include "fusekit/error.h"
#include "runtime/error_text.h"
#include "runtime/limited_run.h"
#include "runtime/seed_guard.h"

namespace fusekit::quantize {
namespace {

constexpr const char* kObserve = "fusekit::observe";
constexpr std::uint64_t kSeed = 20200722;  // any number: two networks draw the same in their k-th runs

/// Where the running network's tensors go; the operator has no other way to know.
struct Run {
  const See* see = nullptr;
  std::exception_ptr problem;  ///< what `see` threw: the interpreter would turn it into one of its own
};

Run*& current() {
  thread_local Run* run = nullptr;
  return run;
}

void observe(int number, const at::Tensor& tensor) {
  Run* run = current();
  if (run == nullptr || !*run->see) return;
  try {
    (*run->see)(number, tensor.is_quantized() ? tensor.dequantize() : tensor);
  } catch (...) {
    run->problem = std::current_exception();
    throw;
  }
}

/// fusekit::observe(x, number): known to this process only, and no written file has it.
void register_observe() {
  static const torch::jit::RegisterOperators registered({torch::jit::Operator(
      std::string(kObserve) + "(Tensor x, int number) -> ()",
      [](torch::jit::Stack& stack) {
        const std::int64_t number = torch::jit::pop(stack).toInt();
        observe(static_cast<int>(number), torch::jit::pop(stack).toTensor());
      },
      c10::AliasAnalysisKind::CONSERVATIVE)});
}

void watch(Graph& graph, const Watch& watch) {
  Node* node = watch.value->node();
  Node* before = node->kind() == c10::prim::Param ? node->owningBlock()->nodes().front() : node->next();
  const torch::jit::WithInsertPoint guard(before);
  Value* seen = watch.channels ? graph.insert(c10::aten::slice, {watch.value, 1, 0, *watch.channels, 1}) : watch.value;
  Value* number = graph.insertConstant(watch.number);
  graph.insertNode(graph.create(c10::Symbol::fromQualString(kObserve), {seen, number}, 0));
}

class RunGuard {
 public:
  explicit RunGuard(Run& run) : before_(current()) { current() = &run; }
  ~RunGuard() { current() = before_; }
  RunGuard(const RunGuard&) = delete;
  RunGuard& operator=(const RunGuard&) = delete;

 private:
  Run* before_;
};

}  // namespace

Network::Network(ir::Program program, const std::vector<Watch>& watches) {
  register_observe();
  for (const Watch& each : watches) watch(*program.methods.front().graph, each);
  program.methods.erase(program.methods.begin() + 1, program.methods.end());  // forward alone
  module_ = file::rebuild_to_run(program);
}

c10::IValue Network::run(const std::vector<c10::IValue>& inputs, const See& see) {
  const torch::NoGradGuard no_grad;
  // The profiling executor would compile for each new shape; a network that runs once a sample gains nothing by it.
  const torch::jit::GraphOptimizerEnabledGuard plainly(false);
  const runtime::SeedGuard seed_guard;
  at::manual_seed(kSeed + runs_++);
  Run run{&see, nullptr};
  const RunGuard guard(run);
  std::vector<c10::IValue> copies;
  for (const c10::IValue& input : inputs) copies.push_back(input.deepcopy());
  runtime::LimitedRun limited("a run of the network on calibration data");
  try {
    return module_.forward(copies);
  } catch (...) {
    limited.check();
    if (run.problem) std::rethrow_exception(run.problem);
    throw Error(ErrorKind::input, runtime::explain_current_exception());
  }
}

}  // namespace fusekit::quantize
