#pragma once

#include <torch/script.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ir/program.h"

namespace fusekit::file {

/// What one module of the rebuilt tree is to hold.
struct PlannedModule {
  torch::jit::Module original;
  std::string path;
  std::map<std::string, std::string> weights;      ///< attribute name to key of Program::weights
  std::map<std::string, std::string> new_modules;  ///< attribute name to key of Program::modules
  std::set<std::string> children;                  ///< names of submodules that are kept
  std::map<std::string, std::string> aliases;      ///< further names: name to the path of the module that it stands for
};

/// The rebuilt tree before it is built.
struct TreePlan {
  std::map<std::string, PlannedModule> modules;        ///< by path; the root is ""
  std::map<std::string, std::string> attribute_paths;  ///< key of a used weight to the path it gets
  std::map<std::string, std::string> module_paths;     ///< key of a used new module to the path it gets
  std::set<std::string> state;  ///< paths of attributes that a graph still reads or assigns where they stand
};

/// Plans the tree of everything that the program's graphs use.
TreePlan plan_tree(const ir::Program& program);

}  // namespace fusekit::file
