#include "target/layouts.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "ir/constants.h"
#include "ir/operators/activation.h"
#include "ir/operators/dtype_conversion.h"
#include "ir/program.h"
#include "ir/uses.h"

namespace fusekit::target {
namespace {

using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;

constexpr auto kChannelsLast = static_cast<std::int64_t>(at::MemoryFormat::ChannelsLast);

/// Operators that raise for some layouts.
bool needs_a_layout(const Node* node) {
  static const std::set<std::string> names = {"aten::view",      "aten::_unsafe_view", "aten::view_as",
                                              "aten::unflatten", "aten::view_as_real", "aten::view_as_complex"};
  return names.count(node->kind().toQualString()) > 0;
}

bool is_of_libtorch(const Node* node) {
  static const std::set<std::string> namespaces = {"aten", "prim", "mkldnn", "mkl", "quantized", "onednn"};
  return namespaces.count(node->kind().ns().toUnqualString()) > 0;
}

/// Might it do something else for data that lies otherwise, but raise?
bool sees_layouts(const Node* node) { return tells_layouts_apart(node) || !is_of_libtorch(node); }

bool is_written(const Value* value) {
  const auto& uses = value->uses();
  return std::any_of(uses.begin(), uses.end(), [](const auto& use) { return ir::writes_in_place(use.user); });
}

bool is_view_to_read(Node* node) {
  return node->kind() == c10::aten::view && ir::argument(node, "size") != nullptr && !is_written(node->output());
}

/// view(x, size) as reshape(x, size).
void reshape_instead(Node* view) {
  torch::jit::Graph& graph = *view->owningGraph();
  const torch::jit::WithInsertPoint guard(view);
  Value* reshaped = graph.insert(c10::aten::reshape, {view->input(0), view->input(1)});
  reshaped->node()->copyMetadata(view);
  view->output()->replaceAllUsesWith(reshaped);
  view->destroy();
}

void give_contiguous(Node* node, const AnyLayout& data) {
  torch::jit::Graph& graph = *node->owningGraph();
  const torch::jit::WithInsertPoint guard(node);
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    Value* input = node->input(i);
    const bool is_as_given = input->node()->kind() == c10::prim::Constant || input->node()->kind() == c10::prim::Param;
    if (!ir::is_tensor(input) || is_as_given || is_written(input)) continue;
    if (!data.may_lie_otherwise(input) || !data.was_contiguous(input)) continue;
    Value* contiguous = graph.insert(c10::aten::contiguous, {input});
    contiguous->node()->copyMetadata(node);
    node->replaceInput(i, contiguous);
  }
}

void collect_places(Node* taker, std::vector<Use>& places) {
  for (std::size_t i = 0; i < taker->inputs().size(); ++i) {
    Node* maker = taker->input(i)->node();
    if (makes_container(maker)) {
      collect_places(maker, places);
    } else {
      places.emplace_back(taker, i);
    }
  }
}

/// Is `tensor` in channels_last, and not contiguous as well?
Value* is_channels_last(torch::jit::Graph& graph, Value* tensor) {
  const auto is_contiguous = [&](const std::vector<NamedValue>& format) {
    return graph.insert(c10::Symbol::aten("is_contiguous"), {tensor}, format);
  };
  Value* otherwise = graph.insert(c10::aten::__not__, {is_contiguous({})});
  return graph.insert(c10::aten::__and__, {is_contiguous({{"memory_format", kChannelsLast}}), otherwise});
}

bool is_of_kind(const Value* value, c10::Symbol kind) { return value->node()->kind() == kind; }

/// Is it what is_channels_last made, or whether all of several are?
bool is_such_an_answer(const Value* value) {
  if (!is_of_kind(value, c10::aten::__and__)) return false;
  const Value* a = value->node()->input(0);
  const Value* b = value->node()->input(1);
  if (is_such_an_answer(a) && is_such_an_answer(b)) return true;
  const auto question = c10::Symbol::aten("is_contiguous");
  if (!is_of_kind(a, question) || !is_of_kind(b, c10::aten::__not__)) return false;
  const Value* denied = b->node()->input(0);
  return a->node()->inputs().size() == 2 && is_of_kind(denied, question) && denied->node()->inputs().size() == 1 &&
         a->node()->input(0) == denied->node()->input(0);
}

/// Is `node` a part of that question and nothing else?
bool asks_for_outputs(const Node* node) {
  if (node->kind() != c10::Symbol::aten("is_contiguous")) return false;
  const auto& uses = node->output()->uses();
  return std::all_of(uses.begin(), uses.end(), [](const Use& use) {
    const auto& next = use.user->output()->uses();
    return is_such_an_answer(use.user->output()) ||
           (use.user->kind() == c10::aten::__not__ &&
            std::all_of(next.begin(), next.end(), [](const Use& of) { return is_such_an_answer(of.user->output()); }));
  });
}

/// `value` as it is where `condition` holds, else contiguous.
Value* contiguous_unless(torch::jit::Graph& graph, Value* condition, Value* value) {
  Node* branch = graph.insertNode(graph.create(c10::prim::If, {condition}, 1));
  branch->addBlock()->registerOutput(value);
  torch::jit::Block* otherwise = branch->addBlock();
  const torch::jit::WithInsertPoint guard(otherwise);
  otherwise->registerOutput(graph.insert(c10::aten::contiguous, {value}));
  branch->output()->setType(value->type());
  return branch->output();
}

/// Is it contiguous already, unless such an answer says otherwise?
bool is_kept(const Value* value) {
  const Node* node = value->node();
  if (node->kind() == c10::aten::contiguous)
    return ir::constant_int(ir::argument(node, "memory_format")) ==
           static_cast<std::int64_t>(at::MemoryFormat::Contiguous);
  if (node->kind() != c10::prim::If || node->outputs().size() != 1 || !is_such_an_answer(node->input(0))) return false;
  const Value* otherwise = node->blocks()[1]->outputs()[0];
  return is_of_kind(otherwise, c10::aten::contiguous) && is_kept(otherwise) &&
         otherwise->node()->input(0) == node->blocks()[0]->outputs()[0];
}

/// Answers to is_channels_last, each asked once, as soon as the tensor is there.
class Sources {
 public:
  Sources(torch::jit::Graph& graph, const std::vector<Value*>& tensors) : graph_(graph) {
    for (Value* tensor : tensors) {
      Node* maker = tensor->node();
      const torch::jit::WithInsertPoint guard(maker->kind() == c10::prim::Param ? *graph.nodes().begin()
                                                                                : maker->next());
      answers_.push_back(is_channels_last(graph, tensor));
    }
  }

