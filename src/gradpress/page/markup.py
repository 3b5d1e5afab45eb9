"""HTML elements as strings: whatever is not markup already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

from gradpress.wording import printable

VOID = frozenset(("img", "input", "meta"))
"""Elements that have no end."""

Attribute = str | float | bool | None


class Markup(str):
    """Text that is markup; any other text is escaped where it enters an element."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: Attribute) -> Markup:
    """Write an element. ``class_`` is class, ``aria_label`` aria-label; True is a bare attribute.

    Attributes that are None or False are left out.
    """
    opening = "".join([name, *map(_attribute, attributes.items())])
    if name in VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Markup:
    """One after the other, escaped where need be."""
    return Markup("".join(map(markup, children)))


def markup(text: str) -> Markup:
    """Escape text, unless it is markup. Control characters and lone surrogates are written out."""
    return text if isinstance(text, Markup) else Markup(html.escape(printable(text)))


def _attribute(item: tuple[str, Attribute]) -> str:
    name, value = item[0].rstrip("_").replace("_", "-"), item[1]
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = value if isinstance(value, str) else f"{value:.6g}"
    return f' {name}="{text if isinstance(text, Markup) else markup(text)}"'
