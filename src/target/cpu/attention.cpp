#include "target/cpu/attention.h"

#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ir/autocast.h"
#include "ir/constants.h"
#include "ir/operators.h"
#include "ir/program.h"
#include "target/cpu/value_bounds.h"

namespace fusekit::target {
namespace {

using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Value;
using Shape = std::vector<std::int64_t>;

constexpr const char* kFused = "aten::scaled_dot_product_attention";

/// Has this LibTorch the operator, with a scale? 2.1 and later.
bool is_fused_supported() {
  const auto operators = torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(kFused));
  return std::any_of(operators.begin(), operators.end(),
                     [](const auto& op) { return op->schema().argumentIndexWithName("scale").has_value(); });
}

/// A number that scores are multiplied with, or divided by.
struct Factor {
  Value* number = nullptr;
  bool divides = false;
};

/// softmax(query turned_keys * factors + mask) values.
struct WrittenAttention {
  Node* first = nullptr;  ///< of its operators
  Node* last = nullptr;   ///< the product with the values
  Value* query = nullptr;
  Value* turned_keys = nullptr;  ///< k^T
  Value* keys = nullptr;         ///< k, where there is no more between the two than a transposition
  Value* values = nullptr;
  Value* mask = nullptr;
  std::vector<Factor> factors;
  std::size_t rank = 0;       ///< of query, keys and values: 3 or 4
  std::size_t mask_rank = 0;  ///< 2 to 4
};

bool is_product(const Node* node) { return ir::is_operator(node, {"aten::matmul", "aten::bmm"}); }

bool is_read_once(const Value* value) { return value->uses().size() == 1; }

class AttentionMatcher {
 public:
  AttentionMatcher(const ir::Program& program, const inputs::ObservedTensors& observed)
      : program_(program), observed_(observed) {}

  [[nodiscard]] std::optional<WrittenAttention> match(Node* last) const {
    if (!is_product(last) || !is_read_once(last->input(0))) return std::nullopt;
    Node* softmax = last->input(0)->node();
    if (!is_softmax_of_rows(softmax) || softmax->owningBlock() != last->owningBlock()) return std::nullopt;
    WrittenAttention found;
    found.last = last;
    found.values = last->input(1);
    if (!take_scores(softmax->input(0), found) || !fits(found) || !nothing_is_written_in(found)) return std::nullopt;
    found.rank = static_cast<std::size_t>(rank(found.query));
    found.mask_rank = found.mask != nullptr ? static_cast<std::size_t>(rank(found.mask)) : 0;
    return found;
  }

 private:
  [[nodiscard]] std::optional<Shape> shape(const Value* value) const {
    const auto tensor = ir::constant_tensor(program_, value);
    return tensor ? std::optional(tensor->sizes().vec()) : inputs::seen(observed_, value).sizes;
  }

  [[nodiscard]] std::optional<at::ScalarType> dtype(const Value* value) const {
    const auto tensor = ir::constant_tensor(program_, value);
    return tensor ? std::optional(tensor->scalar_type()) : inputs::seen(observed_, value).dtype;
  }

  [[nodiscard]] std::int64_t rank(const Value* value) const {
    const auto sizes = shape(value);
    return sizes ? static_cast<std::int64_t>(sizes->size()) : 0;
  }

  [[nodiscard]] bool is_softmax_of_rows(Node* node) const {
    if (!ir::is_operator(node, {"aten::softmax"})) return false;
    const auto dim = ir::constant_int(ir::argument(node, "dim"));
    return dim && (*dim == -1 || *dim == rank(node->output()) - 1) && dtype(node->output()) == dtype(node->input(0));
  }

  /// From what the softmax is given back to the product of queries and keys.
  bool take_scores(Value* scores, WrittenAttention& found) const {
    for (;;) {
      Node* node = scores->node();
      if (!is_read_once(scores) || node->owningBlock() != found.last->owningBlock()) return false;
      found.first = node;
      if (ir::is_operator(node, {"aten::baddbmm"})) return take_sum(node, found);
      if (is_product(node)) return take_product(node->input(0), node->input(1), found);
      if (ir::is_plain_sum(node)) {
        if (found.mask != nullptr || !found.factors.empty()) return false;
        const std::size_t place = leads_to_product(node->input(0)) ? 0 : 1;
        found.mask = node->input(1 - place);
        scores = node->input(place);
      } else if (const auto factor = factor_of(node)) {
        found.factors.push_back(factor->second);
        scores = factor->first;
      } else {
        return false;
      }
    }
  }

  [[nodiscard]] bool leads_to_product(const Value* value) const {
    Node* node = const_cast<Node*>(value->node());
    while (const auto factor = factor_of(node)) node = factor->first->node();
    return is_product(node) || ir::is_operator(node, {"aten::baddbmm"});
  }

