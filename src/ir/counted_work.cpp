#include "ir/counted_work.h"

#include <ATen/Functions.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/symbolic_shape_analysis.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "ir/operators.h"

namespace fusekit::ir {
namespace {

using c10::IValue;

constexpr std::int64_t kMostTurns = 1000;  ///< of a loop

/// Numbers that are tensors, as traced shapes are, are computed with; of all others only the shape and dtype are kept.
IValue without_data(const IValue& value) {
  if (value.isTensor() && value.toTensor().defined() && value.toTensor().dim() > 0)
    return at::empty_strided(value.toTensor().sizes(), value.toTensor().strides(),
                             value.toTensor().options().device(at::kMeta));
  if (value.isTensor() && value.toTensor().defined()) return value.toTensor().clone();
  if (!value.isTensorList()) return value.isList() ? value.deepcopy() : value;
  c10::List<at::Tensor> list;
  for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(without_data(tensor).toTensor());
  return list;
}

/// Those that give a new tensor of the sizes that they are told.
bool is_factory(const Node* node) {
  return is_operator(node, {"aten::zeros", "aten::ones", "aten::empty", "aten::full", "aten::rand", "aten::randn",
                            "aten::randint", "aten::arange", "aten::linspace", "aten::eye"});
}

/// Tensors of numbers that are written out, which are small; what is computed of them may be a shape.
bool holds_numbers(const Node* node) {
  return is_operator(node, {"aten::tensor", "aten::as_tensor", "aten::scalar_tensor"});
}

bool is_of_tensors(const IValue& value) {
  return value.isTensor() || value.isTensorList() || value.isGenericDict() || value.isTuple();
}

bool is_value(const Value* value) {
  return !value->type()->isSubtypeOf(*c10::TensorType::get()) && !(*value->type() == *c10::ListType::ofTensors());
}

/// Does it write into a list or dict, whose other names nobody follows here?
bool writes_collection(const Node* node) {
  const auto* schema = node->maybeSchema();
  return schema != nullptr && schema->is_mutable() && !node->inputs().empty() && !is_tensor(node->input(0));
}

/// Whether it does no more than to compute: no operator from elsewhere, none that reads files or prints.
bool may_be_asked(const Node* node, const std::vector<IValue>& inputs) {
  if (!node->blocks().empty() || node->hasSideEffects() || node->maybeSchema() == nullptr) return false;
  if (!node->kind().is_aten() && !node->kind().is_prim()) return false;
  if (writes_collection(node)) return true;
  if (is_factory(node) || holds_numbers(node)) return true;
  if (std::any_of(inputs.begin(), inputs.end(), is_of_tensors)) return true;
  return std::all_of(node->outputs().begin(), node->outputs().end(), is_value) ||
         node->kind() == c10::prim::NumToTensor;
}

/// Operators whose first output has the shape of their first input, and which the meta device does not know.
bool keeps_shape(const Node* node) {
  return is_operator(node, {"aten::layer_norm", "aten::group_norm", "aten::instance_norm", "aten::_weight_norm",
                            "aten::dropout", "aten::dropout_", "aten::feature_dropout", "aten::to",
                            "aten::_transformer_encoder_layer_fwd", "aten::_native_multi_head_attention"});
}

class Walk {
 public:
  explicit Walk(const Program& program) : program_(program) {}

  void begin(const Method& method, const std::vector<IValue>& arguments) {
    const auto inputs = method.graph->inputs();
    known_[inputs[0]] = program_.original._ivalue();
    for (std::size_t i = 0; i < arguments.size() && i + 1 < inputs.size(); ++i)
      known_[inputs[i + 1]] = without_data(arguments[i]);
    visit(method.graph->block());
  }

  [[nodiscard]] const CountedWork& counted() const { return counted_; }

 private:
  [[nodiscard]] const IValue* find(const Value* value) const {
    const auto found = known_.find(value);
    return found == known_.end() || lost_ ? nullptr : &found->second;
  }

  void set(const Value* value, const IValue* known) {
    if (known != nullptr) {
      known_[value] = *known;
    } else {
      known_.erase(value);
    }
  }

  void visit(torch::jit::Block* block) {
    for (Node* node : block->nodes()) visit(node);
  }

  void visit(Node* node) {
    if (node->kind() == c10::prim::If) return visit_branches(node);
    if (node->kind() == c10::prim::Loop) return visit_loop(node);
    if (!node->blocks().empty()) return give_up(node);
    evaluate(node);
    if (const auto work = as_work(node)) count(*work);
  }

