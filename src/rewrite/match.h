#pragma once

#include "rewrite/rule.h"

namespace fusekit::rewrite {

/// The site of `pattern` that ends at `last`, if one does. Readers are not looked at: that is a rule's matter.
std::optional<Site> match(const Pattern& pattern, Node* last);

// Predicates. Each returns why not.

/// Nothing but the next node of the site reads what the node at `index` computes. Readers of its shape alone
/// (aten::dim, aten::size, ...) do not count where shapes stay the same.
WhyNot something_else_reads(const Site& site, std::size_t index);

/// The nodes of the site stand in one block: one of them in a loop or branch of its own may run more or less often.
WhyNot stands_in_several_blocks(const Site& site);

/// The first WhyNot of the list.
WhyNot first_of(std::initializer_list<WhyNot> reasons);

/// The module path for a message: "layer1.0.conv1", or "the root module".
std::string where(const Node* node);

}  // namespace fusekit::rewrite
