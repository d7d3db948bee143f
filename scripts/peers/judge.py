"""How well one set of logits stands for another, and how much of a network's work is int8."""
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode


def sqnr(reference, other):
    """10 log10(sum a^2 / sum (a-b)^2) in dB, over all logits."""
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(other, dtype=np.float64)
    noise = np.sum((a - b) ** 2)
    return float("inf") if noise == 0 else float(10 * np.log10(np.sum(a**2) / noise))


def agreement(reference, other):
    """The share of the samples with the same largest logit."""
    return float(np.mean(np.argmax(reference, 1) == np.argmax(other, 1)))


def logits(run, samples):
    """What `run` (an array to an array) makes of each sample, as one array."""
    return np.concatenate([np.asarray(run(sample), dtype=np.float32) for sample in samples])


INT8 = ("quantized::conv", "quantized::linear", "onednn::qconv", "onednn::qlinear")
FLOAT = {"aten::convolution", "aten::mkldnn_convolution", "aten::_convolution", "aten::addmm", "aten::mm", "aten::bmm",
         "aten::linear", "aten::mkldnn_rnn_layer", "aten::matmul"}


class MultiplyAdds(TorchDispatchMode):
    """While active, counts the multiply-adds of convolutions and linear layers, int8 and float ones apart, and the
    layers. It sees TorchScript's operators as well as Python's."""

    def __init__(self):
        super().__init__()
        self.work = {"int8": 0, "float": 0}
        self.layers = {"int8": 0, "float": 0}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function._schema.name
        if name.startswith(INT8) and "prepack" not in name and "unpack" not in name:
            self._add("int8", self._quantized_weight(args), result, "linear" in name)
        elif name in FLOAT:
            dense = name in ("aten::addmm", "aten::mm", "aten::bmm")
            weight = args[2] if name == "aten::addmm" else args[1]
            self._add("float", weight.transpose(-1, -2) if dense else weight, result, dense or name == "aten::linear")
        elif name.startswith("mkldnn::_convolution_pointwise"):
            self._add("float", next(a for a in args[1:] if isinstance(a, torch.Tensor)), result, False)
        return result

    @staticmethod
    def _quantized_weight(args):
        packed = next(a for a in args if isinstance(a, torch.ScriptObject))
        return packed.unpack()[0] if hasattr(packed, "unpack") else packed.__getstate__()

    def _add(self, kind, weight, result, linear):
        per_output = weight.shape[-1] if linear else int(np.prod(weight.shape[1:]))
        self.work[kind] += result.numel() * per_output
        self.layers[kind] += 1

    def share(self):
        return self.work["int8"] / max(1, sum(self.work.values()))


def count(run, sample):
    """(share of the multiply-adds that are int8, number of int8 layers, number of float layers) of a torch model."""
    with torch.no_grad(), MultiplyAdds() as mode:
        run(torch.from_numpy(sample))
    return mode.share(), mode.layers["int8"], mode.layers["float"]
