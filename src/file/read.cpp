#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include "file/modules_in_training.h"
#include "file/original.h"
#include "file/rebuild.h"
#include "fusekit/error.h"
#include "fusekit/model.h"
#include "ir/cleanup.h"
#include "ir/flatten.h"
#include "ir/functional.h"
#include "ir/lookups.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "ir/training_mode.h"
#include "ir/written_attributes.h"

namespace fusekit {
namespace file {
namespace {

/// Names of the root's methods that another of its methods calls.
std::set<std::string> called_methods(const torch::jit::Module& root) {
  std::set<std::string> called;
  for (const auto& method : root.get_methods()) {
    const auto graph = torch::jit::toGraphFunction(method.function()).graph();
    for (const Node* node : ir::all_nodes(*graph))
      if (node->kind() == c10::prim::CallMethod && node->input(0) == graph->inputs().at(0))
        called.insert(node->s(c10::attr::name));
  }
  return called;
}

/// forward and what a user may call: everything but a private helper ("_forward_impl") that another method calls.
std::vector<std::string> kept_methods(const torch::jit::Module& root) {
  const std::set<std::string> called = called_methods(root);
  std::vector<std::string> names;
  for (const auto& method : root.get_methods()) {
    const bool is_helper = method.name().starts_with("_") && called.count(method.name()) > 0;
    if (!is_helper && method.name() != "forward") names.push_back(method.name());
  }
  names.insert(names.begin(), "forward");
  return names;
}

void refuse_what_a_rebuild_would_lose(const std::filesystem::path& path, const torch::jit::Module& root) {
  if (!root.find_method("forward"))
    throw Error(ErrorKind::model, fmt::format("{}: the module has no forward method", path.string()),
                "save a module whose forward is compiled (torch.jit.script or torch.jit.trace)");
  if (ir::is_opaque(root))
    throw Error(
        ErrorKind::model,
        fmt::format("{}: the root module packs its state with __getstate__, which can't be rebuilt", path.string()),
        "fuse the file from before the state was packed");
  if (!root.type()->getForwardHooks().empty() || !root.type()->getForwardPreHooks().empty())
    throw Error(ErrorKind::model, fmt::format("{}: the root module has forward hooks", path.string()),
                "call the hooks' code from forward instead");
}

/// Replaces reads of numbers, flags, strings and None by constants; but not what train() and eval() change in a network
/// that is in training mode.
void resolve_settings(ir::FlatGraph& flat, const std::set<std::string>& assigned) {
  for (Node* node : ir::all_nodes(*flat.graph)) {
    if (node->kind() != c10::prim::GetAttr || !ir::is_module_attribute(flat, node)) continue;
    const ir::ModuleAt& owner = flat.modules.at(node->input());
    const c10::IValue value = owner.module.attr(node->s(c10::attr::name));
    if (assigned.count(ir::attribute_path(flat, node)) > 0 || !ir::is_plain_value(value) ||
        ir::is_opaque(owner.module) || ir::reads_training_mode(flat, node))
      continue;
    const torch::jit::WithInsertPoint guard(node);
    node->output()->replaceAllUsesWith(flat.graph->insertConstant(value));
    node->destroy();
  }
  ir::propagate_constants(*flat.graph);
  ir::remove_dead_code(*flat.graph);
  ir::forget_removed_modules(flat);
}

/// Operators in the root's own code go by the module whose weights they use: a file that was fused before has no calls.
void name_users(const Value* weight, const std::string& module_path) {
  for (const torch::jit::Use& use : weight->uses())
    if (ir::scope_of(use.user).empty()) ir::set_scope(use.user, module_path);
}

/// Replaces reads of tensors that nothing writes by constants that know their path.
void resolve_weights(ir::Program& program, ir::FlatGraph& flat, const std::set<std::string>& written) {
  for (Node* node : ir::all_nodes(*flat.graph)) {
    if (node->kind() != c10::prim::GetAttr || !ir::is_module_attribute(flat, node)) continue;
    const ir::ModuleAt& owner = flat.modules.at(node->input());
    const std::string& name = node->s(c10::attr::name);
    const c10::IValue value = owner.module.attr(name);
    const std::string path = ir::attribute_path(flat, node);
    program.read_paths.insert(path);
    if (!value.isTensor() || written.count(path) > 0 || ir::is_opaque(owner.module)) continue;
    const std::size_t slot = owner.module.type()->getAttributeSlot(name);
    program.weights.emplace(path, ir::Weight{value.toTensor(), path, owner.module.type()->is_parameter(slot),
                                             owner.module.type()->is_buffer(slot), /*is_new=*/false, /*packed=*/{}});
    Value* weight = ir::insert_weight(program, node, path);
    node->output()->replaceAllUsesWith(weight);
    name_users(weight, owner.path);
    node->destroy();
  }
  ir::propagate_constants(*flat.graph);
  ir::remove_dead_code(*flat.graph);
}

/// The methods' graphs, with what is set in the file in place of its reads.
std::vector<ir::FlatGraph> resolved_graphs(const torch::jit::Module& root, const std::vector<std::string>& methods) {
  std::vector<ir::FlatGraph> flats;
  for (const std::string& name : methods) flats.push_back(ir::flatten(root, name));
  const std::set<std::string> assigned = ir::assigned_paths(flats);
  ir::resolve_lookups(flats, assigned);
  for (ir::FlatGraph& flat : flats) resolve_settings(flat, assigned);
  return flats;
}

std::vector<std::string> united(const ir::TrainingModules& modules) {
  std::set<std::string> all = modules.by_attribute;
  all.insert(modules.by_constant.begin(), modules.by_constant.end());
  return {all.begin(), all.end()};
}

/// eval() is to be asked for before the graphs are resolved, and does not reach what is constant in a trace.
void put_into_eval(Original& original, const std::vector<std::string>& methods) {
  const auto found = ir::training_modules(original.module(), resolved_graphs(original.module(), methods));
  if (!found.by_constant.empty())
    throw Error(ErrorKind::model,
                fmt::format("it was traced in training mode, which eval() can't change any more: {}",
                            listed({found.by_constant.begin(), found.by_constant.end()})),
                "trace it anew after model.eval()");
  original.put_into_eval();
}

/// Fills in what `original` may write as well.
ir::Program make_program(Original& original, const ReadOptions& options) {
  ir::Program program;
  const std::vector<std::string> names = kept_methods(original.module());
  if (options.eval) put_into_eval(original, names);
  program.original = original.module();
  program.extra = original.extra();
  std::vector<ir::FlatGraph> flats = resolved_graphs(program.original, names);
  const ir::TrainingModules in_training = ir::training_modules(program.original, flats);
  program.in_training = united(in_training);
  program.asks_for_mode = !in_training.by_attribute.empty();
  const std::set<std::string> written = ir::written_paths(program.original, flats);
  for (std::size_t i = 0; i < flats.size(); ++i) {
    resolve_weights(program, flats[i], written);
    ir::make_functional(*flats[i].graph);
    program.methods.push_back({names[i], flats[i].graph, program.original.get_method(names[i]).function().getSchema()});
  }
  program.written = written;
  original.set_written(written);
  return program;
}

}  // namespace

std::vector<std::string> modules_in_training(const torch::jit::Module& root) {
  if (!root.find_method("forward")) return {};
  try {
    return united(ir::training_modules(root, resolved_graphs(root, kept_methods(root))));
  } catch (const Error&) {
    return {};  // can't be followed
  }
}

}  // namespace file

Model read(const std::filesystem::path& path, const ReadOptions& options) {
  const auto original = std::make_shared<file::Original>(path);
  file::refuse_what_a_rebuild_would_lose(path, original->module());
  try {
    auto parts = std::make_unique<ModelParts>();
    parts->program = file::make_program(*original, options);
    parts->original = original;
    return ModelParts::wrap(std::move(parts));
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", path.string(), error.message()), error.hint());
  }
}

}  // namespace fusekit
