#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <unordered_map>

namespace fusekit::ir {

/// A module that a graph's value stands for.
struct ModuleAt {
  std::string path;  ///< of its first name in the tree: a module under two names has one path
  torch::jit::Module module;
};

/// A method as one graph without calls. Nodes carry the path of the module whose code they came from as their scope.
struct FlatGraph {
  std::shared_ptr<torch::jit::Graph> graph;
  std::unordered_map<const torch::jit::Value*, ModuleAt> modules;  ///< self and every module reached from it
};

/// First path of every module object of the tree; the root is "".
std::unordered_map<c10::ivalue::Object*, std::string> first_paths(const torch::jit::Module& root);

/// Copies the graph of `method` and inlines every call, also through interfaces, whose object the tree tells.
/// Error{model}: a module is used in a way that can't be followed (in a list, by torch.jit.fork, ...).
FlatGraph flatten(const torch::jit::Module& root, const std::string& method);

/// Drops modules whose values a clean-up has removed from the graph.
void forget_removed_modules(FlatGraph& flat);

/// Does this module pack its own state (__getstate__, __setstate__)? Such a module is kept as it is.
bool is_opaque(const torch::jit::Module& module);

/// "a" + "b" -> "a.b"; "" + "b" -> "b".
std::string join_path(const std::string& parent, const std::string& name);
/// "a.b.c" -> {"a.b", "c"}; "c" -> {"", "c"}.
std::pair<std::string, std::string> split_path(const std::string& path);

}  // namespace fusekit::ir
