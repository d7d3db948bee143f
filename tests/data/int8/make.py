"""Writes float.pt, a small network with most of what becomes int8; run with Debian's torch 1.13, so that both LibTorchs
read it. by_2.13.pt and by_1.13.pt are what FuseKit on each of them makes of it:
build/PRESET/fusekit quantize float.pt -o by_VERSION.pt --random-calibration 16 --input-dims 1,3,16,16 --qconfig qnnpack
"""
import pathlib

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.act = nn.Hardswish()
        self.late = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16, 6)

    def forward(self, x):
        a = self.relu(self.bn(self.conv(x)))
        b = self.act(self.depthwise(a))
        c = torch.relu(a + b)
        d = self.pool(torch.relu(self.late(torch.cat([c, b], 1))))
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(d, 1), 1))


torch.manual_seed(11)
net = Net().eval()
for module in net.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.running_mean.uniform_(-0.2, 0.2)
        module.running_var.uniform_(0.5, 1.5)
        module.weight.data.uniform_(0.5, 1.5)
        module.bias.data.uniform_(-0.3, 0.3)
torch.jit.script(net).save(str(pathlib.Path(__file__).with_name("float.pt")))
