#include "rewrite/facts.h"

#include "ir/autocast.h"

namespace fusekit::rewrite {

const std::vector<std::optional<std::int64_t>>& Promise::input_ranks() {
  if (!input_ranks_) {
    input_ranks_.emplace();
    for (const c10::IValue& value : sample())
      input_ranks_->push_back(value.isTensor() ? std::optional(value.toTensor().dim()) : std::nullopt);
  }
  return *input_ranks_;
}

inputs::ObservedRanks Promise::observe(Graph& forward) {
  return inputs::observed_ranks(*parts_.original, forward, parts_.program.methods.front().schema, sample());
}

const inputs::Sample& Promise::sample() {
  if (!sample_) sample_ = inputs::draw_sample(inputs::resolve_inputs(*parts_.original, inputs_).options, 0);
  return *sample_;
}

std::optional<std::int64_t> Facts::rank(const Value* value, const Node* at) {
  if (!proven_) proven_.emplace(graph);
  return proven_->rank(value, at);
}

std::optional<std::int64_t> Facts::promised_rank(const Value* value, const Node* at) {
  if (promise_ == nullptr || !promise_->given()) return rank(value, at);
  if (!promised_) {
    promised_.emplace(graph);
    const auto& ranks = promise_->input_ranks();
    for (std::size_t i = 0; i < ranks.size() && i + 1 < graph.inputs().size(); ++i)
      if (ranks[i]) promised_->learn(graph.inputs()[i + 1], *ranks[i], nullptr);
  }
  if (const auto known = promised_->rank(value, at)) return known;
  if (!observed_) observed_ = promise_->observe(graph);
  const auto seen = observed_->find(value->unique());
  return seen != observed_->end() ? std::optional(seen->second) : std::nullopt;
}

void Facts::learn_rank(const Value* value, std::int64_t rank, const Node* since) {
  this->rank(value, since);
  proven_->learn(value, rank, since);
  if (promised_) promised_->learn(value, rank, since);
}

bool Facts::is_under_autocast(const Node* node) {
  if (!has_autocast_) has_autocast_ = ir::has_autocast(graph);
  return *has_autocast_ && ir::is_under_autocast(node);
}

bool Facts::is_written(const Value* value) {
  if (!aliases_) aliases_.emplace(graph, program);
  return aliases_->is_written(value);
}

}  // namespace fusekit::rewrite
