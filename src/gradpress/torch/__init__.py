"""What needs PyTorch (``pip install "gradpress[torch]"``): losses of one's own, and a JPEG layer.

``bridge`` makes a loss for :func:`gradpress.compress` of any differentiable function; ``layer`` is
JPEG as a layer of a network, which ``codec`` and ``whole`` compute.
"""

from __future__ import annotations

from gradpress.errors import GradpressError

try:
    from gradpress.torch.bridge import TorchLoss, loss
    from gradpress.torch.layer import JPEG
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise GradpressError(
        'PyTorch is not installed: pip install "gradpress[torch]", or torch by itself'
    ) from error

__all__ = ["JPEG", "TorchLoss", "loss"]
