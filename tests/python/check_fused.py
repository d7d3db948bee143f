#!/usr/bin/env python3
"""Judges a fused file from outside: with plain torch.jit.load, as a user's Python would see it.

    check_fused.py ORIGINAL FUSED --dims "1,3,224,224;1,10" [--type "float;int64"] [--library FILE]

It checks that
  - both give the same outputs on three random inputs, run three times each (the executor specializes);
  - so do they with each dimension doubled, the batch first, where the original runs with it;
  - no batch_norm that a conv, a transposed conv or a linear feeds directly is left in forward's inlined graph;
  - the state_dict's names are the original's, but for biases that folding adds beside a weight;
  - .to(torch.double) works and agrees, where it does for the original;
  - the root's original_name is kept and no name is mangled.
Prints one line, with the error found; exit code 1 and a line for each check that fails. Needs torch 1.13 or newer.
"""
import argparse
import sys
from collections import Counter

import torch

FEEDS_BATCH_NORM = {
    "aten::conv1d",
    "aten::conv2d",
    "aten::conv3d",
    "aten::conv_transpose1d",
    "aten::conv_transpose2d",
    "aten::conv_transpose3d",
    "aten::_convolution",
    "aten::_convolution_mode",
    "aten::convolution",
    "aten::linear",
    "aten::addmm",
}
BATCH_NORM = {"aten::batch_norm", "aten::native_batch_norm", "aten::_batch_norm_impl_index"}
SAMPLES = 3
RUNS = 3


def tensors_in(output, place="output"):
    """(place, tensor) for every tensor in nested tuples, lists and dictionaries."""
    if isinstance(output, torch.Tensor):
        yield place, output
    elif isinstance(output, (tuple, list)):
        for index, value in enumerate(output):
            yield from tensors_in(value, f"{place}[{index}]")
    elif isinstance(output, dict):
        for key, value in output.items():
            yield from tensors_in(value, f"{place}[{key!r}]")


def overlaps(a, b):
    """Intersection over union of each box (x1, y1, x2, y2) of a with each of b."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clamp(min=0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b)]
    return torch.nan_to_num(both / (areas[0][:, None] + areas[1][None] - both), nan=1.0)


def in_order_of(expected, actual):
    """`actual`, its detections (dicts with boxes and scores) in the order of those of `expected`: nearly equal scores come
    in any order. As it is where one has no counterpart."""
    if isinstance(expected, (tuple, list)) and len(expected) == len(actual):
        return [in_order_of(a, b) for a, b in zip(expected, actual)]
    if not (isinstance(expected, dict) and {"boxes", "scores"} <= set(expected)):
        return actual
    if expected["boxes"].shape != actual["boxes"].shape or len(expected["boxes"]) == 0:
        return actual
    left = overlaps(expected["boxes"].double(), actual["boxes"].double())
    if "labels" in expected:
        left[expected["labels"][:, None] != actual["labels"][None]] = -1
    rows = []
    for k in range(len(left)):
        row = k if left[k, k] > left[k].max() - 1e-3 else left[k].argmax().item()
        if left[k, row] < 0.5:
            return actual
        rows.append(row)
        left[:, row] = -1
    return {key: value[rows] if len(value) == len(rows) else value for key, value in actual.items()}


def relative_error(expected, actual):
    """The worst of max |a - b| / max |a| over the tensors; raises ValueError where they can't be compared."""
    worst = 0.0
    expected, actual = list(tensors_in(expected)), list(tensors_in(in_order_of(expected, actual)))
    if [place for place, _ in expected] != [place for place, _ in actual]:
        raise ValueError(f"outputs are nested differently: {[p for p, _ in expected]} and {[p for p, _ in actual]}")
    if not expected:
        raise ValueError("the outputs hold no tensor")
    for (place, a), (_, b) in zip(expected, actual):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise ValueError(f"{place} is {tuple(a.shape)} {a.dtype} and {tuple(b.shape)} {b.dtype}")
        a, b = a.double(), b.double()
        if not torch.equal(torch.isfinite(a), torch.isfinite(b)):
            raise ValueError(f"{place} is finite at different places")
        difference = torch.nan_to_num(a - b, nan=0.0, posinf=0.0, neginf=0.0).abs().max().item()
        largest = torch.nan_to_num(a, nan=0.0, posinf=0.0, neginf=0.0).abs().max().item()
        if difference > 0:
            worst = max(worst, difference / largest if largest > 0 else float("inf"))
    return worst


