#!/usr/bin/env python3
"""Makes a chain of conv+bn+relu blocks: chain.py OUT --blocks N --channels C."""
import argparse

import torch
from torch import nn

STAGE = 50  # blocks traced at a time: tracing takes time that grows with the square of what is traced


def make_stage(blocks, channels):
    layers = []
    for _ in range(blocks):
        batch_norm = nn.BatchNorm2d(channels)
        batch_norm.running_mean.normal_(0, 0.1)
        batch_norm.running_var.uniform_(0.5, 1.5)
        layers += [nn.Conv2d(channels, channels, 3, padding=1, bias=False), batch_norm, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--channels", type=int, default=8)
    options = parser.parse_args()
    torch.manual_seed(0)
    example = torch.randn(1, options.channels, 4, 4)
    stages = []
    for first in range(0, options.blocks, STAGE):
        stage = make_stage(min(STAGE, options.blocks - first), options.channels)
        with torch.no_grad():
            stages.append(torch.jit.trace(stage, example, check_trace=False))
    torch.jit.save(torch.jit.script(nn.Sequential(*stages)), options.out)


if __name__ == "__main__":
    main()
