#pragma once

#include <set>
#include <string>
#include <vector>

#include "ir/flatten.h"

namespace fusekit::ir {

/// Answers what the methods ask of lists and dicts of numbers and strings that are attributes of modules, with constants:
/// `name in self.return_layers`, `self.sizes[1]`, `len(self.sizes)`. Only of those that nothing but such questions ever
/// reads, by any of their names. `assigned`: paths of attributes that a method assigns.
void resolve_lookups(const std::vector<FlatGraph>& flats, const std::set<std::string>& assigned);

}  // namespace fusekit::ir