def make_inputs(dims, types, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs = []
    for index, shape in enumerate(dims):
        kind = types[min(index, len(types) - 1)] if types else "float"
        if kind == "int64":
            inputs.append(torch.randint(0, 2, shape, generator=generator))
        elif kind == "float[]":
            inputs.append([torch.rand(shape, generator=generator)])
        else:
            inputs.append(torch.randn(shape, generator=generator))
    return inputs


def copies(inputs, dtype=None):
    """Fresh tensors, because a network may write into its input."""
    return [
        copies(x, dtype) if isinstance(x, list) else x.to(dtype, copy=True) if dtype and x.is_floating_point() else x.clone()
        for x in inputs
    ]


def worst_error(original, fused, dims, types, dtype=None):
    """Over SAMPLES inputs and RUNS runs of each; a seed set alike before each run, for networks that draw numbers."""
    worst = 0.0
    for sample in range(SAMPLES):
        inputs = make_inputs(dims, types, 1000 + sample)
        for run in range(RUNS):
            outputs = []
            for module in (original, fused):
                torch.manual_seed(sample * RUNS + run)
                with torch.no_grad():
                    outputs.append(module(*copies(inputs, dtype)))
            worst = max(worst, relative_error(*outputs))
    return worst


def doubled(dims):
    """The shapes with each dimension doubled in turn, in all inputs that have the first one's size there."""
    for axis in range(len(dims[0])):
        yield [
            shape[:axis] + (2 * shape[axis],) + shape[axis + 1 :] if shape[axis : axis + 1] == dims[0][axis : axis + 1] else shape
            for shape in dims
        ]


def error_on_other_shapes(original, fused, dims, types):
    """The worst error over the shapes of `doubled` that the original runs on, and how many these are."""
    worst, tried = 0.0, 0
    for shapes in doubled(dims):
        inputs = make_inputs(shapes, types, 2000)
        try:
            with torch.no_grad():
                expected = [original(*copies(inputs)) for _ in range(RUNS)]
        except (RuntimeError, torch.jit.Error):  # the latter is no RuntimeError since torch 2
            continue
        tried += 1
        with torch.no_grad():
            worst = max([worst] + [relative_error(output, fused(*copies(inputs))) for output in expected])
    return worst, tried


def nodes_of(block):
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes_of(inner)


def producers(value):
    """The nodes that make a value; through prim::If, what makes it in either branch."""
    node = value.node()
    if node.kind() != "prim::If":
        return [node]
    index = [output.debugName() for output in node.outputs()].index(value.debugName())
    return [maker for block in node.blocks() for maker in producers(list(block.outputs())[index])]


def unfused_batch_norms(module):
    """The kinds of the operators that still feed a batch_norm directly."""
    found = []
    graph = module.inlined_graph
    for node in nodes_of(graph):
        if node.kind() in BATCH_NORM:
            feeders = {maker.kind() for maker in producers(next(node.inputs()))}
            found.extend(sorted(feeders & FEEDS_BATCH_NORM))
    return found


COMPUTED_WEIGHTS = ("weight_g", "weight_orig", "parametrizations.weight.original", "parametrizations.weight.original0")


def names_explained_by(state):
    """The names of a state_dict, and the weights that weight_norm or spectral_norm compute of them."""
    names = set(state)
    for name in state:
        for part in COMPUTED_WEIGHTS:
            if name.endswith(part):
                names.add(name[: -len(part)] + "weight")
    return names


def new_names(original, fused):
    """The names in fused's state_dict that the original does not explain."""
    before = names_explained_by(original.state_dict())
    unexplained = []
    for name in fused.state_dict():
        beside = name[: -len("bias")] + "weight"
        if name not in before and not (name.endswith("bias") and beside in before):
            unexplained.append(name)
    return unexplained


def mangled_names(module):
    names = list(module.state_dict()) + [name for name, _ in module.named_modules()]
    names += [part.original_name for part in module.modules()]
    return [name for name in names if "torch_mangle" in name]


def load(path, library=None):
    """`library` is only loaded for a file that needs it: it may be built for another torch."""
    try:
        return torch.jit.load(path)
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        if library:
            torch.ops.load_library(library)
        else:
            import torchvision  # noqa: F401  brings the operators
        return torch.jit.load(path)


def check(arguments):
    """(failures, what was found)"""
    dims = [tuple(map(int, text.split(","))) for text in arguments.dims.split(";")]
    arguments.type = arguments.type.split(";")
    original, fused = load(arguments.original, arguments.library), load(arguments.fused)
    failures = []

    error = worst_error(original, fused, dims, arguments.type)
    other_error, others = error_on_other_shapes(original, fused, dims, arguments.type)
    if not other_error <= arguments.tolerance:
        failures.append(f"on other shapes, outputs differ by {other_error:.3g} of the largest")
    if not error <= arguments.tolerance:
        failures.append(f"outputs differ by {error:.3g} of the largest, more than {arguments.tolerance:g}")
    for kind, count in sorted(Counter(unfused_batch_norms(fused)).items()):
        failures.append(f"{count} batch_norms are left that {kind} feeds directly")
    for name in new_names(original, fused):
        failures.append(f"the original has no parameter or buffer {name}, nor a weight beside it")
    if original.original_name != fused.original_name:
        failures.append(f"the root was called {original.original_name} and now is {fused.original_name}")
    for name in mangled_names(fused):
        failures.append(f"mangled name {name}")

    # Loaded afresh: the executor has specialized the others to float.
    original, fused = load(arguments.original).double(), load(arguments.fused)
    found = f"error {error:.2e}, on {others} other shapes {other_error:.2e}"
    try:
        with torch.no_grad():
            original(*copies(make_inputs(dims, arguments.type, 0), torch.double))
    except (RuntimeError, torch.jit.Error):
        return failures, f"{found}, not compared in double: the original does not run in it"
    double_error = worst_error(original, fused.to(torch.double), dims, arguments.type, torch.double)
    if not double_error <= arguments.tolerance:
        failures.append(f"in double, outputs differ by {double_error:.3g} of the largest")
    return failures, f"{found}, in double {double_error:.2e}"


def judge(check, description, second, tolerance):
    """A judge's program: reads the command line, whose second file is called `second`, prints what `check` says of it, and
    returns the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("original")
    parser.add_argument(second)
    parser.add_argument("--dims", required=True, help="the shapes of the inputs, such as 1,3,224,224;1,10")
    parser.add_argument("--type", default="float", help="float, float[] or int64, of each input, with semicolons")
    parser.add_argument("--library", help="operators that do not come with torch, as torch.ops.load_library takes them")
    parser.add_argument("--tolerance", type=float, default=tolerance)
    arguments = parser.parse_args()
    try:
        failures, found = check(arguments)
    except (RuntimeError, ValueError, torch.jit.Error) as error:
        failures, found = [str(error)], "not compared"
    print(f"{'failed' if failures else 'ok'}: {found}")
    for failure in failures:
        print(f"  {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(judge(check, __doc__, "fused", tolerance=1e-5))
