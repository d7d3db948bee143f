#include "target/layouts.h"

#include <algorithm>
#include <set>
#include <string>

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
    const auto kind = maker->kind();
    if (kind == c10::prim::TupleConstruct || kind == c10::prim::ListConstruct || kind == c10::prim::DictConstruct) {
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

/// Was it given out by `contiguous_unless` or as a contiguous tensor before?
bool is_kept(const Value* value) {
  const Node* node = value->node();
  if (node->kind() == c10::aten::contiguous) return true;
  return node->kind() == c10::prim::If && node->outputs().size() == 1 &&
         node->blocks()[1]->outputs()[0]->node()->kind() == c10::aten::contiguous;
}

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
  static const std::set<std::string> names = {"aten::as_strided",    "aten::as_strided_",    "aten::stride",
                                              "aten::is_contiguous", "aten::storage_offset", "aten::resize",
                                              "aten::resize_",       "aten::resize_as_",     "aten::set_"};
  return names.count(node->kind().toQualString()) > 0;
}

bool looks_at_memory(torch::jit::Graph& graph) {
  const auto nodes = ir::all_nodes(graph);
  return std::any_of(nodes.begin(), nodes.end(), [](const Node* node) {
    const bool asks_for_argument =
        node->kind() == c10::Symbol::aten("is_contiguous") && node->input(0)->node()->kind() == c10::prim::Param;
    return !asks_for_argument && sees_layouts(node);
  });
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

std::vector<Use> places_of_outputs(torch::jit::Graph& graph) {
  std::vector<Use> places;
  collect_places(graph.return_node(), places);
  return places;
}

void keep_contiguous(torch::jit::Graph& graph, std::vector<Use> places, Value* argument) {
  std::erase_if(places, [](const Use& use) { return is_kept(use.user->input(use.offset)); });
  if (places.empty()) return;
  Value* is_given = nullptr;  // for outputs in tuples, which are built earlier, too
  if (argument != nullptr) {
    const torch::jit::WithInsertPoint guard(*graph.nodes().begin());
    is_given = is_channels_last(graph, argument);
  }
  for (const auto& [taker, place] : places) {
    const torch::jit::WithInsertPoint guard(taker);
    Value* value = taker->input(place);
    Value* kept =
        is_given != nullptr ? contiguous_unless(graph, is_given, value) : graph.insert(c10::aten::contiguous, {value});
    kept->node()->copyMetadata(taker);
    taker->replaceInput(place, kept);
  }
}

}  // namespace fusekit::target
