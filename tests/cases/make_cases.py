#!/usr/bin/env python3
"""Makes the trap networks beside this file: small files on which fusing goes wrong easily.

    make_cases.py [DIR]        needs torch 1.13 (Debian's python3-torch), so that every LibTorch can read them

Writes NAME.pt for each and cases.tsv: name, shapes for --input_dims, types for --input_type, how many places may be
fused (every reading of the network agrees on that number), what makes it a trap.
"""
import sys
import warnings
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
CASES = []


def upset(module: nn.Module) -> nn.Module:
    """Gives every BatchNorm statistics and parameters that are far from the defaults."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            if child.running_mean is not None:
                child.running_mean.normal_()
                child.running_var.uniform_(0.5, 1.5)
            if child.affine:
                nn.init.uniform_(child.weight, 0.5, 1.5)
                nn.init.normal_(child.bias)
    return module


def case(shapes, fused, trap, types="float", ways=("script", "trace"), mode="eval", save=None):
    """Registers a module class (or a function that makes a module) as a case."""

    def register(make):
        CASES.append((make, shapes, fused, trap, types, ways, mode, save))
        return make

    return register


class ConvBn(nn.Module):
    def __init__(self, **bn):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(3, **bn)

    def forward(self, x):
        return self.bn(self.conv(x))


IMAGE = "2,3,9,9"


@case(IMAGE, 1, "none: the plain pair")
class Plain(ConvBn):
    pass


@case(IMAGE, 0, "BatchNorm left in train()", mode="train")
class TrainMode(ConvBn):
    pass


@case(IMAGE, 0, "BatchNorm without running statistics")
class NoStatistics(ConvBn):
    def __init__(self):
        super().__init__(track_running_stats=False)


@case(IMAGE, 1, "BatchNorm without affine parameters")
class NoAffine(ConvBn):
    def __init__(self):
        super().__init__(affine=False)


@case(IMAGE, 0, "one convolution feeds two BatchNorms")
class TwoBatchNorms(ConvBn):
    def __init__(self):
        super().__init__()
        self.other = nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.conv(x)
        return self.bn(y) * self.other(y)


@case(IMAGE, 0, "bn(conv(x)) + conv(x), the convolution run once")
class SecondReader(ConvBn):
    def forward(self, x):
        y = self.conv(x)
        return self.bn(y) + y


@case(IMAGE, 1, "another exported method uses the convolution", ways=("script",))
class OtherMethod(ConvBn):
    @torch.jit.export
    def features(self, x):
        return self.conv(x)


@case(IMAGE, 2, "one conv and one BatchNorm run twice")
class CalledTwice(ConvBn):
    def forward(self, x):
        return self.bn(self.conv(torch.sigmoid(self.bn(self.conv(x)))))


@case(IMAGE, 2, "one convolution, at each place another BatchNorm")
class SharedConv(ConvBn):
    def __init__(self):
        super().__init__()
        self.other = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.other(self.conv(torch.sigmoid(self.bn(self.conv(x)))))


@case(IMAGE, 2, "two convolutions with one weight tensor")
class TiedWeights(ConvBn):
    def __init__(self):
        super().__init__()
        self.conv2 = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.conv2.weight = self.conv.weight
        self.bn2 = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.bn2(self.conv2(torch.sigmoid(self.bn(self.conv(x)))))


@case(IMAGE, 1, "one weight tensor in a folded and in another convolution")
class TiedToUnfolded(TiedWeights):
    def forward(self, x):
        return self.conv2(torch.sigmoid(self.bn(self.conv(x))))


@case(IMAGE, 2, "one module under two names")
class TwoNames(ConvBn):
    def __init__(self):
        super().__init__()
        self.again = self.bn
        self.conv2 = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.again(self.conv2(torch.sigmoid(self.bn(self.conv(x)))))


@case(IMAGE, 2, "weights that are views of one storage")
class ViewsOfOneStorage(TiedWeights):
    def __init__(self):
        super().__init__()
        both = torch.randn(2, 3, 3, 3, 3)
        self.conv.weight = nn.Parameter(both[0])
        self.conv2.weight = nn.Parameter(both[1])


@case(IMAGE, 0, "forward moves the running mean", ways=("script",))
class MovingMean(ConvBn):
    def forward(self, x):
        y = self.bn(self.conv(x))
        assert self.bn.running_mean is not None
        self.bn.running_mean.add_(0.5)
        return y


@case(IMAGE, 0, "forward writes the weight through a view", ways=("script",))
class WrittenWeight(ConvBn):
    def forward(self, x):
        self.conv.weight.data[0].mul_(1.5)
        return self.bn(self.conv(x))


class BatchNorm2d(nn.Module):
    """A user's class of that name, which does something else."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3) + 0.5)
        self.bias = nn.Parameter(torch.randn(3))
        self.register_buffer("running_mean", torch.randn(3))
        self.register_buffer("running_var", torch.rand(3) + 0.5)
        self.eps: float = 1e-5
        self.training_like = False

    def forward(self, x):
        return x * self.weight.reshape(1, 3, 1, 1) - self.running_mean.reshape(1, 3, 1, 1)


