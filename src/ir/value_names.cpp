#include "ir/value_names.h"

#include <unordered_set>
#include <utility>

#include "ir/flatten.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

class Namer {
 public:
  explicit Namer(Graph& graph) {
    for (const Value* input : graph.inputs()) taken_.insert(input->debugName());
    paths_.emplace(graph.inputs().at(0), "");
    for (Node* node : all_nodes(graph)) {
      if (choose_by_path(node)) continue;
      const std::string scope = scope_of(node);
      for (Value* output : node->outputs()) choose_by_scope(output, scope);
      for (Block* inner : node->blocks())
        for (Value* input : inner->inputs()) choose_by_scope(input, scope);
    }
  }

  void run() {
    // A name that another value has goes to the last who asks, and the other gets one that LibTorch searches for.
    for (const auto& [value, name] : chosen_) value->setDebugName("");
    for (const auto& [value, name] : chosen_) value->setDebugName(name);
  }

 private:
  /// What is read from self by attributes goes by its path.
  bool choose_by_path(Node* node) {
    if (node->kind() != c10::prim::GetAttr) return false;
    const auto parent = paths_.find(node->input());
    if (parent == paths_.end()) return false;
    const std::string path = join_path(parent->second, node->s(c10::attr::name));
    choose(node->output(), identifier(path));
    paths_.emplace(node->output(), path);
    return true;
  }

  void choose_by_scope(Value* value, const std::string& scope) {
    if (value->hasDebugName()) choose(value, identifier(join_path(scope, value->debugNameBase())));
  }

  void choose(Value* value, const std::string& base) {
    std::string name = base;
    while (!taken_.insert(name).second) name = fmt::format("{}_{}", base, ++copies_[base]);
    chosen_.emplace_back(value, std::move(name));
  }

  std::unordered_map<const Value*, std::string> paths_;  ///< of self and what is read from it
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> copies_;
  std::vector<std::pair<Value*, std::string>> chosen_;
};

}  // namespace

std::string identifier(const std::string& path) {
  std::string text = path.empty() || std::isdigit(static_cast<unsigned char>(path[0])) ? "m" + path : path;
  for (char& letter : text)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
  return text;
}

void name_values(Graph& graph) { Namer(graph).run(); }

}  // namespace fusekit::ir
