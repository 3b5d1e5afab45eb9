"""What of a file's description is kept: the options ``strip``, ``keep`` and ``preset``, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gradpress.errors import UsageError

if TYPE_CHECKING:
    from gradpress.options import Names, Options

KINDS = ("exif", "gps", "xmp", "iptc", "thumbnail", "comments")
"""``gps`` and ``thumbnail`` lie in the others."""
ALL = frozenset(KINDS)


@dataclass(frozen=True)
class Policy:
    """What is kept; colour, density and orientation always are."""

    kinds: frozenset[str]
    """Of ``KINDS``."""
    copyright: bool = False
    """Whether of EXIF, XMP and IPTC that are not kept the author and the copyright are."""
    others: bool = True
    """Whether segments that are of no such kind are."""
    further: bool = True
    """Whether further pictures are, a gain map among them."""
    mark: bool = True
    """Whether files are marked as done."""

    def keeps(self, kind: str) -> bool:
        """Whether a kind is kept, wherever it lies."""
        return kind in self.kinds


DEFAULT = Policy(frozenset(KINDS) - {"thumbnail"})
PRESETS = {"web": Policy(frozenset(), copyright=True, others=False)}


def policy_of(options: Options) -> Policy:
    """Check what the options say of metadata; raises UsageError."""
    stripped, kept = _kinds("strip", options["strip"]), _kinds("keep", options["keep"])
    preset = options["preset"]
    if sum(map(bool, (stripped, kept, preset))) > 1:
        raise UsageError(
            "give one of strip, keep and preset: what is not to be kept, what alone is, or web"
        )
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"preset {preset!r} is not known; choose from {', '.join(PRESETS)}")
    if preset is not None:
        policy = PRESETS[preset]
    elif kept:
        _check_holders(kept)
        policy = Policy(kept, others=kept == ALL)
    else:
        policy = Policy(DEFAULT.kinds - stripped, others=stripped != ALL)
    return replace(policy, further=not options["drop_gain_map"], mark=not options["no_mark"])


def _kinds(option: str, names: Names) -> frozenset[str]:
    """Read names with commas between them, and ``all``."""
    given = [names] if isinstance(names, str) else names
    words = [word.strip() for each in given for word in each.split(",")]
    for word in words:
        if word not in ("all", *KINDS):
            raise UsageError(f"{option} {word!r} is not known; choose from all, {', '.join(KINDS)}")
    return ALL if "all" in words else frozenset(words)


def _check_holders(kept: frozenset[str]) -> None:
    """A place and a thumbnail are kept with what they lie in."""
    for kind, holders in {"gps": ("exif", "xmp"), "thumbnail": ("exif", "xmp", "iptc")}.items():
        if kind in kept and not kept & set(holders):
            raise UsageError(f"keep {kind} needs what it lies in: {' or '.join(holders)}")
