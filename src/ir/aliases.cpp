#include "ir/aliases.h"

#include <algorithm>

#include "ir/constants.h"
#include "ir/written_attributes.h"

namespace fusekit::ir {
namespace {

/// Operators whose schema does not say that they write: the flag that makes them write, and what they write then.
struct HiddenWrite {
  const char* op;
  const char* flag;  ///< nullptr: always
  std::vector<const char*> written;
};

const std::vector<HiddenWrite>& hidden_writes() {
  static const std::vector<HiddenWrite> table = {
      {"aten::batch_norm", "training", {"running_mean", "running_var"}},
      {"aten::_batch_norm_impl_index", "training", {"running_mean", "running_var"}},
      {"aten::native_batch_norm", "training", {"running_mean", "running_var"}},
      {"aten::cudnn_batch_norm", "training", {"running_mean", "running_var"}},
      {"aten::miopen_batch_norm", "training", {"running_mean", "running_var"}},
      {"aten::batch_norm_update_stats", nullptr, {"running_mean", "running_var"}},
      {"aten::instance_norm", "use_input_stats", {"running_mean", "running_var"}},
  };
  return table;
}

/// Could a value of this type be, or hold, a tensor?
bool may_hold_a_tensor(const c10::Type& type) {
  if (type.kind() == c10::TypeKind::TensorType) return true;
  const auto parts = type.containedTypes();
  return type.kind() != c10::TypeKind::ClassType &&
         std::any_of(parts.begin(), parts.end(), [](const c10::TypePtr& part) { return may_hold_a_tensor(*part); });
}

bool is_tensor_or_none(const c10::Type& type) {
  return type.kind() == c10::TypeKind::TensorType || (type.kind() == c10::TypeKind::OptionalType &&
                                                      type.containedTypes().at(0)->kind() == c10::TypeKind::TensorType);
}

/// The tensors that an operator writes, by its schema or without a word.
std::vector<Value*> targets_of(Node* node) {
  std::vector<Value*> targets;
  for (const Value* target : hidden_targets(node)) targets.push_back(const_cast<Value*>(target));
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr || !schema->is_mutable()) return targets;
  for (std::size_t i = 0; i < std::min(schema->arguments().size(), node->inputs().size()); ++i) {
    const auto* info = schema->arguments()[i].alias_info();
    if (info != nullptr && info->isWrite() && is_tensor_or_none(*node->input(i)->type()))
      targets.push_back(node->input(i));
  }
  return targets;
}

/// One name for all attributes that share a storage in the file.
std::map<std::string, std::string> tied_names(const Program& program) {
  std::map<const void*, std::string> first;
  std::map<std::string, std::string> names;
  for (const std::string& path : program.written) {
    const auto dot = path.rfind('.');
    const std::string name = dot == std::string::npos ? path : path.substr(dot + 1);
    names.emplace(name, name);
    const auto value = attribute_at(program.original, path);
    if (!value || !value->isTensor() || !value->toTensor().defined() || !value->toTensor().has_storage()) continue;
    const void* storage = value->toTensor().storage().unsafeGetStorageImpl();
    const std::string from = names.at(name);
    const std::string to = names.at(first.emplace(storage, name).first->second);
    for (auto& [each, representative] : names)
      if (representative == from) representative = to;
  }
  return names;
}

}  // namespace

std::vector<const Value*> hidden_targets(const Node* node) {
  std::vector<const Value*> targets;
  for (const HiddenWrite& entry : hidden_writes()) {
    if (node->kind() != c10::Symbol::fromQualString(entry.op)) continue;
    if (entry.flag != nullptr && constant_bool(argument(node, entry.flag)) == false) continue;
    for (const char* name : entry.written)
      if (const Value* target = argument(node, name); target != nullptr && !is_none(target)) targets.push_back(target);
  }
  return targets;
}

Aliases::Aliases(Graph& graph, const Program& program) {
  const torch::jit::WithInsertPoint guard(*graph.nodes().begin());
  // An operator's output: of a prim::Uninitialized, AliasDb takes views for memory of their own.
  inputs_ = graph.insert(c10::aten::scalar_tensor, {0});
  analyze(graph);
  find_writes_and_holders(graph, program);
  std::erase_if(attributes_, [this](const auto& entry) { return !is_any_written(entry.second); });
  for (auto& [name, holders] : attributes_)
    if (is_given_out(graph, holders)) holders.push_back(inputs_);
}

