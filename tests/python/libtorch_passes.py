#!/usr/bin/env python3
"""What LibTorch's own passes do to the trap networks of tests/cases, beside FuseKit: the table of tests/README.md.

    libtorch_passes.py --fusekit build/release/fusekit [--markdown]

Each pass and FuseKit get every file of tests/cases; the result is saved, loaded back and compared with the original on
three inputs, three runs each, state and all. Columns: right and folded; right, but something that may be folded is not;
refused (an error, nothing written); wrong without a word (over 1e-3 of the largest output); can't be saved or loaded
back, or fails when it is run. Needs a Python with torch.
"""
import argparse
import io
import subprocess
import tempfile
import warnings
from pathlib import Path

import torch

warnings.filterwarnings("ignore")
CASES = Path(__file__).parent.parent / "cases"
DTYPES = {"float": torch.float, "double": torch.double, "bfloat16": torch.bfloat16, "int64": torch.long}
TOLERANCE = {torch.bfloat16: 1e-1}
VERDICTS = ["right, folded", "right, not folded", "refused", "wrong", "can't be reloaded or run"]


def freeze(module):
    return torch.jit.freeze(module)


def fold_conv_batch_norm(module):
    return torch.jit._recursive.wrap_cpp_module(torch._C._jit_pass_fold_convbn(module._c))


def optimize_for_inference(module):
    return torch.jit.optimize_for_inference(module)


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)


def inputs_of(dims, dtype, sample):
    generator = torch.Generator().manual_seed(sample)
    shapes = [tuple(int(size) for size in shape.split(",")) for shape in dims.split(";")]
    if dtype == torch.long:
        return [torch.randint(0, 2, shape, generator=generator) for shape in shapes]
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def worst_error(original, result, dims, dtype):
    """max |a - b| / max |a| over three runs on each of three inputs; infinite where they can't be compared."""
    worst = 0.0
    with torch.no_grad():
        for sample in range(3):
            for _ in range(3):
                torch.manual_seed(7)
                a = list(tensors_in(original(*inputs_of(dims, dtype, sample))))
                torch.manual_seed(7)
                b = list(tensors_in(result(*inputs_of(dims, dtype, sample))))
                if len(a) != len(b):
                    return float("inf")
                for x, y in zip(a, b):
                    if x.shape != y.shape or not torch.equal(x.isnan(), y.isnan()):
                        return float("inf")
                    scale = x.double().nan_to_num().abs().max().clamp(min=1e-30)
                    worst = max(worst, ((x.double() - y.double()).nan_to_num().abs().max() / scale).item())
    return worst


def other_methods(module):
    return {name for name in module._c._method_names() if not name.startswith("_")}


def batch_norms(module):
    graph = module.forward.graph.copy() if hasattr(module, "forward") else module.graph.copy()
    torch._C._jit_pass_inline(graph)
    return len(graph.findAllNodes("aten::batch_norm", True))


def judge(original_path, result_bytes, dims, dtype, may_fold):
    try:
        result = torch.jit.load(io.BytesIO(result_bytes))
        original = torch.jit.load(str(original_path))
        if other_methods(original) - other_methods(result):
            return "wrong"  # an exported method is gone without a word
        error = worst_error(original, result, dims, dtype)
    except Exception:
        return VERDICTS[4]
    if error > TOLERANCE.get(dtype, 1e-3):
        return "wrong"
    before, after = batch_norms(torch.jit.load(str(original_path))), batch_norms(result)
    return "right, folded" if not may_fold or after <= max(before - 1, 0) else "right, not folded"


def run_pass(apply, path, dims, dtype, may_fold):
    try:
        module = apply(torch.jit.load(str(path)))
    except Exception:
        return "refused"
    try:
        buffer = io.BytesIO()
        torch.jit.save(module, buffer)
    except Exception:
        return VERDICTS[4]
    return judge(path, buffer.getvalue(), dims, dtype, may_fold)


def run_fusekit(program, path, dims, types, dtype, may_fold):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.pt"
        command = [program, "fuse", path, "-o", output, "--input_dims", dims, "--input_type", types, "-q"]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return "refused"
        return judge(path, output.read_bytes(), dims, dtype, may_fold)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fusekit", default="build/release/fusekit")
    parser.add_argument("--details", action="store_true", help="one line for each file and pass, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    passes = {
        "torch.jit.freeze": freeze,
        "FoldConvBatchNorm": fold_conv_batch_norm,
        "optimize_for_inference": optimize_for_inference,
    }
    table = {name: dict.fromkeys(VERDICTS, 0) for name in [*passes, "fusekit fuse"]}
    files = 0
    for line in (CASES / "cases.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, dims, types, fused, _ = line.split("\t")
        path, dtype, may_fold = CASES / f"{name}.pt", DTYPES[types], int(fused) > 0
        files += 1
        found = {title: run_pass(apply, path, dims, dtype, may_fold) for title, apply in passes.items()}
        found["fusekit fuse"] = run_fusekit(options.fusekit, path, dims, types, dtype, may_fold)
        for title, verdict in found.items():
            table[title][verdict] += 1
            if options.details:
                print(f"{name:32} {title:24} {verdict}")
    print(f"{files} files, torch {torch.__version__}\n")
    print("| | " + " | ".join(VERDICTS) + " |")
    print("|---" * (len(VERDICTS) + 1) + "|")
    for title, counts in table.items():
        print(f"| {title} | " + " | ".join(str(count) for count in counts.values()) + " |")


if __name__ == "__main__":
    main()
