#include "support/module.h"

#include <c10/core/Device.h>

namespace fusekit::test {
namespace {

bool is_buffer(const std::string& name) {
  return name.starts_with("running_") || name == "num_batches_tracked" || name.starts_with("buffer");
}

/// The tensors below `prefix`, grouped by the next name of their path.
torch::jit::Module make_tree(const std::string& class_name, const std::map<std::string, at::Tensor>& tensors) {
  torch::jit::Module module("__torch__.test." + class_name);
  std::map<std::string, std::map<std::string, at::Tensor>> children;
  for (const auto& [path, tensor] : tensors) {
    const auto dot = path.find('.');
    if (dot != std::string::npos) {
      children[path.substr(0, dot)][path.substr(dot + 1)] = tensor;
    } else if (is_buffer(path)) {
      module.register_buffer(path, tensor);
    } else {
      module.register_parameter(path, tensor, /*is_buffer=*/false);
    }
  }
  for (const auto& [name, below] : children) module.register_module(name, make_tree(name + "_class", below));
  module.register_attribute("training", c10::BoolType::get(), false);
  return module;
}

}  // namespace

torch::jit::Module make_module(const std::string& class_name, const std::map<std::string, at::Tensor>& tensors,
                               const std::string& source) {
  torch::jit::Module module = make_tree(class_name, tensors);
  module.define(source);
  return module;
}

void replace_operators(const torch::jit::Module& module, const std::string& op, const std::string& other) {
  torch::jit::Graph& graph = *module.get_method("forward").graph();
  for (auto node = graph.nodes().begin(); node != graph.nodes().end(); ++node) {
    if (node->kind() != c10::Symbol::fromQualString(op)) continue;
    node->replaceWithNewSymbol(c10::Symbol::fromQualString(other));
    node.destroyCurrent();
  }
}

void save_module(const torch::jit::Module& module, const std::filesystem::path& path) { module.save(path.string()); }

}  // namespace fusekit::test
