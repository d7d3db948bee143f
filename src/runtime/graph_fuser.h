#pragma once

#include <torch/script.h>

namespace fusekit::runtime {

/// Turns LibTorch's oneDNN Graph fuser on for the whole process, and freezes the network, which it needs: others take up
/// to a minute in their second run. The network is in eval() then. Every TorchScript network whose first run comes later
/// is compiled by it. Error{unsupported}: this LibTorch has none.
torch::jit::Module frozen_for_graph_fuser(torch::jit::Module module);

/// During its lifetime, the fuser may be turned on; it is as it was afterwards.
class GraphFuserGuard {
 public:
  GraphFuserGuard();
  ~GraphFuserGuard();
  GraphFuserGuard(const GraphFuserGuard&) = delete;
  GraphFuserGuard& operator=(const GraphFuserGuard&) = delete;

 private:
  bool was_on_ = false;
};

}  // namespace fusekit::runtime