  /// Nothing is known of what it does, or whether it does it.
  void give_up(Node* node) {
    for (const Value* output : node->outputs()) known_.erase(output);
    lost_ = lost_ || writes_collection(node);
    for (torch::jit::Block* block : node->blocks())
      for (Node* inner : block->nodes()) {
        if (as_work(inner)) ++counted_.unknown;
        give_up(inner);
      }
  }

  void visit_branches(Node* node) {
    const IValue* condition = find(node->input());
    if (condition == nullptr || !condition->isBool()) return give_up(node);
    torch::jit::Block* taken = node->blocks().at(condition->toBool() ? 0 : 1);
    visit(taken);
    for (std::size_t i = 0; i < node->outputs().size(); ++i) set(node->outputs()[i], find(taken->outputs()[i]));
  }

  void visit_loop(Node* node) {
    torch::jit::Block* body = node->blocks().at(0);
    const IValue* most = find(node->input(0));
    const IValue* first = find(node->input(1));
    if (most == nullptr || first == nullptr || !most->isInt() || !first->isBool()) return give_up(node);
    const std::int64_t turns = most->toInt();
    bool goes_on = first->toBool();
    std::vector<std::optional<IValue>> carried;
    const auto carry = [&](const Value* value) {
      const IValue* known = find(value);
      carried.push_back(known != nullptr ? std::optional(*known) : std::nullopt);
    };
    for (const Value* input : node->inputs().slice(2)) carry(input);
    for (std::int64_t turn = 0; turn < turns && goes_on; ++turn) {
      known_[body->inputs()[0]] = turn;
      for (std::size_t i = 0; i < carried.size(); ++i) set(body->inputs()[i + 1], carried[i] ? &*carried[i] : nullptr);
      visit(body);
      const IValue* next = find(body->outputs()[0]);
      if (next == nullptr || !next->isBool() || turn == kMostTurns) return give_up(node);
      goes_on = next->toBool();
      carried.clear();
      for (const Value* output : body->outputs().slice(1)) carry(output);
    }
    for (std::size_t i = 0; i < carried.size(); ++i) set(node->outputs()[i], carried[i] ? &*carried[i] : nullptr);
  }

  void evaluate(Node* node) {
    if (node->kind() == c10::prim::Constant) return take_constant(node);
    if (node->kind() == c10::prim::GetAttr) return take_attribute(node);
    if (node->kind() == c10::prim::SetAttr) written_.insert(node->s(c10::attr::name));
    if (is_operator(node, {"aten::is_autocast_enabled"})) {
      known_[node->output()] = false;
      return;
    }
    if (take_shape_of_input(node) || take_shape_of_attention(node)) return;
    std::vector<IValue> inputs;
    for (const Value* input : node->inputs()) {
      const IValue* known = find(input);
      if (known == nullptr) return give_up(node);
      inputs.push_back(*known);
    }
    if (take_apart_or_put_together(node, inputs)) return;
    if (!may_be_asked(node, inputs) || !(ask_operator(node, inputs) || ask_shape_function(node, inputs))) give_up(node);
  }

  void take_constant(Node* node) {
    if (const auto weight = constant_tensor(program_, node->output())) {
      known_[node->output()] = without_data(*weight);
    } else if (const auto value = torch::jit::toIValue(node->output())) {
      known_[node->output()] = without_data(*value);
    }
  }

  /// As the file has it, until it is written.
  void take_attribute(Node* node) {
    const IValue* object = find(node->input());
    const std::string& name = node->s(c10::attr::name);
    if (object == nullptr || !object->isObject() || written_.count(name) > 0) return give_up(node);
    const IValue value = object->toObjectRef().getAttr(name);
    if (value.isGenericDict()) return give_up(node);
    known_[node->output()] = without_data(value);
  }

  bool take_shape_of_input(Node* node) {
    const auto activation = as_activation(node);
    const auto batch_norm = as_batch_norm(node);
    if (!activation && !batch_norm && !keeps_shape(node)) return false;
    const Value* input = activation ? activation->input : batch_norm ? batch_norm->input : node->input(0);
    set(node->output(0), find(input));
    return true;
  }

  bool take_shape_of_attention(Node* node) {
    if (!is_operator(node, {"aten::scaled_dot_product_attention"})) return false;
    const IValue* query = find(node->input(0));
    const IValue* value = find(node->input(2));
    if (query == nullptr || value == nullptr) return false;
    std::vector<std::int64_t> sizes = query->toTensor().sizes().vec();
    sizes.back() = value->toTensor().sizes().back();
    known_[node->output()] = at::empty(sizes, query->toTensor().options());
    return true;
  }

