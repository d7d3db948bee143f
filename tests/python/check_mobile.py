#!/usr/bin/env python3
"""Judges a file for phones from outside: in the mobile interpreter of plain Python, on one thread, engine qnnpack.

    check_mobile.py ORIGINAL MOBILE.ptl --dims "1,3,224,224;1,10" [--type "float;int64"] [--library FILE]

It checks that the original (run by torch.jit.load) and the file (torch.jit.mobile) give the same outputs on three random
inputs, run three times each, and with each dimension doubled where the original runs with it. It also tells how many of
the file's convolutions and linears are XNNPACK's, and what PyTorch's own optimize_for_mobile makes of the original: its
error, or that it fails. Prints one line; exit code 1 and a line for each check that fails. Needs torch 1.13 or newer.
"""
import os
import sys
import tempfile

import torch
from check_fused import FEEDS_BATCH_NORM, error_on_other_shapes, judge, load, nodes_of, worst_error
from torch.jit.mobile import _load_for_lite_interpreter
from torch.utils.mobile_optimizer import optimize_for_mobile


class OnPhone(torch.nn.Module):
    """What check_fused calls."""

    def __init__(self, path):
        super().__init__()
        self.module = _load_for_lite_interpreter(path)

    def forward(self, *inputs):
        return self.module(*inputs)


def packed_share(path):
    """(XNNPACK's layers, all float layers) of forward."""
    kinds = [node.kind() for node in nodes_of(torch.jit.load(path).inlined_graph)]
    packed = sum(kind.startswith("prepacked::") and kind.endswith("_run") for kind in kinds)
    return packed, packed + sum(kind in FEEDS_BATCH_NORM for kind in kinds)


def stock(arguments, dims):
    """What optimize_for_mobile alone makes of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stock.ptl")
        try:
            optimize_for_mobile(load(arguments.original).eval())._save_for_lite_interpreter(path)
            error = worst_error(load(arguments.original), OnPhone(path), dims, arguments.type)
        except (RuntimeError, ValueError, torch.jit.Error) as error:
            return f"fails ({str(error).strip().splitlines()[-1][:60]})"
    return f"{error:.2e}"


def gives_named_tuples(path):
    """Python's binding of the mobile interpreter can't return those (torch 1.13: also of files that it wrote itself)."""
    output = next(torch.jit.load(path).graph.outputs()).type()
    return output.kind() == "TupleType" and str(output).startswith("__torch__")


def check(arguments):
    """(failures, what was found)"""
    torch.set_num_threads(1)
    if "qnnpack" in torch.backends.quantized.supported_engines:
        torch.backends.quantized.engine = "qnnpack"
    dims = [tuple(map(int, text.split(","))) for text in arguments.dims.split(";")]
    arguments.type = arguments.type.split(";")
    original, mobile = load(arguments.original, arguments.library), OnPhone(arguments.mobile)
    try:
        error = worst_error(original, mobile, dims, arguments.type)
    except (ValueError, MemoryError) as problem:
        if not gives_named_tuples(arguments.original):
            raise
        return [], f"not judged: Python can't be given its named tuple ({problem})"
    others_error, others = error_on_other_shapes(original, mobile, dims, arguments.type)
    failures = []
    for where, each in (("", error), ("on other shapes, ", others_error)):
        if not each <= arguments.tolerance:
            failures.append(f"{where}outputs differ by {each:.3g} of the largest")
    packed, layers = packed_share(arguments.mobile)
    return failures, (f"error {error:.2e}, on {others} other shapes {others_error:.2e}; {packed} of {layers} layers packed; "
                      f"optimize_for_mobile alone {stock(arguments, dims)}")


if __name__ == "__main__":
    sys.exit(judge(check, __doc__, "mobile", tolerance=1e-4))