  /// Are all in channels_last that are there before `node`? nullptr: there are none.
  Value* are_channels_last(Node* node) {
    Value* all = nullptr;
    const torch::jit::WithInsertPoint guard(node);
    for (Value* answer : answers_)
      if (answer->node()->isBefore(node))
        all = all == nullptr ? answer : graph_.insert(c10::aten::__and__, {all, answer});
    return all;
  }

 private:
  torch::jit::Graph& graph_;
  std::vector<Value*> answers_;
};

}  // namespace

bool keeps_layout(const Node* node) {
  static const std::set<std::string> names = {"aten::max_pool2d",
                                              "aten::avg_pool2d",
                                              "aten::adaptive_avg_pool2d",
                                              "aten::adaptive_max_pool2d",
                                              "aten::upsample_nearest2d",
                                              "aten::upsample_bilinear2d",
                                              "aten::batch_norm",
                                              "aten::dropout",
                                              "aten::addcmul",
                                              "aten::native_channel_shuffle"};
  return !node->inputs().empty() &&
         (names.count(node->kind().toQualString()) > 0 || ir::as_activation(const_cast<Node*>(node)).has_value() ||
          ir::as_conversion(const_cast<Node*>(node)).has_value());
}

bool tells_layouts_apart(const Node* node) {
  if (node->isNondeterministic()) return true;
  const std::string_view name = node->kind().toQualString();
  static const std::set<std::string_view> names = {"aten::set_", "aten::resize", "aten::resize_", "aten::resize_as",
                                                   "aten::resize_as_"};
  return names.count(name) > 0 || name.find("stride") != name.npos || name.find("is_contiguous") != name.npos ||
         name.find("storage_offset") != name.npos;
}

bool looks_at_memory(torch::jit::Graph& graph) {
  const auto nodes = ir::all_nodes(graph);
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const Node* node) { return sees_layouts(node) && !asks_for_outputs(node); });
}

void read_any_layout(torch::jit::Graph& graph, const AnyLayout& data) {
  std::vector<Node*> views;
  for (Node* node : ir::all_nodes(graph)) {
    if (is_view_to_read(node)) {
      if (data.may_lie_otherwise(node->input(0))) views.push_back(node);
    } else if (needs_a_layout(node) || sees_layouts(node)) {
      give_contiguous(node, data);
    }
  }
  for (Node* view : views) reshape_instead(view);  // only now: `data` knows their results
}

bool makes_container(const Node* node) {
  const auto kind = node->kind();
  return kind == c10::prim::TupleConstruct || kind == c10::prim::ListConstruct || kind == c10::prim::DictConstruct;
}

std::vector<Use> places_of_outputs(torch::jit::Graph& graph) {
  std::vector<Use> places;
  collect_places(graph.return_node(), places);
  return places;
}

void keep_contiguous(torch::jit::Graph& graph, const std::vector<Use>& places, const std::vector<Value*>& sources) {
  std::map<Value*, std::vector<Use>> takers;  // of each value
  std::vector<Value*> values;                 // in the order of the places
  for (const Use& place : places) {
    Value* value = place.user->input(place.offset);
    if (is_kept(value)) continue;
    if (takers.count(value) == 0) values.push_back(value);
    takers[value].push_back(place);
  }
  if (values.empty()) return;
  Sources asked(graph, sources);
  const auto kept_before = [&](Node* node, Value* value) {
    Value* condition = asked.are_channels_last(node);
    const torch::jit::WithInsertPoint guard(node);
    Value* kept = condition != nullptr ? contiguous_unless(graph, condition, value)
                                       : graph.insert(c10::aten::contiguous, {value});
    kept->node()->copyMetadata(node);
    return kept;
  };
  for (Value* value : values) {
    const std::vector<Use>& uses = takers.at(value);
    const bool are_together = std::all_of(uses.begin(), uses.end(), [&](const Use& use) {
      return use.user->owningBlock() == uses.front().user->owningBlock();
    });
    if (!are_together) {
      for (const Use& use : uses) use.user->replaceInput(use.offset, kept_before(use.user, value));
      continue;
    }
    Node* first = uses.front().user;  // what shared memory goes on sharing it
    for (const Use& use : uses)
      if (use.user->isBefore(first)) first = use.user;
    Value* kept = kept_before(first, value);
    for (const Use& use : uses) use.user->replaceInput(use.offset, kept);
  }
}

}  // namespace fusekit::target
