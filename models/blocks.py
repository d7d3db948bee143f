"""Networks of the zoo that torchvision does not have: what people deploy beside image classifiers. Each is written as its
authors' code is, at a size that runs in milliseconds."""
from typing import List, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBnSilu(nn.Module):
    def __init__(self, c_in, c_out, kernel=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=1e-3)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, channels, shortcut: bool):
        super().__init__()
        self.cv1 = ConvBnSilu(channels, channels, 3)
        self.cv2 = ConvBnSilu(channels, channels, 3)
        self.add = shortcut

    def forward(self, x):
        return x + self.cv2(self.cv1(x)) if self.add else self.cv2(self.cv1(x))


class C2f(nn.Module):
    def __init__(self, c_in, c_out, depth, shortcut=False):
        super().__init__()
        self.cv1 = ConvBnSilu(c_in, c_out)
        self.cv2 = ConvBnSilu((2 + depth) * (c_out // 2), c_out)
        self.m = nn.ModuleList(Bottleneck(c_out // 2, shortcut) for _ in range(depth))

    def forward(self, x):
        parts = list(self.cv1(x).chunk(2, 1))
        for block in self.m:
            parts.append(block(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class Sppf(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cv1 = ConvBnSilu(channels, channels // 2)
        self.cv2 = ConvBnSilu(channels * 2, channels)
        self.m = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(self.m(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class YoloHead(nn.Module):
    """Boxes as distributions over 16 distances to each side, decoded, and class scores: (N, 4 + classes, anchors)."""

    def __init__(self, channels, classes=80):
        super().__init__()
        self.boxes = nn.ModuleList(
            nn.Sequential(ConvBnSilu(c, 64, 3), ConvBnSilu(64, 64, 3), nn.Conv2d(64, 64, 1)) for c in channels
        )
        self.classes = nn.ModuleList(
            nn.Sequential(ConvBnSilu(c, 80, 3), ConvBnSilu(80, 80, 3), nn.Conv2d(80, classes, 1)) for c in channels
        )
        self.register_buffer("distances", torch.arange(16.0).view(1, 1, 16, 1))

    def forward(self, maps: List[Tensor]):
        outputs: List[Tensor] = []
        for k, (boxes, classes) in enumerate(zip(self.boxes, self.classes)):
            x = maps[k]
            n, _, height, width = x.shape
            sides = boxes(x).view(n, 4, 16, height * width).softmax(2)
            sides = (sides * self.distances).sum(2)
            y, far = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
            rows = (y + 0.5).view(-1, 1).expand(height, width).reshape(1, 1, -1)
            columns = (far + 0.5).view(1, -1).expand(height, width).reshape(1, 1, -1)
            centers = torch.cat([columns, rows], 1)
            low, high = centers - sides[:, :2], centers + sides[:, 2:]
            boxes_of = torch.cat([(low + high) / 2, high - low], 1) * float(8 * 2**k)
            outputs.append(torch.cat([boxes_of, classes(x).flatten(2).sigmoid()], 1))
        return torch.cat(outputs, 2)


class YoloV8(nn.Module):
    """As YOLOv8n (Ultralytics), without non-maximum suppression."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            ConvBnSilu(3, 16, 3, 2), ConvBnSilu(16, 32, 3, 2), C2f(32, 32, 1, True), ConvBnSilu(32, 64, 3, 2), C2f(64, 64, 2, True)
        )
        self.middle = nn.Sequential(ConvBnSilu(64, 128, 3, 2), C2f(128, 128, 2, True))
        self.deep = nn.Sequential(ConvBnSilu(128, 256, 3, 2), C2f(256, 256, 1, True), Sppf(256))
        self.up = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.up1, self.up2 = C2f(384, 128, 1), C2f(192, 64, 1)
        self.down1, self.down2 = ConvBnSilu(64, 64, 3, 2), ConvBnSilu(128, 128, 3, 2)
        self.out1, self.out2 = C2f(192, 128, 1), C2f(384, 256, 1)
        self.head = YoloHead([64, 128, 256])

    def forward(self, x):
        p3 = self.stem(x)
        p4 = self.middle(p3)
        p5 = self.deep(p4)
        m4 = self.up1(torch.cat([self.up(p5), p4], 1))
        m3 = self.up2(torch.cat([self.up(m4), p3], 1))
        n4 = self.out1(torch.cat([self.down1(m3), m4], 1))
        n5 = self.out2(torch.cat([self.down2(n4), p5], 1))
        return self.head([m3, n4, n5])


class ConformerBlock(nn.Module):
    """Gulati et al. 2020, with plain attention; (N, L, C) in and out."""

    def __init__(self, width=96, heads=4, kernel=15):
        super().__init__()
        self.front = self.feed_forward(width)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.conv_norm = nn.LayerNorm(width)
        self.pointwise = nn.Conv1d(width, 2 * width, 1)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.bn = nn.BatchNorm1d(width)
        self.pointwise2 = nn.Conv1d(width, width, 1)
        self.back = self.feed_forward(width)
        self.last = nn.LayerNorm(width)

    @staticmethod
    def feed_forward(width):
        return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(), nn.Dropout(0.1),
                             nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + 0.5 * self.front(x)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        y = self.pointwise(self.conv_norm(x).transpose(1, 2))
        y = self.pointwise2(F.silu(self.bn(self.depthwise(F.glu(y, 1)))))
        x = x + y.transpose(1, 2)
        return self.last(x + 0.5 * self.back(x))


class Conformer(nn.Module):
    """80 filter banks, subsampled by 4, two blocks; (N, L, 80) in."""

    def __init__(self):
        super().__init__()
        self.subsample = nn.Sequential(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU())
        self.project = nn.Linear(32 * 20, 96)
        self.blocks = nn.ModuleList([ConformerBlock(), ConformerBlock()])
        self.head = nn.Linear(96, 128)

    def forward(self, x):
        y = self.subsample(x.unsqueeze(1))
        n, channels, length, width = y.shape
        y = self.project(y.transpose(1, 2).reshape(n, length, channels * width))
        for block in self.blocks:
            y = block(y)
        return self.head(y).log_softmax(-1)


class NnUnetConv(nn.Module):
    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=True)
        self.norm = nn.InstanceNorm2d(c_out, eps=1e-5, affine=True)
        self.nonlin = nn.LeakyReLU(0.01, inplace=True)

    def forward(self, x):
        return self.nonlin(self.norm(self.conv(x)))


class NnUnet(nn.Module):
    """nnU-Net's plain 2-D U-Net, three levels; (N, 1, H, W) in, two classes out."""

    def __init__(self):
        super().__init__()
        widths = [16, 32, 64]
        self.encoder = nn.ModuleList()
        previous = 1
        for level, width in enumerate(widths):
            self.encoder.append(nn.Sequential(NnUnetConv(previous, width, 1 if level == 0 else 2), NnUnetConv(width, width)))
            previous = width
        self.ups = nn.ModuleList([nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)])
        self.decoder = nn.ModuleList(
            [nn.Sequential(NnUnetConv(2 * w, w), NnUnetConv(w, w)) for w in (32, 16)]
        )
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        skips: List[Tensor] = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        for k, (up, stage) in enumerate(zip(self.ups, self.decoder)):
            x = stage(torch.cat([up(x), skips[len(skips) - 2 - k]], 1))
        return self.head(x)


class Vocoder(nn.Module):
    """HiFi-GAN's generator in small, weight norm still on; (N, 80, L) in, (N, 1, 16 L) out."""

    def __init__(self):
        super().__init__()
        norm = nn.utils.weight_norm
        self.conv_pre = norm(nn.Conv1d(80, 64, 7, 1, 3))
        self.ups = nn.ModuleList([norm(nn.ConvTranspose1d(64, 32, 8, 4, 2)), norm(nn.ConvTranspose1d(32, 16, 8, 4, 2))])
        self.blocks = nn.ModuleList(
            nn.ModuleList([norm(nn.Conv1d(c, c, 3, 1, d, dilation=d)) for d in (1, 3, 5)]) for c in (32, 16)
        )
        self.conv_post = norm(nn.Conv1d(16, 1, 7, 1, 3))

    def forward(self, x):
        x = self.conv_pre(x)
        for up, block in zip(self.ups, self.blocks):
            x = up(F.leaky_relu(x, 0.1))
            for conv in block:
                x = x + conv(F.leaky_relu(x, 0.1))
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


class GruWithState(nn.Module):
    """Streaming: the state that comes out goes into the next call; (N, L, 40) in."""

    def __init__(self):
        super().__init__()
        self.inputs = nn.Sequential(nn.Linear(40, 64), nn.ReLU())
        self.gru = nn.GRU(64, 64, num_layers=2, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x, state: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        y, state = self.gru(self.inputs(x), state)
        return self.head(torch.relu(y)), state


class BertLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.dense, self.norm = nn.Linear(width, width), nn.LayerNorm(width, eps=1e-12)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.last = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def split(self, x):
        return x.view(x.size(0), x.size(1), self.heads, -1).transpose(1, 2)

    def forward(self, x, mask):
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = query @ key.transpose(-1, -2) / float(query.size(-1)) ** 0.5 + mask
        y = (self.dropout(scores.softmax(-1)) @ value).transpose(1, 2).reshape(x.shape)
        x = self.norm(x + self.dropout(self.dense(y)))
        return self.last(x + self.dropout(self.narrow(F.gelu(self.wide(x)))))


class Bert(nn.Module):
    """A BERT-like encoder, attention written out by hand as transformers does; token ids and mask (N, L) in."""

    def __init__(self, width=192, heads=4, layers=3, words=1000):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(512, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(BertLayer(width, heads) for _ in range(layers))
        self.pooler = nn.Linear(width, width)

    def forward(self, ids, mask):
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.size(1), device=ids.device)))
        hidden = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, hidden)
        return x, torch.tanh(self.pooler(x[:, 0]))


class FastPathEncoder(nn.Module):
    """nn.TransformerEncoder as it is traced in eval(): its layers take PyTorch's fast path."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(128, 4, 256, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(128, 16)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))
