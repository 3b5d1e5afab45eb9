"""Signatures of the compiled kernels; ``kernels/kernels.h`` says what they do."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]
_I16 = NDArray[np.int16]
_I32 = NDArray[np.int32]
_I64 = NDArray[np.int64]
_U8 = NDArray[np.uint8]
_U16 = NDArray[np.uint16]

def keep_freed_memory() -> bool: ...
def instruction_set() -> str: ...
def forward_dct(plane: _F32, shift: float, blocks: _F32, clamped: _F32 | None = None) -> None: ...
def inverse_dct(blocks: _F32, shift: float, low: float, high: float, plane: _F32) -> None: ...
def dequantise(levels: _I16, steps: _F32, blocks: _F32) -> None: ...
def inverse_dct_exact(levels: _I16, steps: _I16, plane: _U8) -> None: ...
def upsample(
    plane: _F32, height: int, width: int, v: int, begin: int, end: int, out: _F32
) -> None: ...
def upsample_exact(
    plane: _U8, height: int, width: int, v: int, begin: int, end: int, out: _U8
) -> None: ...
def upsample_adjoint(
    gradient: _F32, height: int, width: int, v: int, begin: int, end: int, out: _F32
) -> None: ...
def ycc_to_rgb(y: _F32, cb: _F32, cr: _F32, begin: int, end: int, rgb: _F32) -> None: ...
def ycc_to_rgb_adjoint(
    y: _F32,
    cb: _F32,
    cr: _F32,
    rgb: _F32,
    begin: int,
    end: int,
    dy: _F32,
    dcb: _F32,
    dcr: _F32,
) -> None: ...
def ycc_to_rgb_exact(y: _U8, cb: _U8, cr: _U8, begin: int, end: int, rgb: _U8) -> None: ...
def squared_error(decoded: _F32, reference: _F32, gradient: _F32 | None) -> float: ...
def absolute_error(decoded: _F32, reference: _F32, gradient: _F32 | None) -> float: ...
def squared_error_bytes(decoded: _U8, reference: _F32, begin: int, end: int) -> float: ...
def trellis_ac(
    target: _F32,
    curvature: _F32,
    steps: _F32,
    bits: _F32,
    empty_bits: float,
    lagrangian: float,
    first: int,
    last: int,
    levels: _I16,
) -> float: ...
def viterbi_dc(
    target: _F32,
    curvature: float,
    step: float,
    bits: _F32,
    lagrangian: float,
    order: _I32,
    levels: _I16,
) -> float: ...
def count_ac(levels: _I16, counts: _I64) -> None: ...
def count_band(
    levels: _I16, columns: int, begin: int, end: int, counts: _I64
) -> tuple[int, int]: ...
def count_dc(
    levels: Sequence[_I16], component: _U8, block: _I32, low: int, counts: _I64
) -> None: ...
def write_dc(
    levels: Sequence[_I16], component: _U8, block: _I32, low: int, words: _U16, sizes: _U8
) -> bytes: ...
def write_dc_refinement(levels: Sequence[_I16], component: _U8, block: _I32, low: int) -> bytes: ...
def write_baseline(
    levels: Sequence[_I16],
    component: _U8,
    block: _I32,
    dc_words: _U16,
    dc_sizes: _U8,
    ac_words: _U16,
    ac_sizes: _U8,
) -> bytes: ...
def code_lengths(counts: _I64, limit: int, lengths: _U8) -> None: ...

class SparseLevels:
    """The nonzero AC levels of one component's own blocks."""

    def __init__(self, levels: _I16, rows: int, columns: int) -> None: ...
    def count(self, begin: int, end: int, low: int, refine: bool, counts: _I64) -> int: ...
    def write(
        self, begin: int, end: int, low: int, refine: bool, words: _U16, sizes: _U8
    ) -> bytes: ...
