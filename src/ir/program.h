#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/constants.h"
#include "ir/new_module.h"

namespace fusekit::ir {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

/// File name (below the archive's extra/) to content.
using ExtraFiles = std::unordered_map<std::string, std::string>;

/// A tensor that the graphs read and never write, or the packed weights of a quantized operator.
struct Weight {
  at::Tensor tensor;
  std::string path;  ///< in the module tree, e.g. "layer1.0.conv1.weight"; for a new one: the path that it would like
  bool is_parameter = false;  ///< else a buffer or a plain attribute
  bool is_buffer = false;
  bool is_new = false;  ///< made by a rewrite: yields the path to an original that is still read
  c10::IValue packed;   ///< not None: an object of torch.classes.quantized.*PackedParamsBase, and `tensor` is undefined
};

/// A method of the root module as one flat graph: no calls, its first input is self.
struct Method {
  std::string name;
  std::shared_ptr<Graph> graph;
  c10::FunctionSchema schema;
};

/// Nodes that one operator of a target can run together, e.g. a convolution and the ReLU after it. They carry the
/// group's number (marks.h), in every copy of the graph.
struct FusedGroup {
  std::string rule;    ///< that made it, e.g. "conv+relu"
  std::string method;  ///< in whose graph they are
};

/// A network as everything after `read` sees it. Weights are prim::Constant nodes that carry a key into `weights`;
/// attributes that a method writes stay prim::GetAttr and prim::SetAttr on chains that start at self.
struct Program {
  torch::jit::Module original;  ///< the loaded tree: class names, order of children, attributes that no graph reads
  ExtraFiles extra;
  std::vector<Method> methods;                 ///< forward first where there is one
  std::map<std::string, Weight> weights;       ///< by key; the key of an original is its path
  std::map<std::string, OwnedModule> modules;  ///< new ones, by key: constants of the graphs (add_module)
  std::shared_ptr<NewClasses> new_classes;     ///< of `modules`; nullptr where there is none
  std::vector<std::string> in_training;        ///< paths of modules that compute something else after eval()
  bool asks_for_mode = false;                  ///< do graphs read a `training` that eval() changes?
  std::set<std::string> read_paths;            ///< every attribute that a method read when the file was read
  std::set<std::string> written;               ///< paths of the attributes that a method may write: the network's state
  std::map<std::int64_t, FusedGroup> groups;   ///< by number
  std::string target;                          ///< that the graphs were lowered for; "": they are functional
  /// What was folded, to the keys of the weight and bias that came of it: the same fold at two places is one pair.
  std::map<std::string, std::pair<std::string, std::string>> folds;
};

/// The weight that `value` stands for, nullptr where it is computed, written, None or an anonymous constant.
const Weight* weight_of(const Program& program, const Value* value);

/// The tensor that `value` always holds: a weight's or an anonymous constant's. nullopt: not known.
std::optional<at::Tensor> constant_tensor(const Program& program, const Value* value);

/// The path of a tensor `name` beside `weight` in its module; "" where the weight is nullptr: anonymous, or none.
std::string sibling_path(const Weight* weight, const std::string& name);

/// Adds a new weight and its constant in front of `before`. `path`: where it wants to live, empty for an anonymous
/// constant; `like`: the weight whose kind (parameter or buffer, requires_grad) it takes.
Value* add_weight(Program& program, Node* before, const std::string& path, const at::Tensor& tensor,
                  const Weight* like);

/// Adds packed weights and their constant in front of `before`.
Value* add_packed(Program& program, Node* before, const std::string& path, const c10::IValue& packed);

/// The same network with graphs of its own; tensors are shared.
Program copy_of(const Program& program);

/// A constant for the weight `key` in front of `before`. A weight may have any number of constants.
Value* insert_weight(Program& program, Node* before, const std::string& key);

/// The key into Program::weights that a constant carries.
std::optional<std::string> weight_key(const Value* value);

/// The module path that a node came from ("layer1.0.conv1"; the root is "").
std::string scope_of(const Node* node);
void set_scope(Node* node, const std::string& path);

/// The node of the graph's own block that `node` stands in.
const Node* top_level(const Node* node);
Node* top_level(Node* node);

/// The nodes of a group, in their order; some of a group that was found may be gone by now.
std::vector<Node*> nodes_of_group(const Program& program, std::int64_t group);

/// All nodes, blocks of a node before what follows it.
std::vector<Node*> all_nodes(Graph& graph);
std::vector<const Node*> all_nodes(const Graph& graph);

}  // namespace fusekit::ir
