"""The page around the sections: head, index, script. Nothing is fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from gradpress.metrics import metric
from gradpress.outcomes import COMPRESSED, Record
from gradpress.page.markup import Markup, element, join, markup
from gradpress.page.panels import score
from gradpress.page.section import slug_of
from gradpress.wording import saving

MOST_IMAGES = 3_300_000
"""Bytes of images for one picture: a third more as text, and the page stays below 5 MB."""
BATCH_IMAGES, LEAST_IMAGES = 24_000_000, 60_000
"""Bytes of images for all pictures of a batch, and the least for each."""
_HERE = "<!-- sections -->"


def share(pictures: int) -> int:
    """Bytes of images for each of so many pictures."""
    return max(min(MOST_IMAGES, BATCH_IMAGES // max(pictures, 1)), LEAST_IMAGES)


def frame(records: Sequence[Record], version: str, *, alone: bool) -> tuple[str, str]:
    """What stands before and after the sections of these pictures; ``alone`` says it is but one."""
    title = records[0].input if alone else f"{len(records)} pictures"
    style, script = _resource("page.css"), _resource("page.js")
    whole = Template(_resource("page.html")).substitute(
        title=markup(f"{title} · gradpress"),
        heading=markup("gradpress report" if alone else f"gradpress report: {title}"),
        about=markup(_about(records, version)),
        index="" if alone and records[0].goal is not None else index(records),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    before, _, after = whole.partition(_HERE)
    return before, after


def index(records: Sequence[Record]) -> Markup:
    """A table of all pictures, each a link to its section."""
    first = next((record.metrics for record in records if record.metrics), {})
    by = next(iter(first), "")
    head = ("Picture", "Outcome", "Before", "After", "Saved", by or "Quality", "Seconds")
    cells = (
        element("th", element("button", text, type="button"), scope="col", aria_sort="none")
        for text in head
    )
    return element(
        "nav",
        element("h2", "Pictures"),
        element(
            "div",
            element(
                "table",
                element("caption", "Pictures; the heads of the columns sort", class_="hidden"),
                element("thead", element("tr", join(cells))),
                element("tbody", join(_line(record, by) for record in records)),
                data_sortable=True,
            ),
            class_="scroll",
        ),
        element(
            "p",
            element("button", "Open all", type="button", data_all="open"),
            element("button", "Close all", type="button", data_all="close"),
            class_="controls buttons",
        ),
        class_="panel index",
        aria_label="Pictures",
    )


def _line(record: Record, by: str) -> Markup:
    before, after = record.bytes_before, record.bytes_after
    value = (record.metrics or {}).get(by)
    outcome = element("span", record.status, class_=f"badge {record.status}")
    if record.status != COMPRESSED:
        outcome = join((outcome, " ", record.reason))
    name: str = record.input
    if record.goal is not None:  # there is a result, and a section for it
        name = element("a", name, href=f"#{slug_of(name)}")
    cells = (
        _cell(None if before is None else f"{before:,}", before),
        _cell(None if after is None else f"{after:,}", after),
        _cell(saving(before, after), after / before) if before and after else _cell(None, None),
        _cell(None if value is None else score(metric(by), value), value),
        _cell(None if record.seconds is None else f"{record.seconds:.2f}", record.seconds),
    )
    return element("tr", element("th", name, scope="row"), element("td", outcome), *cells)


def _cell(text: str | None, value: float | None) -> Markup:
    """A number with the value that it is sorted by."""
    sortable = None if value is None else Markup(f"{value:.9g}")
    return element("td", text or "", class_="number", data_value=sortable)


def _about(records: Sequence[Record], version: str) -> str:
    before = [r.bytes_before for r in records if r.bytes_before and r.bytes_after]
    after = [r.bytes_after for r in records if r.bytes_before and r.bytes_after]
    total = f"; {sum(before):,} → {sum(map(int, filter(None, after))):,} bytes" if before else ""
    return f"Made by gradpress {version}; needs no network{total if len(records) > 1 else ''}"


def _resource(name: str) -> str:
    return files("gradpress.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names a source."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
