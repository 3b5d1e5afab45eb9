"""A loss of one's own: text that stays sharp, by an importance map and by a PyTorch function.

    python examples/own_loss.py [FOLDER] [--quick]

A label is written on a photograph and marked in a mask, and bytes are spent there: by a mask, by a
loss that looks at edges, and by both. With a FOLDER given, picture, mask and files stay in it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

import gradpress

if TYPE_CHECKING:
    from typing import Unpack

    from torch import Tensor

    from gradpress.distortion.own import OwnLoss
    from gradpress.options import Options

PICTURE = Path(__file__).parent / "coffee.png"
CROP = (180, 120, 436, 312)
"""Left, upper, right, lower edge, in pixels."""
LABEL = (10, 10, 150, 42)
"""Where the text stands in the crop."""
TEXT = "Espresso 2.40\nFlat white 3.10"


def labelled(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture with text on it."""
    picture = picture.copy()
    pen = ImageDraw.Draw(picture)
    pen.multiline_text(LABEL[:2], TEXT, fill="white", font=ImageFont.load_default(13), spacing=2)
    return picture


def mask_of(size: tuple[int, int]) -> PIL.Image.Image:
    """White where the text is, black elsewhere: sixteen times as important as the rest."""
    mask = PIL.Image.new("L", size, 0)
    ImageDraw.Draw(mask).rectangle(LABEL, fill=255)
    return mask


def sharpness() -> OwnLoss:
    """A loss in PyTorch: errors, and errors of the differences between neighbours.

    It takes pictures of any size, as it must: samples of the picture are looked at as well.
    """
    import gradpress.torch  # noqa: PLC0415

    def errors(decoded: Tensor, reference: Tensor) -> Tensor:
        error = decoded - reference
        across, down = error.diff(dim=3), error.diff(dim=2)
        return error.square().mean() + across.square().mean() + down.square().mean()

    return gradpress.torch.loss(errors)


def luma(picture: PIL.Image.Image) -> NDArray[np.float64]:
    """``(H, W)``."""
    return np.asarray(picture.convert("L"), float)


def tell(name: str, path: Path, original: PIL.Image.Image, mask: PIL.Image.Image) -> None:
    """Print errors of luma in and out of the mask, and of edges in it: root mean square, levels."""
    with PIL.Image.open(path) as shown:
        error = luma(shown) - luma(original)
    inside = np.asarray(mask) > 0
    edges = np.diff(error, axis=1)[inside[:, 1:]]
    text, sharp, rest = (
        np.sqrt(np.square(each).mean()) for each in (error[inside], edges, error[~inside])
    )
    print(
        f"{name:23} {path.stat().st_size:6,} bytes; text {text:.2f}, its edges {sharp:.2f}, "
        f"elsewhere {rest:.2f}"
    )


def compare(folder: Path, effort: int) -> None:
    """Compress the labelled picture in every way to one size."""
    with PIL.Image.open(PICTURE) as whole:
        original = labelled(whole.convert("RGB").crop(CROP))
    mask = mask_of(original.size)
    picture, marks = folder / "labelled.png", folder / "mask.png"
    original.save(picture)
    mask.save(marks)
    size = original.width * original.height // 8
    print("root mean square errors of luma, in levels:")

    def compressed(name: str, file: str, **options: Unpack[Options]) -> None:
        result = gradpress.compress(picture, target_size=size, effort=effort, **options)
        result.save(folder / file, overwrite=True)
        tell(name, folder / file, original, mask)

    compressed("as ever", "plain.jpg")
    compressed("importance=", "marked.jpg", importance=marks)

    command = [
        "labelled.png", "--importance", "mask.png", "--target-size", str(size),
        "--effort", str(effort), "--output", "command.jpg", "--overwrite", "always",
    ]  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "gradpress", *command], cwd=folder, check=True, capture_output=True
    )
    tell("--importance mask.png", folder / "command.jpg", original, mask)

    try:
        loss = sharpness()
    except gradpress.GradpressError as missing:
        print(missing)
        return
    compressed("torch.loss", "torch.jpg", loss=loss)
    compressed("torch.loss, importance=", "both.jpg", loss=loss, importance=marks)


def main() -> None:
    """Compare, in a folder that stays if it is given."""
    parser = argparse.ArgumentParser(description="Text that stays sharp, by a loss of one's own.")
    parser.add_argument("folder", nargs="?", type=Path, help="where the pictures stay")
    parser.add_argument("--quick", action="store_true", help="less effort")
    given = parser.parse_args()
    effort = 2 if given.quick else 5
    if given.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), effort)
    else:
        given.folder.mkdir(parents=True, exist_ok=True)
        compare(given.folder, effort)


if __name__ == "__main__":
    main()
