#pragma once

#include "quantize/score.h"

namespace fusekit::quantize {

/// Where layers go back to float until the outputs are near enough.
struct Fallback {
  std::set<const Node*> floats;            ///< the layers that went back (nodes of the float network)
  std::map<const Node*, double> alone_db;  ///< the outputs' SQNR with this layer alone in int8
  bool holds = true;                       ///< the bound, on the judge's samples
};

/// Finds few layers whose return to float makes `holds` true: those that hurt most when they alone are int8 come first
/// (their errors add up, near enough), and what turns out to be unneeded goes back to int8.
Fallback find_fallback(const std::function<Built(const std::function<Reason(const Node*)>&)>& build_with,
                       const std::vector<const Node*>& layers, const Judge& judge,
                       const std::function<bool(const Score&)>& holds, const std::function<void(double)>& progress);

}  // namespace fusekit::quantize