@case(IMAGE, 0, "a user's class that is called BatchNorm2d")
class MisleadingName(ConvBn):
    def __init__(self):
        super().__init__()
        self.bn = BatchNorm2d()


class LinearBn(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 5)
        self.bn = nn.BatchNorm1d(5)

    def forward(self, x):
        return self.bn(self.fc(x))


@case("3,4", 1, "Linear + BatchNorm1d, two dimensions by --input_dims alone")
class Linear2d(LinearBn):
    pass


@case("2,5,4", 0, "Linear + BatchNorm1d on (N, L, C) with L equal to C")
class Linear3d(LinearBn):
    pass


@case("2,2,2", 1, "Linear + BatchNorm1d behind flatten")
class LinearFlattened(LinearBn):
    def forward(self, x):
        return self.bn(self.fc(torch.flatten(x, 1)))


@case(IMAGE, 0, "var = 0 and eps = 0")
class ZeroVariance(ConvBn):
    def __init__(self):
        super().__init__(eps=0.0)

    def finish(self):
        self.bn.running_var.zero_()
        self.bn.running_var[0] = 1
        return self


@case("2,4,7,7", 1, "transposed convolution with groups")
class TransposedGroups(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2)
        self.bn = nn.BatchNorm2d(6)

    def forward(self, x):
        return self.bn(self.conv(x))


@case(IMAGE, 1, "padding='same'")
class SamePadding(ConvBn):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding="same")


@case(IMAGE, 1, "Identity and Dropout between")
class Between(ConvBn):
    def __init__(self):
        super().__init__()
        self.between = nn.Sequential(nn.Identity(), nn.Dropout(0.5), nn.Identity())

    def forward(self, x):
        return torch.relu(self.bn(self.between(self.conv(x))))


@case(IMAGE, 1, "F.conv2d and F.batch_norm on parameters of the root")
class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.gamma = nn.Parameter(torch.rand(4) + 0.5)
        self.beta = nn.Parameter(torch.randn(4))
        self.register_buffer("mean", torch.randn(4))
        self.register_buffer("var", torch.rand(4) + 0.5)

    def forward(self, x):
        return F.relu(F.batch_norm(F.conv2d(x, self.w), self.mean, self.var, self.gamma, self.beta, False))


@case(IMAGE, 0, "a weight that forward computes")
class ComputedWeight(ConvBn):
    def forward(self, x):
        return self.bn(F.conv2d(x, self.conv.weight * 0.5))


@case(IMAGE, 0, "an in-place write between")
class WriteBetween(ConvBn):
    def forward(self, x):
        y = self.conv(x)
        y.mul_(2.0)
        return self.bn(y)


