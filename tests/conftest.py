"""Pictures drawn for the tests; nothing is downloaded."""

from __future__ import annotations

import io
import os

import hypothesis
import numpy as np
import PIL.Image
import pytest

hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


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


@pytest.fixture(scope="session", autouse=True)
def unconfigured():
    """Nothing that this machine's user configured has a say in tests, nor in what they start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GRADPRESS_")]:
            patch.delenv(name)
        patch.setenv("GRADPRESS_NO_CONFIG", "1")
        yield
