#include "rewrite/rules.h"

namespace fusekit::rewrite {

// A new rule is one new file in rules/ and one new line here; a new group of a producer and an activation is one line.
std::vector<Rule> all_rules() {
  const ir::ActivationKind& relu = ir::activation_kind("aten::relu");
  return {
      encoder_layer(),
      self_attention(),
      constant_weight(),
      pad_conv(),
      conv_bn_activation(relu, "relu"),
      conv_bn(),
      conv_transpose_bn(),
      linear_bn(),
      linear_permute_bn(),
      conv_activation(relu, "relu"),
      linear_activation(relu, "relu"),
      bn_activation(relu, "relu"),
  };
}

}  // namespace fusekit::rewrite
