#include <fmt/ranges.h>

#include "ir/flatten.h"
#include "rewrite/computed_weight.h"
#include "rewrite/layer_edits.h"
#include "rewrite/match.h"
#include "rewrite/rules.h"

// W = f(V, g, ...)                    of parameters and buffers that nothing writes: weight_norm, spectral_norm in eval
// y = layer(x, W, b)                  a convolution or a linear; b may be computed, too
// ->
// y = layer(x, W', b')                W' is the value of f, computed by f's own operators
//
// The new parameter is the layer's "weight", as torch.nn.utils.remove_weight_norm and remove_parametrizations leave it;
// what it was computed of goes where nothing else reads it.

namespace fusekit::rewrite {
namespace {

bool is_computed(const Value* value) {
  return !ir::is_none(value) && value->node()->kind() != c10::prim::Constant &&
         value->node()->kind() != c10::prim::GetAttr && value->node()->kind() != c10::prim::Param;
}

Family layer_with_computed_weight() {
  return {"layer with a computed weight", [](Node* node) {
            const auto layer = ir::as_layer(node);
            return layer && (is_computed(layer->weight) || is_computed(layer->bias));
          }};
}

/// Where the weight wants to live: in the layer's module; of a layer in the root's own code, in that of its sources.
std::string path_of(const Node* layer, const std::string& name, const ComputedWeight& weight,
                    const ir::Program& program) {
  const std::string scope = ir::scope_of(layer);
  if (!scope.empty() || weight.sources.empty()) return ir::join_path(scope, name);
  std::string source = program.weights.at(weight.sources.front()).path;
  if (const auto parametrized = source.find("parametrizations."); parametrized != std::string::npos) {
    source.resize(parametrized);
  } else {
    const auto dot = source.rfind('.');
    source.resize(dot == std::string::npos ? 0 : dot + 1);
  }
  return source + name;
}

/// The weight whose kind the new one takes: a parameter, where it is computed of one.
const ir::Weight* like(const ComputedWeight& weight, const ir::Program& program) {
  const ir::Weight* first = nullptr;
  for (const std::string& key : weight.sources) {
    const ir::Weight& source = program.weights.at(key);
    if (first == nullptr || (source.is_parameter && !first->is_parameter)) first = &source;
  }
  return first;
}

Value* insert(Node* layer, const std::string& name, const ComputedWeight& weight, ir::Program& program) {
  const auto known = program.folds.find(weight.key);
  if (!weight.key.empty() && known != program.folds.end())
    return ir::insert_weight(program, layer, known->second.first);
  Value* added =
      ir::add_weight(program, layer, path_of(layer, name, weight, program), weight.tensor, like(weight, program));
  if (!weight.key.empty()) program.folds[weight.key] = {*ir::weight_key(added), ""};
  return added;
}

/// A layer in the root's own code goes by the module that its weight lives in.
void name_after_weight(Node* layer, const Value* added, const ir::Program& program) {
  const ir::Weight* weight = ir::weight_of(program, added);
  if (weight == nullptr || !ir::scope_of(layer).empty()) return;
  ir::set_scope(layer, ir::split_path(weight->path).first);
}

std::string paths_of(const std::vector<const ComputedWeight*>& weights, const ir::Program& program) {
  std::vector<std::string> paths;
  for (const ComputedWeight* weight : weights)
    for (const std::string& key : weight->sources) paths.push_back(program.weights.at(key).path);
  return fmt::format("{}", fmt::join(paths, ", "));
}

Decision decide_constant_weight(const Site& site, Facts& facts) {
  const ir::Layer layer = *ir::as_layer(site.front());
  std::optional<ComputedWeight> weight;
  std::optional<ComputedWeight> bias;
  const auto compute = [&](Value* value, const char* what, std::optional<ComputedWeight>& computed) -> Reason {
    if (!is_computed(value)) return {};
    auto found = compute_weight(value, what, facts);
    if (auto* reason = std::get_if<Reason>(&found)) return *reason;
    computed = std::move(std::get<ComputedWeight>(found));
    return {};
  };
  if (facts.is_under_autocast(layer.node)) return Reason(ReasonCode::under_autocast);
  if (Reason reason = compute(layer.weight, "weight", weight)) return reason;
  if (Reason reason = compute(layer.bias, "bias", bias)) return reason;

  std::vector<const ComputedWeight*> computed;
  for (const auto* each : {&weight, &bias})
    if (*each) computed.push_back(&**each);
  const Reason note{ReasonCode::computed_once, paths_of(computed, facts.program)};
  return Rewrite{.apply =
                     [layer, weight, bias](Facts& facts) {
                       Node* node = layer.node;
                       const LayerWeights added{weight ? insert(node, "weight", *weight, facts.program) : layer.weight,
                                                bias ? insert(node, "bias", *bias, facts.program) : layer.bias};
                       with_weights(node, added);
                       name_after_weight(node, weight ? added.weight : added.bias, facts.program);
                       return std::vector<Node*>{};
                     },
                 .note = note};
}

}  // namespace

Rule constant_weight() {
  return {.name = "constant_weight",
          .summary = "A weight that is computed of parameters alone (weight_norm, spectral_norm): computed once",
          .pattern = {layer_with_computed_weight()},
          .decide = decide_constant_weight};
}

}  // namespace fusekit::rewrite
