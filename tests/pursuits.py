"""Goals for a part of the example picture."""

import numpy as np
import PIL.Image

from gradpress.goal import Target
from gradpress.jpeg.model import planes_of
from gradpress.metrics import metric
from gradpress.search import Pursuit, scorers
from gradpress.workers import SERIAL


def coffee():
    """Planes of 192 × 256 pixels of the example picture."""
    with PIL.Image.open("examples/coffee.png") as picture:
        return planes_of(np.asarray(picture.convert("RGB"))[100:292, 150:406].copy())


def pursuit_of(studio, name, value):
    """At least a value of a metric, measured by what the studio's loss has prepared."""
    quality, estimate = scorers(metric(name), studio.planes, studio.loss, SERIAL)
    goal = Target(metric(name), value)
    return Pursuit(goal, metric(name), quality, estimate, None, lambda e: e.bits / 8, SERIAL)
