#!/usr/bin/python3
"""Writes the golden files of this folder from torchvision (Debian's python3-torchvision): what it calls its parameters,
how it prints, and what it computes with an example's weights.

usage: make.py NAME MODEL_FLOAT.pt, with NAME resnet18 or mobilenet_v2 and the file that
`fusekit example --model NAME` wrote (seed 0)
"""
import pathlib
import sys

import torch
import torchvision


def main():
    name, path = sys.argv[1:]
    folder = pathlib.Path(__file__).parent
    model = getattr(torchvision.models, name)().eval()
    lines = [f"{key} {str(value.dtype)[6:]} {list(value.shape)}\n" for key, value in model.state_dict().items()]
    (folder / f"{name}.state.txt").write_text("".join(lines))
    (folder / f"{name}.print.txt").write_text(f"{model}\n")

    model.load_state_dict(torch.jit.load(path).state_dict())
    with torch.no_grad():
        output = model(torch.linspace(-2, 2, 3 * 64 * 64).reshape(1, 3, 64, 64))
    (folder / f"{name}.output.txt").write_text("".join(f"{value:.6g}\n" for value in output[0, :32].tolist()))


if __name__ == "__main__":
    main()
