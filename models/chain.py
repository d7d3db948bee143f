#!/usr/bin/env python3
"""Makes a chain of conv+bn+relu blocks: chain.py OUT --blocks N --channels C."""
import argparse

import torch
from torch import nn


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--channels", type=int, default=8)
    options = parser.parse_args()
    torch.manual_seed(0)
    c = options.channels
    layers = []
    for _ in range(options.blocks):
        layers += [nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(inplace=True)]
    model = nn.Sequential(*layers).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        traced = torch.jit.trace(model, torch.randn(1, c, 4, 4), check_trace=False)
    torch.jit.save(traced, options.out)


if __name__ == "__main__":
    main()
