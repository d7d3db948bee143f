#include "rewrite/pipelines.h"

namespace fusekit::rewrite {

// A new rule is one new file in rules/ and one new line here.
std::vector<Rule> pipeline() {
  return {
      rule<"conv+bn+relu">(), rule<"conv+bn">(),     rule<"conv_transpose+bn">(), rule<"linear+bn">(),
      rule<"conv+relu">(),    rule<"linear+relu">(), rule<"bn+relu">(),
  };
}

}  // namespace fusekit::rewrite
