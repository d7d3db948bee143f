#!/usr/bin/python3
"""Writes a model of many layers, scripted and traced, and what Python prints for it (Debian's python3-torch)."""
import pathlib

import torch
from torch import nn


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2), dilation=(1, 2), bias=False),
            nn.BatchNorm2d(8, eps=1e-3, momentum=0.05),
            nn.ReLU(inplace=True),
        )
        self.grouped = nn.Conv2d(8, 12, 1, groups=4)
        self.plain_norm = nn.BatchNorm2d(12, affine=False)
        self.act = nn.Sequential(nn.ReLU6(), nn.Hardswish(), nn.SiLU(inplace=True), nn.LeakyReLU(0.2))
        self.up = nn.ConvTranspose2d(12, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.mean = nn.AvgPool2d(2)
        self.shrink = nn.AdaptiveAvgPool2d((2, 2))
        self.identity = nn.Identity()
        self.flatten = nn.Flatten()
        self.drop = nn.Dropout(0.25)
        self.norm = nn.LayerNorm(24, eps=1e-6)
        self.fc = nn.Linear(24, 10, bias=False)
        self.last = nn.Linear(10, 4)

    def forward(self, x):
        x = self.act(self.plain_norm(self.grouped(self.stem(x))))
        x = self.shrink(self.mean(self.pool(self.up(x))))
        x = self.norm(self.drop(self.flatten(self.identity(x))))
        return self.last(self.fc(x))


def main():
    folder = pathlib.Path(__file__).parent
    torch.manual_seed(0)
    model = Layers().eval()
    (folder / "print.txt").write_text(f"{model}\n")
    torch.jit.script(model).save(str(folder / "scripted.pt"))
    torch.jit.trace(model, torch.randn(1, 3, 32, 32)).save(str(folder / "traced.pt"))


if __name__ == "__main__":
    main()
