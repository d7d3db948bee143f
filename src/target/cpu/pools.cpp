#include "target/cpu/pools.h"

#include <algorithm>
#include <array>

#include "ir/constants.h"
#include "ir/operators.h"
#include "ir/operators/pool.h"
#include "ir/program.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using Ints = std::vector<std::int64_t>;

/// A window's positions along one dimension.
struct Window {
  std::int64_t dim = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t length = 0;  ///< of the input
  std::int64_t output = 0;  ///< of the output
};

/// The elements at one place of the windows: those of `from` to `to` - 1 have one that is no padding.
struct Place {
  std::int64_t offset = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
};

bool is_in_all(const Place& place, const Window& window) { return place.to - place.from == window.output; }

/// `a` / `b` rounded up; `b` is above 0, `a` may be below.
std::int64_t rounded_up(std::int64_t a, std::int64_t b) { return a <= 0 ? -(-a / b) : (a + b - 1) / b; }

/// The places of a window, those that all windows have first.
std::vector<Place> places_of(const Window& window) {
  std::vector<Place> places;
  for (std::int64_t i = 0; i < window.kernel; ++i) {
    const std::int64_t offset = i - window.padding;
    const std::int64_t from = std::max<std::int64_t>(0, rounded_up(-offset, window.stride));
    const std::int64_t to = std::min(window.output, rounded_up(window.length - offset, window.stride));
    if (from < to) places.push_back({offset, from, to});
  }
  std::stable_partition(places.begin(), places.end(), [&](const Place& place) { return is_in_all(place, window); });
  return places;
}

bool some_place_is_in_all(const Window& window) {
  const auto places = places_of(window);
  return !places.empty() && is_in_all(places.front(), window);
}

/// In front of the pool that stands at the insert point, whose place in the network it has.
Value* insert(torch::jit::Graph& graph, const char* op, const std::vector<torch::jit::NamedValue>& arguments) {
  Value* result = graph.insert(c10::Symbol::fromQualString(op), arguments);
  result->node()->copyMetadata(graph.insertPoint());
  return result;
}

/// Every `step`th element of `from` to `to` - 1.
Value* slice(Value* x, std::int64_t dim, std::int64_t from, std::int64_t to, std::int64_t step) {
  return insert(*x->owningGraph(), "aten::slice", {x, dim, from, to, step});
}

/// The largest element of each window along one dimension, in memory of its own.
Value* largest_along(Value* x, const Window& window) {
  torch::jit::Graph& graph = *x->owningGraph();
  const auto elements = [&](const Place& place) {
    const std::int64_t first = place.from * window.stride + place.offset;
    return slice(x, window.dim, first, first + (place.to - place.from - 1) * window.stride + 1, window.stride);
  };
  const std::vector<Place> places = places_of(window);
  const bool two_in_all = places.size() > 1 && is_in_all(places[1], window);
  Value* result = two_in_all ? insert(graph, "aten::maximum", {elements(places[0]), elements(places[1])})
                             : insert(graph, "aten::clone", {elements(places[0])});
  for (std::size_t i = two_in_all ? 2 : 1; i < places.size(); ++i) {
    const Place& place = places[i];
    Value* part = is_in_all(place, window) ? result : slice(result, window.dim, place.from, place.to, 1);
    insert(graph, "aten::clamp_min_", {part, elements(place)});
  }
  return result;
}

/// Height and width of the windows of `node`, a max_pool2d. nullopt: something is computed, or dilated.
std::optional<std::array<Window, 2>> windows_of(Node* node, const Ints& input, const Ints& output) {
  const auto numbers = [&](const char* name) { return ir::constant_ints(ir::argument(node, name), 2); };
  const auto kernel = numbers("kernel_size");
  const auto padding = numbers("padding");
  const auto given = ir::constant_ints(ir::argument(node, "stride"));
  const auto stride = given && given->empty() ? kernel : numbers("stride");
  if (!kernel || !padding || !stride || numbers("dilation") != Ints{1, 1}) return std::nullopt;
  std::array<Window, 2> windows;
  for (std::size_t i = 0; i < 2; ++i)
    windows.at(i) = {static_cast<std::int64_t>(i) + 2,
                     kernel->at(i),
                     stride->at(i),
                     padding->at(i),
                     input.at(i + 2),
                     output.at(i + 2)};
  return windows;
}

/// LibTorch's pool looks at each element of each window, 0.2 ns each, and maxima of slices take a call each: 30 to 50 µs.
/// In bfloat16 they are as slow as the pool where windows are not one element apart.
bool pays(const std::array<Window, 2>& windows, const Ints& output, at::ScalarType dtype) {
  constexpr double enough = 350e3;
  const double elements = static_cast<double>(c10::multiply_integers(output) * windows[0].kernel * windows[1].kernel);
  const bool is_wide = windows[0].kernel >= 3 && windows[1].kernel >= 3;
  const bool has_steps = windows[0].stride > 1 || windows[1].stride > 1;
  return is_wide && elements >= enough && (dtype == at::kFloat || (dtype == at::kBFloat16 && !has_steps));
}

/// Largest elements as maxima of slices, one dimension after the other. nullptr: not for this node.
Value* lowered_maximum(Node* node, const inputs::ObservedTensor& input, const Ints& output) {
  if (node->kind() != c10::aten::max_pool2d) return nullptr;
  const auto windows = windows_of(node, *input.sizes, output);
  if (!windows || !pays(*windows, output, *input.dtype)) return nullptr;
  if (!some_place_is_in_all(windows->front()) || !some_place_is_in_all(windows->back())) return nullptr;
  return largest_along(largest_along(node->input(0), windows->front()), windows->back());
}

/// The average of a picture over one window of its size: in bfloat16 a third of the time, in float less where it is small.
Value* lowered_average(Node* node, const inputs::ObservedTensor& input, const Ints& output) {
  constexpr std::int64_t small = 256;
  if (node->kind() != c10::aten::adaptive_avg_pool2d || output[2] != 1 || output[3] != 1) return nullptr;
  const Ints picture(input.sizes->begin() + 2, input.sizes->end());
  const bool pays = input.dtype == at::kBFloat16 || (input.dtype == at::kFloat && picture[0] * picture[1] <= small);
  return pays ? insert(*node->owningGraph(), "aten::avg_pool2d", {node->input(0), picture}) : nullptr;
}

}  // namespace

void lower_pools(torch::jit::Graph& graph, const inputs::ObservedTensors& observed, const ChannelsLast& channels_last) {
  for (Node* node : ir::all_nodes(graph)) {
    const auto pool = ir::as_pool(node);
    if (!pool || !channels_last.has(pool->input)) continue;
    const inputs::ObservedTensor input = inputs::seen(observed, pool->input);
    const auto output = inputs::seen(observed, node->output()).sizes;
    if (!input.sizes || !input.dtype || !output || output->size() != 4) continue;
    const torch::jit::WithInsertPoint guard(node);
    Value* lowered = pool->is_max ? lowered_maximum(node, input, *output) : lowered_average(node, input, *output);
    if (lowered == nullptr) continue;
    node->output()->replaceAllUsesWith(lowered);
    node->destroy();
  }
}

}  // namespace fusekit::target
