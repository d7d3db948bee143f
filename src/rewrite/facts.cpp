#include "rewrite/facts.h"

#include "ir/autocast.h"

namespace fusekit::rewrite {

std::optional<std::int64_t> Facts::rank(const Value* value, const Node* at) {
  if (!proven_) proven_.emplace(graph);
  return proven_->rank(value, at);
}

std::optional<std::int64_t> Facts::promised_rank(const Value* value, const Node* at) {
  if (!promised_) {
    promised_.emplace(graph);
    for (std::size_t i = 0; i < promised_inputs_.size() && i < graph.inputs().size(); ++i)
      if (promised_inputs_[i]) promised_->learn(graph.inputs()[i], *promised_inputs_[i], nullptr);
  }
  return promised_->rank(value, at);
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
