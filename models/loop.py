#!/usr/bin/env python3
"""Makes files that differ in nothing but how much they do: loop.py OUT --turns N [--width W].

forward multiplies a W x W matrix N times with one weight, so that a file with 2 % more turns takes 2 % longer."""
import argparse

import torch


class Loop(torch.nn.Module):
    def __init__(self, turns: int, width: int):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.nn.init.orthogonal_(torch.empty(width, width)))
        self.turns = turns

    def forward(self, x):
        for _ in range(self.turns):
            x = torch.matmul(x, self.weight)
        return x


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--turns", type=int, default=400)
    parser.add_argument("--width", type=int, default=96)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.jit.save(torch.jit.script(Loop(options.turns, options.width).eval()), options.out)


if __name__ == "__main__":
    main()
