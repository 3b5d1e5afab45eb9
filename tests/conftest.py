"""Pictures drawn for the tests; nothing is downloaded."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest


def scene(height, width, seed=0):
    """A colourful uint8 picture with edges, gradients, texture and saturated spots."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)
    picture = np.stack(
        [
            128 + 100 * np.sin(x / 17 + y / 31),
            90 + 120 * (((x - width / 2) ** 2 + (y - height / 2) ** 2) < (height / 3) ** 2),
            255 * x / max(width - 1, 1),
        ],
        axis=-1,
    )
    picture += rng.normal(0, 6, picture.shape)
    picture[: height // 4, : width // 4] = (255, 0, 0)
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def png(pixels):
    """The pixels as a PNG file's bytes."""
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture(scope="session")
def photo():
    """A uint8 picture of 96 × 128 pixels."""
    return scene(96, 128)
