#pragma once

#include <string>
#include <vector>

#include "fusekit/inputs.h"
#include "fusekit/model.h"
#include "fusekit/reason.h"

namespace fusekit {

/// What a rule is called and does; the source of `--list-rules`, `--disable` and the README's table.
struct RuleInfo {
  std::string name;     ///< e.g. "conv+bn"
  std::string summary;  ///< one line
};

/// All rules in the order in which they run.
std::vector<RuleInfo> rules();

struct FuseOptions {
  /// As fuse_modules takes them: {{"conv1","bn1","relu"}}. Empty: everything that is provably right.
  std::vector<std::vector<std::string>> modules;
  bool strict = false;                ///< an unsupported list is Error{usage} instead of a warning
  std::vector<std::string> disabled;  ///< rule names; an unknown one is Error{usage}
  std::vector<std::string>
      print_after;  ///< rule names: the graph is kept in FusionReport::prints after the rule has run
  /// Takes operators that run a whole layer of a transformer at once apart into linears and the rest of it. In float that
  /// gains nothing; to_int8 does it, as there are int8 linears and no such int8 operator.
  bool take_apart = false;
  /// Where dims or a file are given, their ranks count as known facts (a check in the written file holds them), and so do
  /// those that one run of forward on them shows, where the graph alone does not tell.
  InputOptions inputs;
};

/// One place where a rule's pattern stands.
struct FusionSite {
  std::string rule;                  ///< e.g. "conv+bn+relu"
  std::string method;                ///< "forward" or another exported method
  std::vector<std::string> modules;  ///< the module paths involved, e.g. {"layer1.0.conv1", "layer1.0.bn1"}
  bool fused = false;
  bool as_found = false;  ///< fused, and the file had it so already: nothing was changed
  Reason reason;          ///< why not, where not fused; what was done, where that needs saying; else none
};

struct RuleTime {
  std::string rule;
  double seconds = 0;
};

/// What happened at every site.
struct FusionReport {
  std::vector<FusionSite> entries;
  std::vector<std::string> warnings;
  std::vector<RuleTime> times;
  /// (rule, the graphs' text after it), as asked for by FuseOptions::print_after.
  std::vector<std::pair<std::string, std::string>> prints;

  [[nodiscard]] std::size_t fused() const;
  [[nodiscard]] std::size_t declined() const;
};

/// Applies the rules. Error{usage}: an unknown rule name, a list none of whose modules the network has, or with `strict` an
/// unsupported list.
FusionReport fuse(Model& model, const FuseOptions& options = {});

}  // namespace fusekit