  bool take_apart_or_put_together(Node* node, const std::vector<IValue>& inputs) {
    switch (node->kind()) {
      case c10::prim::TupleConstruct:
        known_[node->output()] = c10::ivalue::Tuple::create(inputs);
        return true;
      case c10::prim::ListConstruct: {
        c10::impl::GenericList list(node->output()->type()->expectRef<c10::ListType>().getElementType());
        for (const IValue& input : inputs) list.push_back(input);
        known_[node->output()] = list;
        return true;
      }
      case c10::prim::TupleUnpack:
      case c10::prim::ListUnpack: {
        const std::vector<IValue> parts =
            inputs[0].isTuple() ? inputs[0].toTupleRef().elements().vec() : inputs[0].toListRef().vec();
        for (std::size_t i = 0; i < node->outputs().size(); ++i)
          set(node->outputs()[i], i < parts.size() ? &parts[i] : nullptr);
        return true;
      }
      case c10::prim::TupleIndex: {
        const auto parts = inputs[0].toTupleRef().elements().vec();
        const std::int64_t place = inputs[1].toInt();
        set(node->output(), &parts.at(static_cast<std::size_t>(place < 0 ? place + std::ssize(parts) : place)));
        return true;
      }
      default:
        return false;
    }
  }

  bool ask_operator(Node* node, std::vector<IValue> stack) {
    const auto& arguments = node->schema().arguments();
    for (std::size_t i = 0; i < std::min(stack.size(), arguments.size()); ++i)
      if (arguments[i].name() == "device" && (is_factory(node) || stack[i].isDevice()))
        stack[i] = at::Device(at::kMeta);
    if (node->schema().is_vararg()) stack.emplace_back(static_cast<std::int64_t>(stack.size()));
    try {
      node->getOperation()(stack);
    } catch (...) {
      return false;  // an operator that needs data, or does not know the meta device
    }
    if (stack.size() != node->outputs().size()) return false;
    for (std::size_t i = 0; i < stack.size(); ++i)
      known_[node->outputs()[i]] = stack[i].isTensor() ? without_data(stack[i]) : stack[i];
    return true;
  }

  /// What TorchScript's shape functions say, of which convolutions have one.
  bool ask_shape_function(Node* node, const std::vector<IValue>& stack) {
    std::vector<torch::jit::SSAInput> inputs;
    at::ScalarType dtype = at::kFloat;
    for (auto value = stack.rbegin(); value != stack.rend(); ++value) {
      if (value->isTensor() && value->toTensor().defined()) dtype = value->toTensor().scalar_type();
      inputs.insert(inputs.begin(), value->isTensor() && value->toTensor().defined()
                                        ? torch::jit::SSAInput(c10::SymbolicShape(value->toTensor().sizes()))
                                        : torch::jit::SSAInput(*value));
    }
    try {
      const auto shapes = torch::jit::calculateSymbolicShapesOnOp(&node->schema(), inputs);
      if (!shapes || shapes->size() != node->outputs().size()) return false;
      for (std::size_t i = 0; i < shapes->size(); ++i) {
        const c10::SymbolicShape& shape = shapes->at(i);
        if (!shape.isComplete()) return false;
        std::vector<std::int64_t> sizes;
        for (std::size_t k = 0; k < *shape.rank(); ++k) sizes.push_back(shape.at(k).static_size());
        known_[node->outputs()[i]] = at::empty(sizes, at::TensorOptions(dtype).device(at::kMeta));
      }
      return true;
    } catch (...) {
      return false;
    }
  }

  void count(const Work& work) {
    const auto shape_of = [this](const Value* value) {
      const IValue* known = find(value);
      const bool is_known = known != nullptr && known->isTensor() && known->toTensor().defined();
      return is_known ? known->toTensor().sizes().vec() : std::vector<std::int64_t>();
    };
    const double count = multiply_adds(work, program_, shape_of);
    counted_.multiply_adds += count;
    if (count == 0) ++counted_.unknown;
  }

  const Program& program_;
  std::unordered_map<const Value*, IValue> known_;
  std::set<std::string> written_;  ///< names of attributes
  bool lost_ = false;              ///< a list or dict that is known was written with what is not
  CountedWork counted_;
};

}  // namespace

CountedWork count_work(const Program& program, const Method& method, const std::vector<IValue>& arguments) {
  const torch::NoGradGuard no_grad;
  Walk walk(program);
  walk.begin(method, arguments);
  return walk.counted();
}

}  // namespace fusekit::ir
