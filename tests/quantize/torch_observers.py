#!/usr/bin/env python3
"""What PyTorch's observers say of some data; tests/quantize/torch_test.cpp compares FuseKit's with it.

  torch_observers.py goldens             of the made-up data that made_up_data.h makes too, for torch_observers.tsv
  torch_observers.py observe FILE N...   of float32 numbers in FILE, in samples of N numbers each

A line each: data, observer, lowest and highest level, scales (hexadecimal, commas between channels), zero point.
Needs torch 2: the HistogramObserver of 1.13 cuts the ends of its range to integers.
"""
import sys
import warnings

import numpy as np
import torch
from torch.ao.quantization import (HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver,
                                   PerChannelMinMaxObserver)

SAMPLES, SIZE, CHANNELS = 4, 5000, 10


def even(sample):
    """Numbers from -1 to 1, a hash of their places: the same bits in C++."""
    h = np.arange(sample * SIZE, (sample + 1) * SIZE, dtype=np.uint64) * 2654435761 % 2**32
    h = (h ^ (h >> np.uint64(15))) * 2246822519 % 2**32
    h ^= h >> np.uint64(13)
    return (h >> np.uint64(8)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def heavy(sample):
    u = even(sample)
    return u * u * u * np.float32(8)


def outliers(sample):
    x = heavy(sample)
    x[::499] *= np.float32(16)
    return x


def full(value):
    return np.full(SIZE, value, np.float32)


DATA = {
    "even": even,
    "heavy": heavy,
    "relu": lambda s: np.maximum(heavy(s), np.float32(0)),
    "relu6": lambda s: np.clip(heavy(s) * np.float32(2), np.float32(0), np.float32(6)),
    "all_positive": lambda s: even(s) + np.float32(3),
    "all_negative": lambda s: even(s) - np.float32(3),
    "constant": lambda s: full(2.5),
    "zeros": lambda s: full(0),
    "minus_zeros": lambda s: full(-0.0),
    "constant_at_first": lambda s: heavy(s) if s else full(0.5),
    "tiny": lambda s: heavy(s) * np.float32(2**-30),
    "large": lambda s: heavy(s) * np.float32(2**60),
    "growing": lambda s: heavy(s) * np.float32(s + 1),
    "shrinking": lambda s: heavy(s) * np.float32(0.5**s),
    "outliers": outliers,
}

ACTIVATIONS = {
    "histogram": HistogramObserver,
    "min-max": MinMaxObserver,
    "moving-average": MovingAverageMinMaxObserver,
}


def line(name, observer, levels, scales, zero_point):
    scales = ",".join(float(scale).hex() for scale in scales)
    print(name, observer, levels[0], levels[1], scales, int(zero_point[0]), sep="\t")


def observe(name, samples):
    samples = [torch.from_numpy(sample) for sample in samples]
    for kind, make in ACTIVATIONS.items():
        for reduced in (False, True):
            observer = make(reduce_range=reduced)
            for sample in samples:
                observer(sample)
            line(name, kind, (0, 127 if reduced else 255), *observer.calculate_qparams())
    if len({sample.numel() for sample in samples}) == 1 and samples[0].numel() % CHANNELS == 0:
        weight = torch.stack(samples).view(len(samples) * CHANNELS, -1)
        per_tensor = MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)
        per_channel = PerChannelMinMaxObserver(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
        for kind, observer in (("weight", per_tensor), ("channels", per_channel)):
            observer(weight)
            line(name, kind, (-128, 127), *observer.calculate_qparams())


def main():
    warnings.simplefilter("ignore")
    if int(torch.__version__.split(".")[0]) < 2:
        sys.exit(f"torch {torch.__version__} is too old, 2 is needed")
    if sys.argv[1:] == ["goldens"]:
        print(f"# torch_observers.py goldens, torch {torch.__version__}")
        for name, make in DATA.items():
            observe(name, [make(sample) for sample in range(SAMPLES)])
    elif len(sys.argv) > 3 and sys.argv[1] == "observe":
        numbers = np.fromfile(sys.argv[2], np.float32)
        observe("file", np.split(numbers, np.cumsum([int(n) for n in sys.argv[3:]])[:-1]))
    else:
        sys.exit(__doc__)


main()
