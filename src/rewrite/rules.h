#pragma once

#include <vector>

#include "rewrite/rule.h"

namespace fusekit::rewrite {

// One file of rules/ each.

Rule constant_weight();
Rule conv_bn();
Rule conv_bn_activation(const ir::ActivationKind& kind, const std::string& name);
Rule conv_transpose_bn();
Rule linear_bn();
Rule linear_permute_bn();
Rule pad_conv();
Rule encoder_layer();
Rule self_attention();
// A producer and the activation behind it, as one group; `name` of the activation in rule names: "relu".
Rule conv_activation(const ir::ActivationKind& kind, const std::string& name);
Rule linear_activation(const ir::ActivationKind& kind, const std::string& name);
Rule bn_activation(const ir::ActivationKind& kind, const std::string& name);

/// All rules, in the order in which they run: longer patterns before their parts.
std::vector<Rule> all_rules();

}  // namespace fusekit::rewrite
