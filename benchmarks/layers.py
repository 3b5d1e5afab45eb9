"""Differentiable JPEG layers: how near they are to real files, and how useful their gradients.

    python -m benchmarks.layers FOLDER

Published layers take part where Python finds them: ``kornia``; ``diff_jpeg`` (Reich, Debnath,
Patel and Prangemeier 2024, github.com/necla-ml/Diff-JPEG); ``DiffJPEG`` (Lomnitz, after Shin and
Song 2017, github.com/mlomnitz/DiffJPEG); put their folders on PYTHONPATH.

*Forward*: what a layer gives beside what Pillow decodes of the real file, in levels of 0…255.
*Agreement*: the picture is moved forth and back along directions; the real file's picture gives
the true slope, smoothed over that stride, of what is seen, a layer's gradient gives its own.
Printed is the cosine of the two lists. Directions are single luma coefficients, by half a
quantisation step, one and two, and noise in all samples at once (standard deviation 4 levels).
*Restore*: Adam changes a picture so that what is seen of its JPEG comes nearer to the original.
*Attack*: signed steps within ±8 levels take what is seen of the JPEG as far away as they can.
These two are judged after a real file. "Seen" is the difference of normalised features of three
fixed random convolutions, as LPIPS compares learnt ones.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from gradpress.torch import JPEG
from gradpress.torch.layer import tables_of_quality

SIDE = 128
QUALITIES = (25, 50, 75)
RATES = (0.15 / 255, 0.5 / 255)
"""Of Adam's steps; the better one counts."""
STEPS = 40
BOUND = 8 / 255
DIRECTIONS = 150
STRIDES = (0.5, 1.0, 2.0)
"""Quantisation steps by which a coefficient is moved either way."""
NOISE = 4 / 255
"""Standard deviation of a sample in a direction of noise."""
LOW = 6
"""Rows and columns of frequencies that are moved add up to less."""

Layer = Callable[[Tensor, int], Tensor]


def layers() -> dict[str, Layer]:
    """Those that are here, as functions of pictures in [0, 1] and a quality, at 4:2:0."""
    found: dict[str, Layer] = {
        "none (identity)": lambda x, quality: x,
        "gradpress, straight-through": lambda x, quality: JPEG(quality)(x),
        "gradpress, cubic": lambda x, quality: JPEG(quality, rounding="cubic")(x),
    }
    makers = {
        "kornia": _kornia,
        "Reich et al., polynomial": partial(_reich, ste=False),
        "Reich et al., STE": partial(_reich, ste=True),
        "DiffJPEG": _lomnitz,
    }
    for name, make in makers.items():
        try:
            found[name] = make()
        except ImportError:
            print(f"{name} is left out: it cannot be imported")
    return found


def _kornia() -> Layer:
    codec = import_module("kornia.enhance").jpeg_codec_differentiable
    return lambda x, quality: codec(x, x.new_tensor([float(quality)]))


def _reich(*, ste: bool) -> Layer:
    coding = import_module("diff_jpeg").diff_jpeg_coding
    return lambda x, quality: coding(255 * x, x.new_tensor([float(quality)]), ste=ste) / 255


def _lomnitz() -> Layer:
    module = import_module("DiffJPEG").DiffJPEG
    return lambda x, quality: module(*x.shape[2:], differentiable=True, quality=quality)(x)


def real(picture: Tensor, quality: int) -> Tensor:
    """What Pillow decodes of the file it writes."""
    pixels = (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).save(sink, "JPEG", quality=quality, subsampling="4:2:0")
    with PIL.Image.open(sink) as shown:
        return tensor(np.asarray(shown))


def tensor(pixels: np.ndarray) -> Tensor:
    """``(1, 3, H, W)`` in [0, 1]."""
    return torch.tensor(pixels.transpose(2, 0, 1)[None] / 255, dtype=torch.float32)


def features(picture: Tensor) -> Iterator[Tensor]:
    """Normalised responses of three layers of fixed random filters."""
    random = torch.Generator().manual_seed(0)
    for inputs, outputs, stride in ((3, 12, 1), (12, 24, 2), (24, 24, 2)):
        weights = torch.randn(outputs, inputs, 3, 3, generator=random) / (3 * inputs**0.5)
        weights = weights.to(picture.dtype)
        picture = torch.relu(torch.nn.functional.conv2d(picture, weights, stride=stride))
        yield picture / (picture.square().sum(1, keepdim=True) + 1e-4).sqrt()


def seen(decoded: Tensor, reference: Tensor) -> Tensor:
    """The difference of features."""
    pairs = zip(features(decoded), features(reference), strict=True)
    return torch.stack([(a - b).square().sum(1).mean() for a, b in pairs]).sum()


def forward_error(layer: Layer, picture: Tensor, quality: int) -> tuple[float, float, float]:
    """Mean and largest difference from the real file in levels, and the share of samples off."""
    with torch.no_grad():
        shown = (layer(picture, quality).clamp(0, 1) * 255).double()
    off = (shown - real(picture, quality).double() * 255).abs()
    return float(off.mean()), float(off.max()), float((off > 0.5).double().mean())


