#include "runtime/graph_fuser.h"

#include <torch/csrc/jit/api/module.h>

#if __has_include(<torch/csrc/jit/codegen/onednn/interface.h>)
#include <torch/csrc/jit/codegen/onednn/interface.h>
#define FUSEKIT_HAS_GRAPH_FUSER
#endif

#include "fusekit/error.h"

namespace fusekit::runtime {

#ifdef FUSEKIT_HAS_GRAPH_FUSER

using Fuser = torch::jit::RegisterLlgaFuseGraph;

torch::jit::Module frozen_for_graph_fuser(torch::jit::Module module) {
  Fuser::setEnabled(true);
  module.eval();
  return torch::jit::freeze(module);
}

GraphFuserGuard::GraphFuserGuard() : was_on_(Fuser::isEnabled()) {}
GraphFuserGuard::~GraphFuserGuard() { Fuser::setEnabled(was_on_); }

#else

torch::jit::Module frozen_for_graph_fuser(torch::jit::Module /*module*/) {
  throw Error(ErrorKind::unsupported, "this LibTorch has no oneDNN Graph fuser", "LibTorch 2.0 and later have it");
}

GraphFuserGuard::GraphFuserGuard() = default;
GraphFuserGuard::~GraphFuserGuard() = default;

#endif

}  // namespace fusekit::runtime