  /// beta * mask + alpha * query turned_keys.
  bool take_sum(Node* node, WrittenAttention& found) const {
    const auto beta = ir::constant_number(ir::argument(node, "beta"));
    if (beta == 1.0 && found.mask == nullptr && found.factors.empty()) {
      found.mask = node->input(0);
    } else if (beta != 0.0) {
      return false;
    }
    found.factors.push_back({ir::argument(node, "alpha"), false});
    return take_product(node->input(1), node->input(2), found);
  }

  bool take_product(Value* query, Value* keys, WrittenAttention& found) const {
    found.query = unscaled(query, found);
    found.turned_keys = unscaled(keys, found);
    const auto turn = ir::as_permutation(found.turned_keys->node());
    const std::int64_t dims = rank(found.turned_keys);
    if (!turn || dims < 3) return false;
    const auto order = turn->order(dims);
    if (!order || order->at(order->size() - 2) != dims - 1 || !has_rows(turn->input)) return false;
    Shape swap(order->size());
    std::iota(swap.begin(), swap.end(), 0);
    std::swap(swap[swap.size() - 1], swap[swap.size() - 2]);
    if (*order == swap) found.keys = is_read_once(found.turned_keys) ? unscaled(turn->input, found) : turn->input;
    return true;
  }

  /// The tensor without the number that it is multiplied with.
  Value* unscaled(Value* value, WrittenAttention& found) const {
    Node* node = value->node();
    if (!is_read_once(value) || node->owningBlock() != found.last->owningBlock()) return value;
    const auto factor = factor_of(node);
    if (!factor) return value;
    if (node->isBefore(found.first)) found.first = node;
    found.factors.push_back(factor->second);
    return factor->first;
  }

  /// The tensor that the node multiplies with a number (or divides by one), and that number.
  [[nodiscard]] std::optional<std::pair<Value*, Factor>> factor_of(Node* node) const {
    using Kind = ir::Arithmetic::Kind;
    const auto arithmetic = ir::as_arithmetic(node);
    if (!arithmetic || ir::argument(node, "rounding_mode") != nullptr) return std::nullopt;
    if (arithmetic->kind != Kind::multiply && arithmetic->kind != Kind::divide) return std::nullopt;
    const bool divides = arithmetic->kind == Kind::divide;
    if (is_number(arithmetic->b)) return std::pair(arithmetic->a, Factor{arithmetic->b, divides});
    if (!divides && is_number(arithmetic->a)) return std::pair(arithmetic->b, Factor{arithmetic->a, divides});
    return std::nullopt;
  }

  [[nodiscard]] bool is_number(const Value* value) const {
    const auto kind = value->type()->kind();
    if (kind == c10::TypeKind::FloatType || kind == c10::TypeKind::IntType) return true;
    const auto tensor = ir::is_tensor(value) ? ir::constant_tensor(program_, value) : std::nullopt;
    return tensor && tensor->dim() == 0 && !tensor->is_complex();
  }

  [[nodiscard]] bool fits(const WrittenAttention& found) const {
    const auto q = shape(found.query);
    auto k = shape(found.turned_keys);
    const auto v = shape(found.values);
    if (!q || !k || !v || (q->size() != 3 && q->size() != 4) || k->size() != q->size()) return false;
    std::iter_swap(k->end() - 1, k->end() - 2);
    // The operator is slow, or raises, where heads are broadcast, or keys and values have different widths.
    if (*k != *v || k->back() != q->back() || !std::equal(q->begin(), q->end() - 2, k->begin())) return false;
    if (std::count(q->begin(), q->end(), 0) + std::count(k->begin(), k->end(), 0) > 0) return false;
    const auto kind = dtype(found.query);
    if (kind != at::kFloat && kind != at::kBFloat16) return false;
    for (const Value* value : {found.turned_keys, found.values, found.last->output(), found.last->input(0)})
      if (dtype(value) != kind) return false;
    if (!has_rows(found.query) || !has_rows(found.values)) return false;
    return found.mask == nullptr || is_additive_mask(found, *q, k->at(k->size() - 2));
  }

  /// A mask that can't hide a whole row: that would give NaN where it is written out, and the operator gives zeros.
  [[nodiscard]] bool is_additive_mask(const WrittenAttention& found, Shape scores, std::int64_t keys) const {
    const auto sizes = shape(found.mask);
    scores.back() = keys;
    if (!sizes || sizes->size() < 2 || sizes->size() > scores.size() || dtype(found.mask) != dtype(found.query))
      return false;
    const auto fits_to = [](std::int64_t size, std::int64_t whole) { return size == 1 || size == whole; };
    if (!std::equal(sizes->rbegin(), sizes->rend(), scores.rbegin(), fits_to)) return false;
    const auto bounds = value_bounds(found.mask, program_, observed_);
    const double largest = dtype(found.mask) == at::kFloat
                               ? static_cast<double>(std::numeric_limits<float>::max())
                               : static_cast<double>(std::numeric_limits<c10::BFloat16>::max());
    return bounds && bounds->low >= -largest && bounds->high <= largest;
  }