@cache
def directions(quality: int, stride: float | None) -> Tensor:
    """``(DIRECTIONS, 1 or 3, SIDE, SIDE)``: a coefficient so many steps off; without any, noise."""
    if stride is None:
        drawn = torch.Generator().manual_seed(2)
        return NOISE * torch.randn(DIRECTIONS, 3, SIDE, SIDE, generator=drawn)
    random = np.random.default_rng(2)
    steps = stride * tables_of_quality(torch.tensor(quality))[0, 0].numpy()
    places = [(row, column) for row in range(LOW) for column in range(LOW - row)]
    found = np.zeros((DIRECTIONS, 1, SIDE, SIDE))
    for each in found:
        row, column = places[random.integers(len(places))]
        top, left = 8 * random.integers(SIDE // 8, size=2)
        wave = np.outer(*(np.cos((np.arange(8) + 0.5) * k * np.pi / 8) for k in (row, column)))
        each[0, top : top + 8, left : left + 8] = wave * steps[row, column] / np.linalg.norm(wave)
    return torch.tensor(found / 255, dtype=torch.float32)


@cache
def true_slopes(picture: Tensor, quality: int, stride: float | None) -> Tensor:
    """``(DIRECTIONS,)``: by what is seen of the real file's picture."""

    def at(moved: Tensor) -> float:
        return float(seen(real(moved, quality).double(), picture.double()))

    ways = directions(quality, stride)
    return torch.tensor([(at(picture + way) - at(picture - way)) / 2 for way in ways])


def agreement(layer: Layer, picture: Tensor, quality: int, stride: float | None) -> float:
    """The cosine of a layer's slopes along directions and the true ones."""
    leaf = picture.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(seen(layer(leaf, quality), picture), leaf)
    slopes = (directions(quality, stride) * gradient).sum((1, 2, 3))
    return float(torch.cosine_similarity(slopes, true_slopes(picture, quality, stride), dim=0))


def restored(layer: Layer, picture: Tensor, quality: int) -> float:
    """What is seen after a real file, over what is seen without any change: the best of a run."""
    before = float(seen(real(picture, quality), picture))
    best = before
    for rate in RATES:
        moved = picture.clone().requires_grad_()
        descent = torch.optim.Adam([moved], lr=rate)
        for _ in range(STEPS):
            descent.zero_grad()
            seen(layer(moved, quality), picture).backward()
            descent.step()
            with torch.no_grad():
                best = min(best, float(seen(real(moved, quality), picture)))
    return best / before


def attacked(layer: Layer, picture: Tensor, quality: int) -> float:
    """What is seen after a real file of the attacked picture, over that of the picture itself."""
    clean = real(picture, quality)
    before = float(seen(clean, picture))
    noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(1))
    moved = (picture + (2 * noise - 1) / 255).clamp(0, 1)
    for _ in range(STEPS):
        leaf = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(seen(layer(leaf, quality), picture), leaf)
        moved = leaf.detach() + BOUND / 6 * gradient.sign()
        moved = torch.minimum(torch.maximum(moved, picture - BOUND), picture + BOUND).clamp(0, 1)
    with torch.no_grad():
        return float(seen(real(moved, quality), picture)) / before


def crops(folder: Path, count: int) -> list[Tensor]:
    """The middles of pictures spread over a folder."""
    paths = sorted(folder.glob("*.png"))
    found = []
    for path in paths[:: max(len(paths) // count, 1)][:count]:
        with PIL.Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
        found.append(tensor(pixels[top : top + SIDE, left : left + SIDE]))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=4)
    given = parser.parse_args()
    pictures = crops(given.folder, given.pictures)
    cases = [(picture, quality) for picture in pictures for quality in QUALITIES]
    print(
        "| layer | mean error | largest | samples off | ½ step | 1 | 2 | noise | restore | attack |"
    )
    print("| --- " + 9 * "| ---: " + "|")
    for name, layer in layers().items():
        errors = [forward_error(layer, *case) for case in cases]
        mean, share = (float(np.mean([each[i] for each in errors])) for i in (0, 2))
        largest = max(each[1] for each in errors)
        along = [
            float(np.mean([agreement(layer, *case, stride) for case in cases]))
            for stride in (*STRIDES, None)
        ]
        gains = [
            float(np.exp(np.mean([np.log(task(layer, *case)) for case in cases])))
            for task in (restored, attacked)
        ]
        forward = f"{mean:.3f} | {largest:.0f} | {share:.1%}"
        slopes = " | ".join(f"{cosine:.2f}" for cosine in along)
        backward = f"{slopes} | {gains[0]:.3f} | {gains[1]:.2f}"
        print(f"| {name} | {forward} | {backward} |", flush=True)


if __name__ == "__main__":
    main()
