#!/usr/bin/env python3
"""Writes pictures of every form, and what torchvision's preprocessing makes of them:

    make_pictures.py FOLDER [--scale N] [--seed N]

FOLDER gets NAME.png, NAME.jpg, ...; cases.tsv with a line for each check: picture, resize, crop, channels and the .npy
file that holds the expected tensor. Without options it made tests/inputs/pictures; the tests run it again, larger and
with another seed, where there is a Python with torchvision.
"""
import argparse
import os

import numpy as np
from PIL import Image
from torchvision import transforms

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
GREY_MEAN, GREY_STD = [0.1307], [0.3081]


def pattern(rng, width, height, channels):
    """Smooth waves and noise: something that both JPEG and resizing change."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(channels):
        fx, fy, phase = rng.uniform(0.02, 0.6, 2).tolist() + [rng.uniform(0, 6)]
        wave = 127 + 110 * np.sin(fx * x + fy * y + phase)
        planes.append(np.clip(wave + rng.normal(0, 25, wave.shape), 0, 255).astype(np.uint8))
    return planes[0] if channels == 1 else np.stack(planes, 2)


def write_pictures(folder, rng, scale):
    """One file of each form; returns their names."""
    wide, high = 41 * scale, 30 * scale
    color = Image.fromarray(pattern(rng, wide, high, 3))
    grey = Image.fromarray(pattern(rng, wide, high, 1))
    alpha = Image.fromarray(pattern(rng, wide, high, 4), "RGBA")
    cmyk = Image.fromarray(pattern(rng, high, wide, 4), "CMYK")
    palette = color.quantize(200)
    grey16 = Image.fromarray((pattern(rng, wide, high, 1).astype(np.uint16) * 3 // 2))
    turned = Image.Exif()
    turned[0x0112] = 6
    files = {
        "color.png": (color, {}),
        "grey.png": (grey, {}),
        "bits.png": (grey.convert("1"), {}),
        "grey16.png": (grey16, {}),
        "grey_alpha.png": (alpha.convert("LA"), {}),
        "alpha.png": (alpha, {}),
        "palette.png": (palette, {}),
        "palette4.png": (color.quantize(13), {}),
        "palette_transparent.png": (palette, {"transparency": bytes(range(200))}),
        "key.png": (grey, {"transparency": 100}),
        "tall.png": (Image.fromarray(pattern(rng, 19 * scale, 47 * scale, 3)), {}),
        "small.png": (Image.fromarray(pattern(rng, 7 * scale, 9 * scale, 3)), {}),
        "one.png": (Image.fromarray(pattern(rng, 1, 1, 3)), {}),
        "color.jpg": (color, {"quality": 90}),
        "fine.jpg": (color, {"quality": 95, "subsampling": 0}),
        "grey.jpg": (grey, {"quality": 90}),
        "progressive.jpg": (color, {"quality": 80, "progressive": True}),
        "cmyk.jpg": (cmyk, {"quality": 90}),
        "turned.jpg": (color, {"quality": 90, "exif": turned.tobytes()}),
        "restarts.jpeg": (color, {"quality": 90, "restart_marker_rows": 1}),
    }
    for name, (picture, options) in files.items():
        picture.save(os.path.join(folder, name), **options)
    return list(files)


def expected(path, resize, crop, channels):
    with open(path, "rb") as file:
        picture = Image.open(file).convert("RGB" if channels == 3 else "L")
    steps = [transforms.Resize(resize)] if resize else []
    steps += [transforms.CenterCrop(crop)] if crop else []
    steps += [transforms.ToTensor(), transforms.Normalize(*((MEAN, STD) if channels == 3 else (GREY_MEAN, GREY_STD)))]
    return transforms.Compose(steps)(picture).unsqueeze(0).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    names = write_pictures(arguments.folder, np.random.default_rng(arguments.seed), arguments.scale)
    s = arguments.scale
    forms = [(name, 16 * s, 12 * s, 3) for name in names]
    for name in ("color.png", "tall.png", "small.png"):
        forms += [(name, 0, 9 * s, 3), (name, 0, 20 * s, 3), (name, 11 * s, 0, 3), (name, 50 * s, 13 * s, 3)]
        forms += [(name, 12 * s, 16 * s, 3), (name, 17 * s, 12 * s, 1), (name, 30 * s, 30 * s + 1, 3)]
    with open(os.path.join(arguments.folder, "cases.tsv"), "w") as cases:
        for name, resize, crop, channels in forms:
            array = f"{name}.{resize}.{crop}.{channels}.npy"
            np.save(os.path.join(arguments.folder, array),
                    expected(os.path.join(arguments.folder, name), resize, crop, channels))
            cases.write(f"{name}\t{resize}\t{crop}\t{channels}\t{array}\n")


if __name__ == "__main__":
    main()
