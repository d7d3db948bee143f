#pragma once

#include <torch/script.h>

#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "file/tree_plan.h"
#include "ir/program.h"

namespace fusekit::file {

/// An attribute's place in the tree: the path of its module (of that module's first name), and its name.
struct Place {
  std::string module;
  std::string name;

  [[nodiscard]] std::string path() const;
};

/// Tells which names of the tree that is to be written are free for something new. It reads the plan as it is when it
/// is asked: what the graphs use has to be planned before.
class FreeNames {
 public:
  /// `used`: the keys of the weights that the graphs use.
  FreeNames(const ir::Program& program, const TreePlan& plan, const std::set<std::string>& used);

  /// Where a new weight goes that would like to be at `wanted`: there if it is free, else at the first free one of
  /// wanted_1, wanted_2, ... Below something that takes no attribute (no module, one that packs its own state, a new
  /// one) the module above takes it: "a.b.weight" becomes "a.b_weight".
  [[nodiscard]] Place for_weight(const std::string& wanted) const;

  /// The same for a new module, which may also stand where an original module was of which nothing is in use.
  [[nodiscard]] Place for_module(const std::string& wanted) const;

  /// Is this place free? Not where the plan has something there, nor where the original module has a method, constant,
  /// property, hook, submodule or attribute of that name. Only what is None, and a tensor that a rewrite has used up,
  /// may be replaced.
  [[nodiscard]] bool is_free(const Place& place) const;

  /// Is there an original module of which nothing, itself or below, is in use or wanted by a new weight?
  [[nodiscard]] bool is_left_over(const Place& place) const;

 private:
  [[nodiscard]] Place home_of(const std::string& wanted) const;
  [[nodiscard]] bool is_planned(const Place& place) const;

  const ir::Program& program_;
  const TreePlan& plan_;
  std::unordered_map<c10::ivalue::Object*, std::string> paths_;
  std::map<std::string, torch::jit::Module> originals_;  ///< by first path
  std::set<std::string> wanted_;                         ///< modules in or below which a new weight would like to be
};

/// Is the original's attribute kept as it is? Tensors that a rewrite has used up go; settings, state, and what no graph
/// ever read stay.
bool stays(const ir::Program& program, const TreePlan& plan, const std::string& path, const c10::IValue& value);

}  // namespace fusekit::file