  /// Do the elements of each row certainly lie side by side? Else the operator takes a slower road.
  [[nodiscard]] bool has_rows(const Value* value, int depth = 0) const {
    Node* node = const_cast<Node*>(value->node());
    if (depth > 20 || node->inputs().empty()) return false;
    if (ir::has_own_memory(value)) return true;
    if (ir::is_operator(node, {"aten::__getitem__"}) || node->kind() == c10::prim::ListUnpack)
      node = node->input(0)->node();  // the parts of a tensor
    return keeps_rows(node, value) && has_rows(node->input(0), depth + 1);
  }

  /// Is it a view whose rows are those of the input, or parts of them?
  [[nodiscard]] bool keeps_rows(Node* node, const Value* output) const {
    if (ir::is_operator(
            node, {"aten::view", "aten::reshape", "aten::unflatten", "aten::flatten", "aten::chunk", "aten::split"}))
      return true;
    if (ir::is_operator(node, {"aten::slice"})) return ir::constant_int(ir::argument(node, "step")) == 1;
    if (ir::is_operator(node, {"aten::select", "aten::unbind"})) {
      const auto dim = ir::constant_int(ir::argument(node, "dim"));
      return dim && *dim != -1 && *dim != rank(node->input(0)) - 1;
    }
    const auto permutation = ir::as_permutation(node);
    const auto order = permutation ? permutation->order(rank(output)) : std::nullopt;
    return order && !order->empty() && order->back() == rank(output) - 1;
  }

  [[nodiscard]] static bool nothing_is_written_in(const WrittenAttention& found) {
    for (const Node* node = found.first; node != found.last; node = node->next())
      if (ir::has_writes(node)) return false;
    return true;
  }

  const ir::Program& program_;
  const inputs::ObservedTensors& observed_;
};

class AttentionWriter {
 public:
  AttentionWriter(const WrittenAttention& found, const ir::Program& program)
      : found_(found), program_(program), graph_(*found.last->owningGraph()), guard_(found.last) {}

  void write() {
    Value* keys = found_.keys != nullptr ? found_.keys : insert("aten::transpose", {found_.turned_keys, -2, -1});
    const std::vector<NamedValue> tensors = {batched(found_.query), batched(keys), batched(found_.values)};
    Value* mask = found_.mask != nullptr ? masking() : graph_.insertConstant(c10::IValue());
    Value* result = graph_.insert(c10::Symbol::fromQualString(kFused), tensors,
                                  {NamedValue("attn_mask", mask), NamedValue("scale", scale())});
    result->node()->copyMetadata(found_.last);
    if (found_.rank == 3) result = insert("aten::squeeze", {result, 0});
    found_.last->output()->replaceAllUsesWith(result);
  }

 private:
  Value* insert(const char* op, const std::vector<NamedValue>& arguments) {
    Value* result = graph_.insert(c10::Symbol::fromQualString(op), arguments);
    result->node()->copyMetadata(found_.last);
    return result;
  }

  /// As (N, heads, L, E): the operator is fast on that rank alone.
  Value* batched(Value* value) { return found_.rank == 3 ? insert("aten::unsqueeze", {value, 0}) : value; }

  Value* masking() { return found_.mask_rank == 3 ? insert("aten::unsqueeze", {found_.mask, 0}) : found_.mask; }

  /// The product of all factors: one constant where they are.
  Value* scale() {
    double constant = 1;
    Value* computed = nullptr;
    for (const auto& [number, divides] : found_.factors) {
      if (const auto known = known_number(number)) {
        constant = divides ? constant / *known : constant * *known;
        continue;
      }
      const bool is_int = number->type()->kind() == c10::TypeKind::IntType;
      Value* factor = is_int ? insert("aten::Float", {number}) : number;
      computed = insert(divides ? "aten::div" : "aten::mul",
                        {computed != nullptr ? NamedValue(computed) : NamedValue(1.0), factor});
    }
    if (computed == nullptr) return graph_.insertConstant(constant);
    return constant == 1 ? computed : insert("aten::mul", {computed, constant});
  }

  [[nodiscard]] std::optional<double> known_number(const Value* value) const {
    if (const auto tensor = ir::is_tensor(value) ? ir::constant_tensor(program_, value) : std::nullopt)
      return tensor->item().toDouble();
    return ir::constant_number(value);
  }

  const WrittenAttention& found_;
  const ir::Program& program_;
  torch::jit::Graph& graph_;
  torch::jit::WithInsertPoint guard_;
};

}  // namespace

bool attend_at_once(torch::jit::Graph& graph, const ir::Program& program, const inputs::ObservedTensors& observed) {
  if (!is_fused_supported()) return false;
  const AttentionMatcher matcher(program, observed);
  bool any = false;
  for (Node* node : ir::all_nodes(graph)) {
    const auto found = matcher.match(node);
    if (!found || ir::is_under_autocast(node)) continue;
    AttentionWriter(*found, program).write();
    any = true;
  }
  return any;
}

}  // namespace fusekit::target
