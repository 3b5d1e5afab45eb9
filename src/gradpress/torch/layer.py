"""JPEG as a layer of a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gradpress.errors import UsageError
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.quality import CHROMINANCE, LUMINANCE
from gradpress.torch import codec
from gradpress.torch.whole import floored, rounded

ROUNDINGS = ("straight-through", "cubic")
SUBSAMPLINGS = ("444", "422", "420")


class JPEG(nn.Module):
    """What a viewer shows of pictures that were saved as JPEG files, with gradients.

    ``(N, 3, H, W)`` RGB or ``(N, 1, H, W)`` grey pictures in [0, 1] of any size come back in the
    same shape and type: exactly what libjpeg-turbo (and so Pillow, browsers and most programs)
    decodes of the file that it writes with these tables, divided by 255.

    Give a ``quality`` or ``tables``, here or in the call:

    * ``quality``: 1…100 as libjpeg counts, a number or a tensor of one for each picture.
    * ``tables``: steps 1…255 ``(T, 8, 8)``, or ``(N, T, 8, 8)`` by picture, rows of frequencies
      from the top down. One table (T = 1) serves all components, of two the second serves Cb and
      Cr. Tensors that require a gradient get one; parameters become the module's own.

    ``subsampling`` is ``"444"``, ``"422"`` or ``"420"``. ``rounding`` is the gradient of the
    quantiser, which in truth is 0: ``"straight-through"`` takes it for 1, ``"cubic"`` for that of
    Shin and Song's soft rounding. All other gradients are those of the decoder and encoder
    without their roundings; samples that are clamped get none.
    """

    quality: Tensor | None
    tables: Tensor | None

    def __init__(
        self,
        quality: float | Tensor | None = None,
        tables: Tensor | Sequence[Sequence[Sequence[float]]] | None = None,
        *,
        subsampling: str = "420",
        rounding: str = "straight-through",
    ) -> None:
        super().__init__()
        if quality is not None and tables is not None:
            raise UsageError("give a quality or tables, not both")
        self.subsampling = _one_of("subsampling", subsampling, SUBSAMPLINGS)
        self.rounding = _one_of("rounding", rounding, ROUNDINGS)
        self._keep("quality", quality)
        self._keep("tables", tables)

    def _keep(self, name: str, value: object) -> None:
        """As a buffer, so that it moves with the module; a parameter stays one."""
        if isinstance(value, nn.Parameter) or value is None:
            setattr(self, name, value)
        else:
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float64))

    def extra_repr(self) -> str:
        """What the module prints between its brackets."""
        return f"subsampling={self.subsampling!r}, rounding={self.rounding!r}"

    def forward(
        self, pictures: Tensor, *, quality: float | Tensor | None = None,
        tables: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Encode and decode; a quality or tables given here go before the module's own."""
        _check(pictures)
        steps = self._steps(pictures, quality, tables)
        count, components, height, width = pictures.shape
        layout = Layout(width, height, FACTORS[self.subsampling if components == 3 else "grey"])
        if components == 1:
            steps = steps[:, :1]
        if len(steps) not in (1, count):
            raise UsageError(
                f"tables or qualities for {len(steps)} pictures, but there are {count}"
            )
        samples = rounded(pictures.double().clamp(0, 1) * 255)
        levels = codec.encode(samples, steps, layout, cubic=self.rounding == "cubic")
        return (codec.decode(levels, steps, layout) / 255).to(pictures.dtype)

    def _steps(
        self, pictures: Tensor, quality: float | Tensor | None, tables: Tensor | None
    ) -> Tensor:
        """``(N or 1, 3, 8, 8)`` whole numbers 1…255 in float64."""
        if quality is not None and tables is not None:
            raise UsageError("give a quality or tables, not both")
        if quality is None and tables is None:
            quality, tables = self.quality, self.tables
        if tables is None and quality is None:
            raise UsageError("give the layer a quality or tables")
        if tables is None:
            return tables_of_quality(torch.as_tensor(quality, device=pictures.device))
        steps = torch.as_tensor(tables, dtype=torch.float64, device=pictures.device)
        steps = steps if steps.ndim == 4 else steps[None]
        if steps.ndim != 4 or steps.shape[1] not in (1, 2, 3) or steps.shape[2:] != (8, 8):
            raise UsageError(
                f"tables of shape {tuple(torch.as_tensor(tables).shape)}; "
                "give (T, 8, 8) or (N, T, 8, 8) with T = 1, 2 or 3"
            )
        spread = [min(i, steps.shape[1] - 1) for i in range(3)]
        return rounded(steps[:, spread].clamp(1, 255))


def tables_of_quality(quality: Tensor) -> Tensor:
    """libjpeg's tables of a quality 1…100, ``(N, 3, 8, 8)``; not rounded for the gradient.

    T.81's example tables times a whole percentage (libjpeg's jcparam.c).
    """
    q = quality.double().reshape(-1, 1, 1, 1)
    if not bool(((q >= 1) & (q <= 100)).all()):
        raise UsageError("quality is out of range; give 1 to 100")
    percent = floored(torch.where(q < 50, 5000 / q, 200 - 2 * q))
    base = q.new_tensor((LUMINANCE, CHROMINANCE, CHROMINANCE))
    return floored((base * percent + 50) / 100).clamp(1, 255)


def _check(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3) or 0 in pictures.shape:
        raise UsageError(
            f"pictures of shape {tuple(pictures.shape)}; give (N, 3, H, W) or (N, 1, H, W)"
        )
    if not pictures.is_floating_point():
        raise UsageError(f"pictures of type {pictures.dtype}; give floats in [0, 1]")


def _one_of(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise UsageError(f"{name} {value!r} is not known; choose from {', '.join(choices)}")
    return value
