"""PyTorch's gradients as the oracle for the hand-written ones, where PyTorch is installed."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import scene
from test_model import dct_matrix

from gradpress.color import RGB_FROM_YCC
from gradpress.distortion import AbsoluteError, SquaredError
from gradpress.jpeg import model
from gradpress.jpeg.objective import JpegObjective
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout

torch = pytest.importorskip("torch")


def mixing_matrix(n_out, n_in):
    matrix = np.zeros((n_out, n_in))
    for i in range(n_out):
        other = i // 2 + (1 if i % 2 else -1)
        matrix[i, i // 2] += 0.75
        matrix[i, min(max(other, 0), n_in - 1)] += 0.25
    return torch.tensor(matrix)


def torch_samples(coefficients, size, out_size):
    """One component: inverse DCT and upsampling in double precision."""
    rows, columns = coefficients.shape[:2]
    natural = coefficients[..., np.argsort(ZIGZAG)].reshape(rows, columns, 8, 8)
    basis = torch.tensor(dct_matrix())
    blocks = basis.T @ natural @ basis + 128
    plane = blocks.permute(0, 2, 1, 3).reshape(8 * rows, 8 * columns)[: size[0], : size[1]]
    plane = plane.clamp(0, 255)
    if size[1] != out_size[1]:
        plane = plane @ mixing_matrix(out_size[1], size[1]).T
    if size[0] != out_size[0]:
        plane = mixing_matrix(out_size[0], size[0]) @ plane
    return plane


def torch_decode(coefficients, layout):
    out_size = (layout.height, layout.width)
    y, cb, cr = (torch_samples(c, layout.size(i), out_size) for i, c in enumerate(coefficients))
    offset = torch.tensor([0.0, 128.0, 128.0], dtype=torch.float64)
    ycc = torch.stack([y, cb, cr]) - offset[:, None, None]
    return torch.einsum("rc,chw->rhw", torch.tensor(RGB_FROM_YCC), ycc).clamp(0, 255)


@pytest.mark.parametrize("name", ["444", "422", "420"])
@pytest.mark.parametrize("loss", [SquaredError, AbsoluteError])
def test_the_slope_equals_autograds(name, loss):
    picture = scene(37, 45)
    planes = picture.transpose(2, 0, 1).astype(np.float32)
    layout = Layout(45, 37, FACTORS[name])
    rng = np.random.default_rng(2)
    coefficients = tuple(
        (c + rng.normal(0, 5, c.shape)).astype(np.float32) for c in model.analyse(planes, layout)
    )
    value, slope = JpegObjective(layout, loss(planes)).slope(coefficients)
    leaves = [torch.tensor(c.astype(float), requires_grad=True) for c in coefficients]
    error = torch_decode(leaves, layout) - torch.tensor(planes.astype(float))
    total = (error**2).sum() if loss is SquaredError else error.abs().sum()
    total.backward()
    assert value == pytest.approx(total.item(), rel=1e-5)
    for ours, leaf in zip(slope.gradient, leaves, strict=True):
        theirs = leaf.grad.numpy()
        assert np.abs(ours - theirs).max() <= 1e-3 * np.abs(theirs).max()
