"""The photographs that the comparisons use: those that scikit-learn and scikit-image ship, in crops and flips.

Each photograph gives 12 crops of 256x256 pixels: 2 squares and their mirror images to calibrate with, 4 other squares
and their mirror images to test with. No square is in both parts, though squares of one photograph overlap.
"""
import os

import numpy as np
from PIL import Image

SKLEARN = ["china.jpg", "flower.jpg"]
SKIMAGE = [
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
]
SIDE = 256
# (where in the free space across, down: 0 to 1; side in shares of the photograph's shorter side)
SQUARES = {
    "calib": [(0.5, 0.5, 1.0), (0.2, 0.3, 0.6)],
    "test": [(0.0, 0.0, 0.8), (1.0, 1.0, 0.8), (0.5, 0.5, 0.7), (0.9, 0.2, 0.65)],
}


def photographs():
    """Their names and files."""
    import skimage
    import sklearn

    folders = [
        (os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images"), SKLEARN),
        (os.path.join(os.path.dirname(skimage.__file__), "data"), SKIMAGE),
    ]
    return [(name.rpartition(".")[0], os.path.join(folder, name)) for folder, names in folders for name in names]


def crop(photo, across, down, share):
    side = round(share * min(photo.size))
    left = round(across * (photo.width - side))
    top = round(down * (photo.height - side))
    return photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.BILINEAR)


def write(folder):
    """Writes FOLDER/calib/*.png (36) and FOLDER/test/*.png (72); does nothing where they are there."""
    for part, squares in SQUARES.items():
        os.makedirs(os.path.join(folder, part), exist_ok=True)
        for name, file in photographs():
            photo = Image.open(file).convert("RGB")
            for k, square in enumerate(squares):
                piece = crop(photo, *square)
                for turn, picture in (("a", piece), ("b", piece.transpose(Image.FLIP_LEFT_RIGHT))):
                    path = os.path.join(folder, part, f"{name}{k}{turn}.png")
                    if not os.path.exists(path):
                        picture.save(path)


def tensors(folder, size, mean, std, limit=0):
    """The pictures of a folder as `fusekit quantize --resize R --crop SIZE --mean ... --std ...` prepares them, with R
    256 for 224, else SIZE: a list of float32 arrays of shape [1, 3, SIZE, SIZE]. At most `limit`, spread evenly."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".png"))
    if limit and limit < len(names):
        names = [names[k * len(names) // limit] for k in range(limit)]
    resize = 256 if size == 224 else size
    arrays = []
    for name in names:
        picture = Image.open(os.path.join(folder, name)).convert("RGB")
        if picture.size != (resize, resize):
            picture = picture.resize((resize, resize), Image.BILINEAR)
        border = (resize - size) // 2
        picture = picture.crop((border, border, border + size, border + size))
        values = np.asarray(picture, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)
        mean_, std_ = (np.asarray(v, dtype=np.float32).reshape(3, 1, 1) for v in (mean, std))
        arrays.append(np.ascontiguousarray((values - mean_) / std_)[None])
    return arrays
