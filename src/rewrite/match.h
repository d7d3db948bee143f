#pragma once

#include <initializer_list>
#include <optional>

#include "rewrite/rule.h"

namespace fusekit::rewrite {

/// The site of `pattern` that ends at `last`, if one does. Readers are not looked at: that is a rule's matter.
std::optional<Site> match(const Pattern& pattern, Node* last);

// Conditions that rules share. Each returns why not, or no reason.

/// Nothing but the next node of the site reads what the node at `index` computes. Readers of its shape, dtype or device
/// alone do not count, as these stay the same.
Reason something_else_reads(const Site& site, std::size_t index);

/// The nodes of the site stand in one block: one of them in a loop or branch of its own may run more or less often.
Reason stands_in_several_blocks(const Site& site);

/// The activation at the end of a site can be one operator with the node before it.
Reason activation_stands_apart(const Site& site);

/// The first that is a reason.
Reason first_of(std::initializer_list<Reason> reasons);

}  // namespace fusekit::rewrite
