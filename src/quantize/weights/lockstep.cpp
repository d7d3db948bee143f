#include "quantize/weights/lockstep.h"

#include <torch/csrc/jit/runtime/interpreter.h>

#include <algorithm>

#include "file/copy_module.h"
#include "fusekit/error.h"
#include "runtime/error_text.h"
#include "runtime/seed_guard.h"

namespace fusekit::quantize {

Lockstep::Lockstep(const ir::Program& program, const std::vector<Sample>& samples) : program_(program) {
  Graph& graph = *program.methods.front().graph;
  for (Node* node : graph.nodes()) {
    places_.emplace(node, nodes_.size());
    nodes_.push_back(node);
  }
  for (const Node* node : ir::all_nodes(graph)) {
    const std::size_t place = places_.at(ir::top_level(node));
    const auto use = [&](const Value* value) { last_[value] = std::max(last_[value], place); };
    for (const Value* input : node->inputs()) use(input);
    for (const torch::jit::Block* block : node->blocks())
      for (const Value* output : block->outputs()) use(output);
  }
  for (const Sample& sample : samples) {
    Environment& environment = environments_.emplace_back();
    const bool has_state = !program.written.empty();
    environment[graph.inputs().at(0)] =
        has_state ? file::copy_with_own_state(program.original, program.written)._ivalue() : program.original._ivalue();
    const auto& arguments = program.methods.front().schema.arguments();
    for (std::size_t i = 1; i < graph.inputs().size(); ++i) {
      const bool given = i <= sample.inputs.size();
      if (given || arguments.at(i).default_value())
        environment[graph.inputs()[i]] =
            given ? sample.inputs[i - 1].deepcopy() : arguments.at(i).default_value()->deepcopy();
    }
  }
}

bool Lockstep::can_stop_at(const Value* value) const {
  return value->node()->kind() == c10::prim::Param ? environments_.empty() || environments_.front().count(value) > 0
                                                   : places_.count(value->node()) > 0;
}

void Lockstep::run_until(const Value* value) {
  const auto place = places_.find(value->node());
  if (place == places_.end() || place->second < next_) return;
  run(cut(place->second + 1));
  next_ = place->second + 1;
  for (Environment& environment : environments_)
    for (auto entry = environment.begin(); entry != environment.end();)
      entry = is_needed_from(next_, entry->first) ? std::next(entry) : environment.erase(entry);
}

at::Tensor Lockstep::tensor(std::size_t k, const Value* value) const {
  const at::Tensor tensor = environments_[k].at(value).toTensor();
  return tensor.is_quantized() ? tensor.dequantize() : tensor;
}

bool Lockstep::is_needed_from(std::size_t place, const Value* value) const {
  const auto last = last_.find(value);
  return last != last_.end() && last->second >= place;
}

Lockstep::Piece Lockstep::cut(std::size_t end) const {
  Piece piece{std::make_shared<Graph>(), {}, {}, {}};
  Graph& graph = *piece.graph;
  std::unordered_map<const Value*, Value*> known;
  const auto counterpart = [&](Value* value) {
    const auto found = known.find(value);
    if (found != known.end()) return found->second;
    if (value->node()->kind() == c10::prim::Constant) {
      Node* constant = graph.createClone(value->node(), [](Value* same) { return same; });
      return known[value] = graph.prependNode(constant)->output();
    }
    piece.inputs.push_back(value);
    return known[value] = graph.addInput()->copyMetadata(value);
  };
  for (std::size_t place = next_; place < end; ++place) {
    Node* node = nodes_[place];
    if (node->kind() == c10::prim::Constant) continue;
    Node* copy = graph.insertNode(graph.createClone(node, counterpart));
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      known[node->output(i)] = copy->output(i);
      if (!is_needed_from(end, node->output(i))) continue;
      graph.registerOutput(copy->output(i));
      piece.outputs.push_back(node->output(i));
    }
  }
  for (Node* node : ir::all_nodes(graph)) {
    const auto key = node->outputs().size() == 1 ? ir::weight_key(node->output()) : std::nullopt;
    if (!key) continue;
    const ir::Weight& weight = program_.weights.at(*key);
    piece.weights.push_back(weight.packed.isNone() ? c10::IValue(weight.tensor) : weight.packed);
    node->output()->replaceAllUsesWith(graph.addInput()->copyMetadata(node->output()));
    node->destroy();
  }
  return piece;
}

void Lockstep::run(const Piece& piece) {
  const torch::NoGradGuard no_grad;
  const torch::jit::Code code(piece.graph, "piece");
  const runtime::SeedGuard seed_guard;
  ++pieces_;
  for (Environment& environment : environments_) {
    at::manual_seed(pieces_);
    torch::jit::Stack stack;
    for (const Value* input : piece.inputs) stack.push_back(environment.at(input));
    stack.insert(stack.end(), piece.weights.begin(), piece.weights.end());
    try {
      torch::jit::InterpreterState(code).run(stack);
    } catch (...) {
      throw Error(ErrorKind::input, runtime::explain_current_exception());
    }
    for (std::size_t i = 0; i < piece.outputs.size(); ++i) environment[piece.outputs[i]] = stack[i];
  }
}

}  // namespace fusekit::quantize
