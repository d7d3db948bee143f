#include "inputs/passed_arguments.h"

#include <fmt/ranges.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <set>

#include "inputs/dtype.h"
#include "ir/program.h"
#include "runtime/captured_output.h"
#include "runtime/limited_run.h"

namespace fusekit::inputs {
namespace {

using torch::jit::Graph;
using torch::jit::Node;

constexpr const char* kPassed = "fusekit::passed";

/// Ends a run of forward that has come to the call.
struct CameToTheCall : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "came to the call"; }
};

std::optional<Sample>& passed() {
  thread_local std::optional<Sample> sample;
  return sample;
}

/// fusekit::passed(...): known to this process only, and no written file has it.
void register_passed() {
  static const torch::jit::RegisterOperators registered({torch::jit::Operator(
      std::string(kPassed) + "(...) -> ()",
      [](torch::jit::Stack& stack) {
        const auto count = static_cast<std::size_t>(torch::jit::pop(stack).toInt());
        Sample sample;
        for (const c10::IValue& value : torch::jit::last(stack, count)) sample.push_back(value.deepcopy());
        passed() = std::move(sample);
        throw CameToTheCall();
      },
      c10::AliasAnalysisKind::CONSERVATIVE)});
}

/// Calls of methods of the root module itself.
std::vector<Node*> own_calls(Graph& graph) {
  std::vector<Node*> calls;
  for (Node* node : ir::all_nodes(graph))
    if (node->kind() == c10::prim::CallMethod && node->input(0) == graph.inputs().at(0)) calls.push_back(node);
  return calls;
}

std::shared_ptr<Graph> graph_of(const torch::jit::Module& module, const std::string& method) {
  return torch::jit::toGraphFunction(module.get_method(method).function()).graph();
}

/// The methods whose runs may come to a call of `method`, through others or not.
std::set<std::string> callers_of(const torch::jit::Module& module, const std::string& method) {
  std::set<std::string> callers;
  for (std::size_t before = 1; before != callers.size();) {
    before = callers.size();
    for (const torch::jit::Method& each : module.get_methods())
      for (const Node* call : own_calls(*graph_of(module, each.name())))
        if (call->s(c10::attr::name) == method || callers.count(call->s(c10::attr::name)) > 0)
          callers.insert(each.name());
  }
  return callers;
}

/// forward with the calls that lead to `method` inlined.
std::shared_ptr<Graph> forward_down_to(const torch::jit::Module& module, const std::set<std::string>& callers) {
  std::shared_ptr<Graph> graph = graph_of(module, "forward")->copy();
  for (bool found = true; found;) {
    found = false;
    for (Node* call : own_calls(*graph)) {
      const std::string& name = call->s(c10::attr::name);
      if (callers.count(name) == 0) continue;
      auto& callee = torch::jit::toGraphFunction(module.get_method(name).function());
      torch::jit::inlineCallTo(call, &callee, callee.graph().get());  // as it is: its own calls stay calls
      found = true;
      break;  // the list of calls is another one now
    }
  }
  return graph;
}

}  // namespace

std::optional<Sample> passed_arguments(torch::jit::Module& module, const std::string& method, const Sample& sample) {
  register_passed();
  const std::set<std::string> callers = callers_of(module, method);
  if (callers.count("forward") == 0) return std::nullopt;
  const std::shared_ptr<Graph> graph = forward_down_to(module, callers);
  for (Node* call : own_calls(*graph)) {
    if (call->s(c10::attr::name) != method) continue;
    Node* node = graph->create(c10::Symbol::fromQualString(kPassed), call->inputs().slice(1), 0);
    node->insertBefore(call);
  }
  torch::jit::Stack stack{module._ivalue()};
  for (const c10::IValue& value : sample) stack.push_back(value.deepcopy());

  const runtime::CapturedOutput captured;
  const torch::NoGradGuard no_grad;
  const torch::jit::GraphOptimizerEnabledGuard plainly(false);
  const runtime::LimitedRun limited("a run of forward");
  passed().reset();
  try {
    module.get_method("forward").function().getSchema().checkAndNormalizeInputs(stack);  // fills in defaults
    torch::jit::GraphExecutor(graph, "forward").run(stack);
  } catch (...) {
    limited.check();
  }
  return std::exchange(passed(), std::nullopt);
}

namespace {

std::string in_words(const c10::IValue& value) {
  if (value.isInt() || value.isDouble() || value.isBool() || value.isNone()) return "=" + c10::str(value);
  if (value.isGenericDict()) return fmt::format("a dict of {}", value.toGenericDict().size());
  if (value.isList()) return fmt::format("a list of {}", value.toListRef().size());
  return "a " + value.tagKind();
}

}  // namespace

std::string text_of(const Sample& sample) {
  std::string text;
  for (const c10::IValue& value : sample) {
    text += text.empty() ? "" : "; ";
    if (value.isTensor() && value.toTensor().defined()) {
      const at::Tensor& tensor = value.toTensor();
      text += fmt::format("{} {}", fmt::join(tensor.sizes(), "x"), name_of(tensor.scalar_type()));
    } else {
      text += in_words(value);
    }
  }
  return text.empty() ? "no arguments" : text;
}

}  // namespace fusekit::inputs