Aliases::~Aliases() {
  torch::jit::Node* stand_in = inputs_->node();
  const std::vector<Value*> constants = stand_in->inputs().vec();
  stand_in->destroy();
  for (Value* constant : constants) constant->node()->destroy();
}

/// AliasDb takes all inputs and all that is assigned to an attribute for one memory. While it looks, the inputs are
/// `inputs_`, and None is assigned.
void Aliases::analyze(Graph& graph) {
  struct Read {
    torch::jit::Use use;
    Value* value;
  };
  std::vector<Read> replaced;
  for (Value* input : graph.inputs())
    if (is_tensor_or_none(*input->type()))
      for (const torch::jit::Use& use : input->uses()) replaced.push_back({use, input});
  const std::size_t of_inputs = replaced.size();
  for (Node* node : all_nodes(graph))
    if (node->kind() == c10::prim::SetAttr && may_hold_a_tensor(*node->input(1)->type()))
      replaced.push_back({{node, 1}, node->input(1)});

  Value* none = graph.insertConstant(c10::IValue());
  for (std::size_t i = 0; i < replaced.size(); ++i)
    replaced[i].use.user->replaceInput(replaced[i].use.offset, i < of_inputs ? inputs_ : none);
  // It wants to own the graph, but a graph of 1.13 can't tell who owns it.
  db_ = std::make_unique<torch::jit::AliasDb>(std::shared_ptr<Graph>(std::shared_ptr<void>(), &graph),
                                              /*isFrozen=*/true);
  for (const Read& read : replaced) read.use.user->replaceInput(read.use.offset, read.value);
  none->node()->destroy();
}

void Aliases::find_writes_and_holders(Graph& graph, const Program& program) {
  const auto names = tied_names(program);
  const auto as_analyzed = [&](Value* value) {
    return value->node()->kind() == c10::prim::Param && value->node()->owningBlock() == graph.block() &&
                   is_tensor_or_none(*value->type())
               ? inputs_
               : value;
  };
  for (Node* node : all_nodes(graph)) {
    for (Value* target : targets_of(node)) written_.push_back(as_analyzed(target));
    const bool assigns = node->kind() == c10::prim::SetAttr;
    if (!assigns && node->kind() != c10::prim::GetAttr) continue;
    Value* value = assigns ? node->input(1) : node->output();
    if (!may_hold_a_tensor(*value->type())) continue;
    const std::string& name = node->s(c10::attr::name);
    const auto tied = names.find(name);
    attributes_[tied == names.end() ? name : tied->second].push_back(as_analyzed(value));
  }
}

bool Aliases::may_hold(Value* holder, Value* value) const {
  return holder == value || db_->mayAlias(holder, value) || db_->mayContainAlias(holder, value);
}

bool Aliases::is_any_written(const Holders& holders) const {
  return std::any_of(holders.begin(), holders.end(), [this](Value* holder) {
    return std::any_of(written_.begin(), written_.end(), [&](Value* target) { return may_hold(holder, target); });
  });
}

bool Aliases::is_given_out(Graph& graph, const Holders& holders) const {
  return db_->mayContainAlias(at::ArrayRef<Value*>(holders), graph.outputs());
}

bool Aliases::is_written(const Value* given) const {
  const bool is_input = given->node()->kind() == c10::prim::Param &&
                        given->node()->owningBlock() == inputs_->node()->owningBlock() &&
                        is_tensor_or_none(*given->type());
  Value* value = is_input ? inputs_ : const_cast<Value*>(given);
  const auto is_it = [&](Value* target) { return target == value || db_->mayAlias(target, value); };
  if (db_->hasWriters(value) || std::any_of(written_.begin(), written_.end(), is_it)) return true;
  return std::any_of(attributes_.begin(), attributes_.end(), [&](const auto& entry) {
    return std::any_of(entry.second.begin(), entry.second.end(),
                       [&](Value* holder) { return may_hold(holder, value); });
  });
}

}  // namespace fusekit::ir
