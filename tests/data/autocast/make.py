"""Writes this folder's files: scripted networks with a torch.autocast in their code. Run once, with PyTorch 2.13.

LibTorch casts no bias there (it is an Optional), so that a convolution with one can't be run: these have none.
"""

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 5, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(5)


class Inside(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            x = torch.sigmoid(self.bn(self.conv(x)))
        return x


class Behind(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            x = torch.sigmoid(self.bn(self.conv(x)))
        return torch.sigmoid(self.bn2(self.conv2(x.float())))


class OffInside(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            x = torch.sigmoid(self.bn(self.conv(x)))
            with torch.autocast("cpu", torch.bfloat16, enabled=False):
                x = torch.sigmoid(self.bn2(self.conv2(x.float())))
        return x


for name, make in [("inside", Inside), ("behind", Behind), ("off_inside", OffInside)]:
    net = make()
    for bn in (net.bn, net.bn2):
        bn.running_mean.normal_()
        bn.running_var.uniform_(0.5, 1.5)
    torch.jit.script(net.eval()).save(f"{name}.pt")
    loaded = torch.jit.load(f"{name}.pt")
    for _ in range(3):
        loaded(torch.randn(2, 3, 9, 9))
