#include "ir/lookups.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>

#include "ir/program.h"
#include "ir/written_attributes.h"

namespace fusekit::ir {
namespace {

bool is_container(const c10::IValue& value) { return value.isList() || value.isGenericDict(); }

bool holds_plain_data(const c10::IValue& container) {
  if (container.isList()) {
    const auto elements = container.toListRef();
    return std::all_of(elements.begin(), elements.end(), is_plain_value);
  }
  const auto entries = container.toGenericDict();
  return std::all_of(entries.begin(), entries.end(), [](const auto& entry) { return is_plain_value(entry.value()); });
}

/// Does this use of a container ask it for something and no more?
bool is_question(const torch::jit::Use& use) {
  static const std::set<std::string> questions = {"aten::__contains__", "aten::__getitem__", "aten::len"};
  return use.offset == 0 && questions.count(use.user->kind().toQualString()) > 0;
}

struct Attribute {
  Graph* graph;
  Value* value;           ///< where it is read
  c10::IValue container;  ///< what it is
};

void answer(const Attribute& attribute, Node* question) {
  torch::jit::Stack stack{attribute.container};
  for (std::size_t i = 1; i < question->inputs().size(); ++i) {
    const auto constant = torch::jit::toIValue(question->input(i));
    if (!constant) return;
    stack.push_back(*constant);
  }
  try {
    question->getOperation()(stack);
  } catch (const std::exception&) {
    return;  // an index or key that is not there: it goes on raising
  }
  if (stack.size() != 1 || !is_plain_value(stack[0])) return;
  const torch::jit::WithInsertPoint guard(question);
  question->output()->replaceAllUsesWith(attribute.graph->insertConstant(stack[0]));
}

}  // namespace

void resolve_lookups(const std::vector<FlatGraph>& flats, const std::set<std::string>& assigned) {
  std::vector<Attribute> asked;
  std::vector<c10::IValue> others;
  for (const FlatGraph& flat : flats) {
    for (Node* node : all_nodes(*flat.graph)) {
      if (node->kind() != c10::prim::GetAttr || !is_module_attribute(flat, node)) continue;
      const ModuleAt& owner = flat.modules.at(node->input());
      const c10::IValue value = owner.module.attr(node->s(c10::attr::name));
      if (!is_container(value)) continue;
      const auto& uses = node->output()->uses();
      const bool only_asked = std::all_of(uses.begin(), uses.end(), is_question) && !is_opaque(owner.module) &&
                              assigned.count(attribute_path(flat, node)) == 0 && holds_plain_data(value);
      if (only_asked) {
        asked.push_back({flat.graph.get(), node->output(), value});
      } else {
        others.push_back(value);
      }
    }
  }
  for (const Attribute& attribute : asked) {
    if (std::any_of(others.begin(), others.end(),
                    [&](const c10::IValue& other) { return other.is(attribute.container); }))
      continue;
    for (const torch::jit::Use& use : std::vector<torch::jit::Use>(attribute.value->uses()))
      answer(attribute, use.user);
  }
}

}  // namespace fusekit::ir
