#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fusekit/fuse.h"
#include "rewrite/rule.h"

namespace fusekit::rewrite {

/// The first of these paths at which the network has no module; nullopt where it has all.
std::optional<std::string> unknown_module(const std::vector<std::string>& paths, const torch::jit::Module& root);

/// For who asked for a module that the network does not have: the nearest that it has.
std::string hint_for_unknown(const std::string& path, const torch::jit::Module& root);

/// The user's lists of modules, as fuse_modules takes them. Without any, every site is wanted.
class ModuleLists {
 public:
  explicit ModuleLists(std::vector<std::vector<std::string>> lists) : lists_(std::move(lists)) {}

  /// Error{usage}: a list none of whose modules the network has.
  void refuse_unknown(const torch::jit::Module& root) const;

  /// Do the nodes of this site come from just the modules of one of the lists?
  [[nodiscard]] bool wants(const Site& site) const;

  /// One sentence for each list that nothing in the fusion was fused for: an unknown module, a sequence that no rule
  /// has, modules that don't follow one another, or the reason why the rule declined.
  [[nodiscard]] std::vector<std::string> complaints(const FusionReport& fusion, const ir::Program& program,
                                                    const std::vector<Rule>& rules) const;

 private:
  std::vector<std::vector<std::string>> lists_;
};

}  // namespace fusekit::rewrite
