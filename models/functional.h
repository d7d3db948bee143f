#pragma once

namespace fusekit::models {

/// What of torch.nn.functional the examples call, in TorchScript, with the checks that PyTorch's own make
/// (torch/nn/functional.py).
inline constexpr const char* kFunctional = R"(
def _verify_batch_size(size: List[int]) -> None:
    count = size[0]
    for i in range(len(size) - 2):
        count *= size[i + 2]
    if count == 1:
        prim.RaiseException("Expected more than 1 value per channel when training, got input size {}".format(size), "builtins.ValueError")

def batch_norm(input: Tensor, running_mean: Optional[Tensor], running_var: Optional[Tensor],
               weight: Optional[Tensor]=None, bias: Optional[Tensor]=None, training: bool=False,
               momentum: float=0.1, eps: float=1e-05) -> Tensor:
    if training:
        _verify_batch_size(input.size())
    return torch.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, True)

def relu(input: Tensor, inplace: bool=False) -> Tensor:
    if inplace:
        result = torch.relu_(input)
    else:
        result = torch.relu(input)
    return result

def hardtanh(input: Tensor, min_val: float=-1., max_val: float=1., inplace: bool=False) -> Tensor:
    if inplace:
        result = torch.hardtanh_(input, min_val, max_val)
    else:
        result = torch.hardtanh(input, min_val, max_val)
    return result

def dropout(input: Tensor, p: float=0.5, training: bool=True, inplace: bool=False) -> Tensor:
    if p < 0. or p > 1.:
        prim.RaiseException("dropout probability has to be between 0 and 1, but got {}".format(p), "builtins.ValueError")
    if inplace:
        result = torch.dropout_(input, p, training)
    else:
        result = torch.dropout(input, p, training)
    return result

def max_pool2d(input: Tensor, kernel_size: List[int], stride: List[int], padding: List[int], dilation: List[int],
               ceil_mode: bool=False) -> Tensor:
    return torch.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)

def adaptive_avg_pool2d(input: Tensor, output_size: List[int]) -> Tensor:
    if len(input.size()) <= len(output_size):
        prim.RaiseException("AssertionError: ")
    return torch.adaptive_avg_pool2d(input, output_size)
)";

}  // namespace fusekit::models
