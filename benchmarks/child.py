"""A process that encodes one file and says what the whole of it took.

``python -m benchmarks.child ENCODER PICTURE SETTING`` prints a line of JSON: the file's bytes, and
CPU seconds and peak memory from the interpreter's start to the end of the encode.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from benchmarks.encoders import ENCODERS

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Of ``ru_maxrss``, in bytes."""


def cpu_seconds() -> float:
    """User and system time of this process and the ones it has waited for."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, both))


def peak_bytes() -> int:
    """The most memory that this process, or one it has waited for, has held.

    Linux hands the parent's peak on through ``exec`` in ``ru_maxrss``; its own account does not.
    """
    own = Path("/proc/self/status")
    if not own.exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    else:
        (line,) = (s for s in own.read_text().splitlines() if s.startswith("VmHWM:"))
        peak = int(line.split()[1]) * 1024
    return max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT)


def main() -> None:
    """Encode what the arguments name."""
    name, picture, setting = sys.argv[1:]
    data = ENCODERS[name].encode(Path(picture), float(setting))
    print(
        json.dumps({"bytes": len(data), "cpu_seconds": cpu_seconds(), "peak_bytes": peak_bytes()})
    )


if __name__ == "__main__":
    main()
