"""The pictures laid over each other: a divider between two of them, zoom, and what is to be seen.

Without scripts, and on paper, all layers stand side by side.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from gradpress.page.colours import Scale
from gradpress.page.markup import Markup, element, join
from gradpress.page.pictures import BITS, COMPRESSED, ERROR, ORIGINAL, Layer, View
from gradpress.page.svg import amount, colour_bar

NAMES = {
    ORIGINAL: "Original",
    COMPRESSED: "Compressed",
    ERROR: "Error",
    BITS: "Bits",
}
TABS = (
    ("Before and after", ORIGINAL, COMPRESSED, 50),
    ("Error", COMPRESSED, ERROR, 0),
    ("Where the bits went", COMPRESSED, BITS, 0),
)
"""What lies left and right of the divider, and where it stands at first, in per cent."""
HELP = (
    "Arrow keys move the divider (Page Up and Page Down by more, Home and End all the way), + and "
    "− zoom, 0 fits the picture in, 1 shows it pixel for pixel, Shift and arrow keys move the "
    "picture, Space flickers between the two sides. With the mouse: drag the divider or the "
    "picture; the wheel zooms once the picture was clicked."
)
COLOURS_SHOWN = 64


def viewer(slug: str, name: str, views: Sequence[View], error: Scale, bits: Scale) -> Markup:
    """The comparison of one picture; ``slug`` begins the identifiers in it."""
    held = {layer.name for layer in views[0].layers}
    tabs = [tab for tab in TABS if {tab[1], tab[2]} <= held]
    panel = f"{slug}-panel"
    return element(
        "div",
        element(
            "div",
            _tabs(slug, tabs, panel),
            _choice(slug, views),
            _zoom(slug),
            class_="toolbar controls",
        ),
        element(
            "div",
            _stage(slug, name, views),
            _legend(ERROR, _error_bar(error)),
            _legend(BITS, _bits_bar(bits)) if BITS in held else "",
            id=panel,
            role="tabpanel",
            aria_labelledby=f"{slug}-tab-0",
        ),
        element("p", HELP, id=f"{slug}-help", class_="hint controls"),
        element("p", class_="hidden", aria_live="polite", data_status=True),
        class_="viewer",
        data_viewer=True,
    )


def _tabs(slug: str, tabs: Sequence[tuple[str, str, str, int]], panel: str) -> Markup:
    buttons = (
        element(
            "button",
            title,
            type="button",
            role="tab",
            id=f"{slug}-tab-{number}",
            aria_controls=panel,
            aria_selected="false" if number else "true",
            tabindex="-1" if number else "0",
            data_left=left,
            data_right=right,
            data_at=at,
        )
        for number, (title, left, right, at) in enumerate(tabs)
    )
    return element("div", join(buttons), role="tablist", aria_label="What is shown")


def _choice(slug: str, views: Sequence[View]) -> Markup:
    """Which part of the picture; nothing where there is but one."""
    if len(views) == 1:
        return Markup("")
    options = (element("option", view.title, value=number) for number, view in enumerate(views))
    select = element("select", join(options), data_part=True)
    return element("label", element("span", "Part"), select, for_=None, class_="field")


def _zoom(slug: str) -> Markup:
    def button(label: str, title: str, action: str) -> Markup:
        return element(
            "button", label, type="button", title=title, aria_label=title, data_action=action
        )

    field = element(
        "input",
        type="number",
        min=1,
        max=6400,
        value=100,
        step="any",
        data_zoom=True,
        id=f"{slug}-zoom",
        aria_label="Zoom in per cent",
    )
    return element(
        "div",
        button("−", "Zoom out (−)", "out"),
        element("span", field, "%", class_="percent"),
        button("+", "Zoom in (+)", "in"),
        button("1:1", "One pixel of the picture on one of the screen (1)", "actual"),
        button("Fit", "Fit the picture in (0)", "fit"),
        button("Flicker", "Change between the two sides (Space)", "flicker"),
        role="group",
        aria_label="Zoom",
        class_="zoom",
    )


def _stage(slug: str, name: str, views: Sequence[View]) -> Markup:
    divider = element(
        "div",
        element("span", class_="grip", aria_hidden="true"),
        role="slider",
        tabindex="0",
        aria_label="Divider",
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=50,
        aria_orientation="horizontal",
        aria_describedby=f"{slug}-help",
        class_="divider controls",
        data_divider=True,
    )
    return element(
        "div",
        join(_view(view, name, number) for number, view in enumerate(views)),
        element("span", class_="side left controls", aria_hidden="true", data_side="left"),
        element("span", class_="side right controls", aria_hidden="true", data_side="right"),
        divider,
        class_="stage",
        role="group",
        aria_label=f"Comparison of {name} with its original",
        aria_describedby=f"{slug}-help",
        tabindex="0",
        data_stage=True,
    )


def _view(view: View, name: str, number: int) -> Markup:
    return element(
        "div",
        element("p", view.title, class_="part"),
        join(_layer(layer, view, name) for layer in view.layers),
        class_="view",
        data_view=number,
        data_width=view.width,
        data_height=view.height,
    )


def _layer(layer: Layer, view: View, name: str) -> Markup:
    source = Markup(f"data:{layer.mime};base64,{base64.b64encode(layer.data).decode('ascii')}")
    title = NAMES[layer.name]
    image = element(
        "img",
        src=source,
        alt=f"{title}: {name}, {view.title.lower()}",
        width=layer.size[0],
        height=layer.size[1],
        decoding="async",
    )
    caption = element(
        "figcaption", element("b", title), element("span", f" {layer.said}"), class_="said"
    )
    return element(
        "figure",
        element("div", image, class_="sheet"),
        caption,
        class_=f"layer {layer.name}",
        data_layer=layer.name,
        data_title=title,
    )


def _legend(layer: str, content: Markup) -> Markup:
    return element("div", content, class_="legend", data_legend=layer)


def _bar(scale: Scale, labels: Sequence[str], title: str) -> Markup:
    step = (scale.high - scale.low) / (COLOURS_SHOWN - 1)
    colours = [scale.colour(scale.low + i * step) for i in range(COLOURS_SHOWN)]
    return colour_bar(colours, labels, title)


def _error_bar(scale: Scale) -> Markup:
    most = amount(scale.high)
    labels = (f"≤ −{most}: darker", "0: as it was", f"≥ +{most}: lighter")
    said = f"Error of luma in {scale.unit}: compressed less original"
    return join((element("p", said), _bar(scale, labels, said)))


def _bits_bar(scale: Scale) -> Markup:
    labels = ("0", amount(scale.high / 2), f"≥ {amount(scale.high)}")
    said = f"Bits of each 8 × 8 pixels, in {scale.unit}, colour included"
    return join((element("p", said), _bar(scale, labels, said)))
