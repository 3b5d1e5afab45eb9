"""Memory that a descent frees and takes again, thousands of times."""

from __future__ import annotations

import numpy as np

LARGEST = (1 << 25) - (1 << 13)
"""Bytes that glibc may keep when they are freed (``mallopt(3)``, M_MMAP_THRESHOLD), and its own."""


def keep_planes() -> None:
    """Have the C library keep freed planes for the next ones.

    Each would else be mapped anew and its pages be zeroed, a tenth of the time. glibc keeps arrays
    as large as the largest that it has seen freed; this one is never touched, and takes nothing.
    It suits processes that are not ours; the command's go further (``keep_freed_memory``).
    """
    np.empty(LARGEST, np.uint8)