@case(IMAGE, 1, "a counter that forward assigns", ways=("script",))
class Counter(ConvBn):
    def __init__(self):
        super().__init__()
        self.calls: int = 0
        self.register_buffer("total", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        self.total += 1
        return self.bn(self.conv(x)) * float(self.calls) + self.total


@case(IMAGE, 1, "random numbers, also unused ones", ways=("script",))
class Random(ConvBn):
    def forward(self, x):
        unused = torch.rand(3)
        return self.bn(self.conv(x)) + torch.rand(1)


@case(IMAGE, 1, "a print", ways=("script",))
class Prints(ConvBn):
    def forward(self, x):
        print("forward of", x.size(1), "channels")
        return self.bn(self.conv(x))


@case(IMAGE, 2, "pairs inside branches and loops", ways=("script",))
class ControlFlow(ConvBn):
    def __init__(self):
        super().__init__()
        self.conv2 = nn.Conv2d(3, 3, 1)
        self.bn2 = nn.BatchNorm2d(3)

    def forward(self, x):
        for _ in range(2):
            x = torch.sigmoid(self.bn(self.conv(x)))
            if bool(x.sum() > 0.0):
                x = self.bn2(self.conv2(x)) + x
        return x


@torch.jit.interface
class OneTensor(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


@case(IMAGE, 1, "a call through a module interface", ways=("script",))
class Interface(nn.Module):
    part: OneTensor

    def __init__(self):
        super().__init__()
        self.part = ConvBn()

    def forward(self, x):
        return self.part.forward(x)


class Outputs(NamedTuple):
    y: Tensor
    extra: Optional[Tensor]


@case(IMAGE + ";2,5", 1, "a NamedTuple of a tensor and None, two inputs, one by default", ways=("script",))
class NamedTupleOutput(ConvBn):
    def forward(self, x, z, scale: float = 2.0):
        return Outputs(self.bn(self.conv(x)) * scale + z.sum(), None)


@case(IMAGE, 1, "a dictionary with lists and tuples", ways=("script",))
class DictOutput(ConvBn):
    def forward(self, x) -> Dict[str, List[Tuple[Tensor, Tensor]]]:
        y = self.bn(self.conv(x))
        return {"a": [(y, y + 1)], "b": [(x, y * 2)]}


@case("2,6", 0, "int64 indices into an embedding", types="int64")
class Indices(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.embedding(x))


@case("3,2,4", 0, "an LSTM with its state in buffers", ways=("script",))
class StatefulLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 5)
        self.register_buffer("h", torch.zeros(1, 2, 5))
        self.register_buffer("c", torch.zeros(1, 2, 5))

    def forward(self, x):
        y, (h, c) = self.lstm(x, (self.h, self.c))
        self.h = h
        self.c = c
        return y


@case(IMAGE, 1, "double weights", types="double")
class Double(ConvBn):
    def finish(self):
        return self.double()


@case(IMAGE, 1, "bfloat16 weights", types="bfloat16")
class BFloat16(ConvBn):
    def finish(self):
        return self.bfloat16()


@case(IMAGE, 1, "a frozen file: constants without names", ways=("script",))
class Frozen(ConvBn):
    finished = staticmethod(lambda scripted: torch.jit.freeze(scripted, optimize_numerics=False))


@case(IMAGE, 1, "a large table that forward computes", ways=("script",))
class ComputedTable(ConvBn):
    def forward(self, x):
        table = torch.arange(100000, dtype=torch.float).reshape(1000, 100) * 0.001
        return self.bn(self.conv(x)) + table.sum() * 0.0


@case(IMAGE, 1, "extra files in the archive", ways=("script",), save={"notes.txt": "kept", "labels/en.txt": "cat,dog"})
class ExtraFiles(ConvBn):
    pass


def module_of(make, mode):
    torch.manual_seed(0)
    module = upset(make())
    module = module.finish() if hasattr(module, "finish") else module
    return module.train(mode == "train")


def snake(name):
    return "".join(("_" if i and c.isupper() else "") + c.lower() for i, c in enumerate(name))


DTYPES = {"float": torch.float, "double": torch.double, "bfloat16": torch.bfloat16, "int64": torch.long}


def example(shapes, types):
    shapes = [tuple(int(size) for size in shape.split(",")) for shape in shapes.split(";")]
    dtype = DTYPES[types]
    return [torch.zeros(shape, dtype=dtype) if dtype == torch.long else torch.randn(shape).to(dtype) for shape in shapes]


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    rows = ["# name\tinput_dims\tinput_type\tfused\ttrap"]
    for make, shapes, fused, trap, types, ways, mode, save in CASES:
        for way in ways:
            module = module_of(make, mode)
            if way == "script":
                compiled = torch.jit.script(module)
            else:
                compiled = torch.jit.trace(module, example(shapes, types), check_trace=False)
            if hasattr(make, "finished"):
                compiled = make.finished(compiled)
            name = f"{snake(make.__name__)}.{way}"
            torch.jit.save(compiled, str(folder / f"{name}.pt"), _extra_files=save or {})
            rows.append(f"{name}\t{shapes}\t{types}\t{fused}\t{trap}")
    (folder / "cases.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
