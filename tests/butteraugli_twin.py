"""Butteraugli in float64 PyTorch, written from its definition: slow, plain, differentiable."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import pad

# Half of each line (dy, dx); the other half is its mirror image.
DENSE = [
    [(0, 1), (0, 2), (0, 3), (0, 4)],
    [(1, 0), (2, 0), (3, 0), (4, 0)],
    [(1, 1), (2, 2), (3, 3)],
    [(1, -1), (2, -2), (3, -3)],
    [(1, 0), (2, -1), (3, -1), (4, -1)],
    [(1, 0), (2, 1), (3, 1), (4, 1)],
    [(0, 1), (1, 2), (1, 3), (1, 4)],
    [(0, 1), (-1, 2), (-1, 3), (-1, 4)],
    [(1, 1), (2, 1), (3, 2)],
    [(1, -1), (2, -1), (3, -2)],
    [(1, 1), (1, 2), (2, 3)],
    [(-1, 1), (-1, 2), (-2, 3)],
    [(0, 1), (-1, 2), (-1, 3), (-1, 4)],
    [(0, 1), (1, 2), (1, 3), (1, 4)],
    [(1, 0), (2, 1), (3, 1), (4, 1)],
    [(1, 0), (2, -1), (3, -1), (4, -1)],
]
STEEP = [[(2, 0), (4, 0)], [(2, 2), (3, 3)], [(2, 1), (4, 1)], [(2, 1), (3, 2)], [(2, 1), (4, 2)]]
SPARSE = [[(x, y) for y, x in line] for line in STEEP if line != STEEP[1]] + STEEP
SPARSE += [[(y, -x) for y, x in line] for line in SPARSE if line[0][0] and line[0][1]]


def half_gaussian(sigma):
    return np.exp(-(np.arange(int(2.25 * sigma) + 1) ** 2) / (2 * sigma**2))


def blur_matrix(size, sigma, mirror=False):
    """A row of weights for each output."""
    taps, matrix = half_gaussian(sigma), np.zeros((size, size))
    for i in range(size):
        for j in range(1 - len(taps), len(taps)):
            at = i + j
            if mirror:
                at = -1 - at if at < 0 else 2 * size - 1 - at if at >= size else at
            if 0 <= at < size:
                matrix[i, at] += taps[abs(j)]
    return torch.tensor(matrix / matrix.sum(1, keepdims=True))


def blur(plane, sigma, mirror=False):
    down, across = (blur_matrix(n, sigma, mirror) for n in plane.shape[-2:])
    return down @ plane @ across.T


def light(picture):
    u = picture / 255
    curved = ((torch.clamp(u, min=0.04045) + 0.055) / 1.055) ** 2.4
    return 80 * torch.where(u > 0.04045, curved, u / 12.92)


def opponent(rgb):
    mix = torch.tensor(
        [
            [0.29956550340058319, 0.63373087833825936, 0.077705617820981968],
            [0.22158691104574774, 0.69391388044116142, 0.0987313588422],
            [0.02, 0.02, 0.20480129041026129],
        ],
        dtype=torch.float64,
    )
    dark = torch.tensor([1.7557483643287353, 1.7557483643287353, 12.226454707163354])[:, None, None]
    cones, around = (
        torch.einsum("ij,jhw->ihw", mix, p) + dark for p in (rgb, blur(rgb, 1.2, mirror=True))
    )
    gamma = 19.245013259874995 * torch.log(around + 9.9710635769299145) - 23.16046239805755
    long, medium, short = torch.maximum(cones * gamma / around, dark.double())
    return torch.stack([long - medium, long + medium, short])


def removed(v, w):
    return v - torch.clamp(v, -w, w)


def amplified(v, w):
    return v + torch.clamp(v, -w, w)


def softened(v, limit):
    return 0.724216145665 * v + (1 - 0.724216145665) * torch.clamp(v, -limit, limit)


def bands(rgb):
    xyb = opponent(rgb)
    low = blur(xyb, 7.15593339443)
    middle = blur(xyb - low, 3.22489901262)
    x, y = (xyb - low - middle)[:2]
    x = x * (0.653020556257 + (1 - 0.653020556257) * 46 / (y**2 + 46))
    high_x, high_y = blur(x, 1.56416327805), softened(blur(y, 1.56416327805), 28.4691806922)
    return {
        "low": low,
        "middle": [removed(middle[0], 0.29), amplified(middle[1], 0.1), middle[2]],
        "high": [removed(high_x, 1.5), amplified(2.155 * high_y, 0.132)],
        "ultra": [removed(x - high_x, 0.04), 2.69313763794 * softened(y - high_y, 5.19175294647)],
    }


def busy(b):
    (hx, hy), (ux, uy) = b["high"], b["ultra"]
    squared = (2.5 * (hx + ux)) ** 2 + (0.4 * (hy + uy)) ** 2
    size = torch.sqrt(torch.where(squared > 0, squared, 1.0)) * (squared > 0)
    bias = 6.19424080439 * 12.61050594197
    return blur(torch.sqrt(6.19424080439 * size + bias) - bias**0.5, 2.7)


def eroded(plane):
    height, width = plane.shape
    framed = pad(plane, (3, 3, 3, 3), value=float("inf"))
    around = [framed[y : y + height, x : x + width] for y in (0, 3, 6) for x in (0, 3, 6)]
    least = torch.sort(torch.stack([*around, 2 * plane, 2 * plane]), dim=0).values
    return 0.45 * least[0] + 0.3 * least[1] + 0.25 * least[2]


def lacking(a, b, small, big):
    along = torch.where(a < 0, -b, b)
    return torch.relu(small * a.abs() - along) - torch.relu(along - big * a.abs())


def malta(a, b, weight, asymmetry, norm, dense):
    scale = (0.39905817637 if dense else 0.611612573796) * norm / 8.5
    scale = scale / (norm + 0.5 * (a.abs() + b.abs()))
    extra = torch.where(a < 0, -1.0, 1.0) * lacking(a, b, 0.55, 1.05)
    above, below = (0.5 * weight * asymmetry) ** 0.5, (0.33 * weight / asymmetry) ** 0.5
    framed = pad(scale * (above * (a - b) + below * extra), (4, 4, 4, 4))
    total = torch.zeros_like(a)
    for line in DENSE if dense else SPARSE:
        sums = torch.zeros_like(a)
        for y, x in [(0, 0), *line, *((-y, -x) for y, x in line)]:
            sums = sums + framed[4 + y : 4 + y + a.shape[0], 4 + x : 4 + x + a.shape[1]]
        total = total + sums**2
    return total


def distances(reference, decoded):
    """The map for one size, of light."""
    a, b = bands(reference), bands(decoded)
    dx, dy, db = b["low"] - a["low"]
    dc = (
        29.2353797994 * (32.2217497012 * dx) ** 2
        + 0.844626970982 * (13.7697791434 * dy) ** 2
        + 0.703646627719 * (47.504615728 * (db - 0.362267051518 * dy)) ** 2
    )
    ac = (
        malta(a["ultra"][1], b["ultra"][1], 1.10039032555, 0.8, 71.7800275169, True)
        + malta(a["ultra"][0], b["ultra"][0], 173.5, 0.8, 5.0, True)
        + malta(a["high"][1], b["high"][1], 18.7237414387, 0.8**0.5, 4498534.45232, False)
        + malta(a["high"][0], b["high"][0], 6923.99476109, 0.8**0.5, 8051.15833247, False)
        + malta(a["middle"][1], b["middle"][1], 37.0819870399, 1, 130262059.556, False)
        + malta(a["middle"][0], b["middle"][0], 8246.75321353, 1, 1009002.70582, False)
    )
    for p, q, weight in zip(
        a["middle"], b["middle"], (2150.0, 10.6195433239, 16.2176043152), strict=True
    ):
        ac = ac + weight * (p - q) ** 2
    for p, q, weight in zip(a["high"], b["high"], (400.0, 1.50815703118), strict=True):
        ac = ac + 0.8 * weight * (0.8 * (p - q) ** 2 + lacking(p, q, 0.4, 1.0) ** 2 / 0.8)
    ac = ac + 10 * (busy(a) - busy(b)) ** 2
    mask = eroded(busy(a))
    fine = (1 + 2.5485944793 / (0.451936922203 * mask + 0.829591754942)) ** 2
    coarse = (1 + 0.505054525019 / (3.87449418804 * mask + 0.20025578522)) ** 2
    return torch.sqrt(fine * ac + coarse * dc + 1e-20) / (17.8 * 0.79079917404)


def halved(rgb):
    height, width = rgb.shape[1:]
    even = pad(rgb[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
    return even.reshape(3, (height + 1) // 2, 2, (width + 1) // 2, 2).mean((2, 4))


def butteraugli(reference, decoded):
    """The largest distance and the mean of the 3-, 6- and 12-norms, of samples in [0, 255]."""
    reference, decoded = light(reference), light(decoded)
    total = distances(reference, decoded)
    if min(total.shape) >= 15:
        half = distances(halved(reference), halved(decoded))
        large = half.repeat_interleave(2, 0).repeat_interleave(2, 1)
        total = 0.85 * total + 0.5 * large[: total.shape[0], : total.shape[1]]
    norms = [(total**p).mean() ** (1 / p) for p in (3, 6, 12)]
    return total.max(), sum(norms) / 3
