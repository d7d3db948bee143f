#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/flatten.h"

namespace fusekit::ir {

/// Paths of the module attributes that some method assigns (prim::SetAttr).
std::set<std::string> assigned_paths(const std::vector<FlatGraph>& methods);

/// Paths of the attributes that some method writes in place, also through a view, another name of the same storage, or a
/// BatchNorm that updates its running statistics; and of lists, dicts and objects with tensors, where a method writes
/// anything. Assigned ones are included.
std::set<std::string> written_paths(const torch::jit::Module& root, const std::vector<FlatGraph>& methods);

/// "layer1.0.conv1.weight" for a prim::GetAttr or prim::SetAttr on a module of the tree.
std::string attribute_path(const FlatGraph& flat, const torch::jit::Node* node);

/// The attribute at a path; nullopt where there is none.
std::optional<c10::IValue> attribute_at(const torch::jit::Module& root, const std::string& path);

/// Is this a number, flag, string, device or None: nothing that could be written, and what a constant can stand for?
bool is_plain_value(const c10::IValue& value);

/// Does this node read or assign an attribute of a module of the tree?
bool is_module_attribute(const FlatGraph& flat, const torch::jit::Node* node);

}  // namespace fusekit::ir
