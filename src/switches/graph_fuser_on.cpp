// A library whose loading alone turns LibTorch's oneDNN Graph fuser on, for hosts that can't call C++: dlopen, LD_PRELOAD
// beside LibTorch, or torch.ops.load_library. It stays on for the whole process: every TorchScript network whose first run
// comes later is compiled by it. Freeze networks before (torch.jit.freeze): those that are not take up to a minute in their
// second run.
#if __has_include(<torch/csrc/jit/codegen/onednn/interface.h>)
#include <torch/csrc/jit/codegen/onednn/interface.h>

namespace {

[[maybe_unused]] const bool was_on = torch::jit::RegisterLlgaFuseGraph::setEnabled(true);

}  // namespace
#endif
