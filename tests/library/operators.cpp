// An operator that does not come with LibTorch: fusekit_test::twice.
#include <ATen/core/Tensor.h>
#include <torch/library.h>

TORCH_LIBRARY(fusekit_test, library) {
  library.def("twice(Tensor x) -> Tensor", [](const at::Tensor& x) { return x.mul(2); });
}
