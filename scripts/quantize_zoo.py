#!/usr/bin/env python3
"""What int8 costs the zoo's networks, tool by tool: scripts/quantize_zoo.sh runs this.

The networks have random weights (models/zoo.py) and get the photographs of scripts/quantize_photos.py, 16 to calibrate
with, 24 to compare with the float network. A table on stdout; WORK/zoo holds what each tool gave, by network (remove a
file of NAME/*.json to have it made again), and zoo.json, all figures.
"""
import argparse
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "peers"), os.path.join(HERE, "..", "models")]

import fusekit  # noqa: E402
import judge  # noqa: E402
import numpy as np  # noqa: E402
import peers  # noqa: E402
import photos  # noqa: E402
import table  # noqa: E402
import torch  # noqa: E402
import vision  # noqa: E402
import zoo  # noqa: E402

NETWORKS = ["resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "googlenet", "inception_v3",
            "shufflenet_v2_x1_0", "squeezenet1_1", "mnasnet1_0", "efficientnet_b0", "regnet_y_400mf", "densenet121"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CALIBRATION, TEST = 16, 24
# The qconfigs that are compared; FuseKit's flags for each.
QCONFIGS = {"qnnpack": "--qconfig qnnpack", "x86": "--qconfig x86", peers.FULL_RANGE: ""}
KINDS = ("script", "trace")


def float_network(name, folder):
    """The module with the weights of the zoo's file, which must compute the same."""
    network = zoo.NETWORKS[name].make().eval()
    scripted = torch.jit.load(os.path.join(folder, f"{name}.script.pt")).eval()
    network.load_state_dict(scripted.state_dict())
    return network


def samples_of(work, size):
    folder = os.path.join(work, "photos")
    return (photos.tensors(os.path.join(folder, "calib"), size, MEAN, STD, CALIBRATION),
            photos.tensors(os.path.join(folder, "test"), size, MEAN, STD, TEST))


def rows_of(name, arguments):
    """All rows of one network."""
    size = zoo.NETWORKS[name].inputs[0][0][-1]
    calibration, test = samples_of(arguments.work, size)
    network = float_network(name, arguments.zoo)
    reference = judge.logits(peers.torch_runner(network, "onednn"), test)
    scripted = torch.jit.load(os.path.join(arguments.zoo, f"{name}.script.pt")).eval()
    same = judge.sqnr(reference, judge.logits(peers.torch_runner(scripted, "onednn"), test))
    if same < 80:
        raise SystemExit(f"quantize_zoo.py: {name}: the module and the zoo's file differ ({same:.0f} dB)")
    folder = os.path.join(arguments.work, "zoo", name)
    results = table.Results(folder, reference, test)
    onnx_file = os.path.join(folder, "float.onnx")

    def onnx():
        return peers.ort(peers.export_onnx(network, test[0], onnx_file), calibration, "min-max")

    rows = [results.row("FX", qconfig, lambda: peers.fx(network, calibration, qconfig)) for qconfig in QCONFIGS]
    rows.append(results.row("ORT", "min-max", onnx))
    for kind in KINDS if arguments.program else ():
        model = os.path.join(arguments.zoo, f"{name}.{kind}.pt")
        form = f"--resize {256 if size == 224 else size} --crop {size} --samples {CALIBRATION}"
        for qconfig, flags in QCONFIGS.items():
            rows.append(results.row(f"FuseKit {kind}", qconfig, lambda: fusekit.quantize(
                arguments.program, model, os.path.join(folder, f"{kind}.pt"),
                os.path.join(arguments.work, "photos", "calib"), test[0], f"{flags} {form}"), again=True))
    return rows


def cell(row, form):
    return "-" if row is None else "failed" if "error" in row else form.format(**row)


def markdown(all_rows, with_fusekit):
    """A line a network: SQNR in dB, then int8 layers of all conv and linear layers."""
    found = {(name, row["tool"], row["setting"]): row for name, rows in all_rows.items() for row in rows}
    tools = ["FX"] + ([f"FuseKit {kind}" for kind in KINDS] if with_fusekit else [])
    columns = [(tool, qconfig) for qconfig in QCONFIGS for tool in tools] + [("ORT", "min-max")]
    lines = ["| network | " + " | ".join(f"{tool}, {setting}" for tool, setting in columns)
             + " | int8 layers: " + " / ".join(tools + ["ORT"]) + " |", "|---" * (len(columns) + 2) + "|"]
    for name in all_rows:
        cells = [cell(found.get((name, *column)), "{sqnr:.1f}") for column in columns]
        counts = [cell(found.get((name, tool, "min-max" if tool == "ORT" else peers.FULL_RANGE)),
                       "{int8_layers}+{float_layers}") for tool in tools + ["ORT"]]
        lines.append(f"| {name} | " + " | ".join(cells) + " | " + " / ".join(counts) + " |")
    lines.append("")
    lines.append(f"SQNR in dB of the logits on {TEST} crops; layers as int8+float.")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, metavar="DIR")
    parser.add_argument("--zoo", required=True, metavar="DIR", help="made by scripts/make_zoo.sh")
    parser.add_argument("--program", help="fusekit; without it only the peers are in the table")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not vision.ready():
        raise SystemExit("quantize_zoo.py: this Python has no torchvision")
    photos.write(os.path.join(arguments.work, "photos"))
    all_rows = {name: rows_of(name, arguments) for name in arguments.names or NETWORKS}
    with open(os.path.join(arguments.work, "zoo.json"), "w") as file:
        json.dump(all_rows, file, indent=1)
    print(markdown(all_rows, bool(arguments.program)))


if __name__ == "__main__":
    main()
