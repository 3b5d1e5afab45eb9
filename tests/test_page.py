"""Report pages: nothing but the picture's own, nothing from elsewhere, within their size."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from conftest import png, scene
from hypothesis import given, settings
from hypothesis import strategies as st

import gradpress
from gradpress import outcomes
from gradpress.commands import cli
from gradpress.errors import GradpressError
from gradpress.metrics import metric
from gradpress.options import DEFAULTS
from gradpress.ordinary import OrdinaryPoint, ordinary_bytes, ordinary_curve
from gradpress.page import html, svg
from gradpress.page.command import command, quoted
from gradpress.page.markup import VOID, Markup, element, markup
from gradpress.page.section import Subject, section, slug_of
from gradpress.wording import printable
from gradpress.workers import SERIAL

HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;</title></script>\n\x1b[31m\udcff.png"
NAMES = st.text(st.characters(blacklist_categories=()), min_size=1)


class Reader(HTMLParser):
    """Elements with their attributes, and the text of each."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in (*VOID, "!doctype"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]

    def values(self, attribute):
        return [a[attribute] for _, a in self.found if attribute in a]


@pytest.fixture(scope="module")
def result():
    return gradpress.compress(png(scene(90, 130)), effort=2)


@pytest.fixture(scope="module")
def page(result):
    return page_of(result, "photo.png")


def page_of(result, name, output="out/photo.jpg", **options):
    subject = Subject(name, output, result, options)
    record = outcomes.finished(name, output, result, None)
    before, after = html.frame([record], "1.0", alone=True)
    return before + section(subject, html.share(1)) + after


@given(NAMES, NAMES)
def test_text_stays_text(text, value):
    written = element("p", text, title=value, hidden=None)
    reader = Reader(written)
    assert reader.found == [("p", {"title": printable(value)})]
    assert "".join(reader.text) == printable(text)


def test_markup_is_escaped_once():
    once = markup("<&>")
    assert markup(once) is once == "&lt;&amp;&gt;"
    assert element("p", element("b", "<"), "<") == "<p><b>&lt;</b>&lt;</p>"
    assert element("input", disabled=True, x=0.25, y=False) == '<input disabled x="0.25">'


def test_a_page_is_whole_and_says_what_it_must(page, result):
    reader = Reader(page)
    assert reader.open == []
    text = " ".join(reader.text)
    for said in ("Quantisation tables", "Rate and distortion", "Price of a bit λ", "130 × 90"):
        assert said in text
    assert f"{result.bytes_after:,}" in text
    assert "gradpress -o out/photo.jpg photo.png" in text
    assert {a["data-layer"] for a in reader.all("figure") if "data-layer" in a} == {
        "original", "compressed", "error", "bits",
    }  # fmt: skip
    assert len([a for a in reader.all("td") if a.get("class", "").startswith("h")]) in (128, 192)


def test_nothing_comes_from_elsewhere(page):
    reader = Reader(page)
    for attribute in ("src", "href", "action", "srcset", "data", "poster", "xlink:href", "style"):
        for value in reader.values(attribute):
            assert attribute == "src"
            assert re.match(r"data:image/(png|webp|jpeg);base64,[A-Za-z0-9+/]+=*$", value)
    assert not [name for _, a in reader.found for name in a if name.startswith("on")]
    assert not reader.all("link") + reader.all("iframe") + reader.all("object")
    outside = re.sub(r"data:[^\"]*", "", page)
    assert not re.findall(r"https?:|wss?:|ftp:|@import|url\(|fetch\(|XMLHttp|WebSocket", outside)
    assert len(outside) < 150_000


def test_only_the_page_s_own_script_and_style_run(page):
    (policy,) = [a["content"] for a in Reader(page).all("meta") if "http-equiv" in a]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_references_within_the_page_lead_somewhere(page):
    reader = Reader(page)
    names = reader.values("id")
    assert len(set(names)) == len(names)
    for attribute in ("aria-controls", "aria-labelledby", "aria-describedby"):
        assert {word for value in reader.values(attribute) for word in value.split()} <= set(names)


def test_what_can_be_used_or_seen_has_a_name(page):
    reader = Reader(page)
    assert all(a["alt"] for a in reader.all("img"))
    assert all(a.get("aria-label") for a in reader.all("input"))
    sliders = [a for _, a in reader.found if a.get("role") == "slider"]
    assert [(a["aria-valuemin"], a["aria-valuemax"]) for a in sliders] == [("0", "100")]
    assert all(a["aria-label"] and a["tabindex"] == "0" for a in sliders)
    assert len(re.findall(r"<svg[^>]*role=\"img\"[^>]*><title>", page)) == len(reader.all("svg"))


def test_a_hostile_name_is_shown_as_it_is(result):
    page = page_of(result, HOSTILE, output=HOSTILE, background=HOSTILE)
    tags = [tag for tag, _ in Reader(page).found]
    assert tags == [tag for tag, _ in Reader(page_of(result, "a", "b", background="x")).found]
    assert printable(HOSTILE) in "".join(Reader(page).text)


def test_a_picture_that_was_passed_through_has_a_page():
    data = gradpress.compress(scene(64, 64), effort=1).data
    kept = gradpress.compress(data, target_size=len(data))
    assert kept.solution is None
    text = " ".join(Reader(page_of(kept, "a.jpg")).text)
    assert "passed-through" in text
    assert "Quantisation tables" in text


@pytest.mark.parametrize("shape", [(40, 56), (8, 8), (1, 1), (3, 200)])
def test_grey_and_tiny_pictures_have_a_page(shape):
    pixels = scene(*shape)[..., 0]
    page = page_of(gradpress.compress(pixels, effort=1, target="psnr=30"), "grey.png")
    assert "Grey" in page


def test_a_page_of_many_lists_them_all(result):
    records = [
        outcomes.finished(HOSTILE, "a.jpg", result, None),
        outcomes.finished("b.png", "b.jpg", replace(result, bytes_before=None), None),
        outcomes.failed("c.png", "is broken"),
    ]
    before, after = html.frame(records, "1.0", alone=False)
    sections = [
        section(Subject(r.input, r.output, result, {}), html.share(3), alone=False)
        for r in records[:2]
    ]
    reader = Reader(before + "".join(sections) + after)
    assert reader.open == []
    links = [a["href"] for a in reader.all("a")]
    assert [f"#{a['id']}" for a in reader.all("details") if "id" in a] == links
    assert "is broken" in " ".join(reader.text)
    names = reader.values("id")
    assert len(set(names)) == len(names)


@given(NAMES, NAMES)
def test_sections_have_names_of_their_own(one, other):
    assert (slug_of(one) == slug_of(other)) == (one == other)
    assert re.fullmatch("[a-z][0-9a-f]+", slug_of(one))


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "quality": st.integers(1, 100),
        "loss": st.sampled_from(["perceptual", "mse", "ssim"]),
        "effort": st.integers(1, 9),
        "seed": st.integers(-9, 99),
        "background": st.text(min_size=1).filter(str.isprintable),
        "max_pixels": st.integers(1, 10**9),
        "lagrangian": st.floats(1e-9, 1e9),
    },
)


@settings(max_examples=40)
@given(OPTIONS, st.text("aä -'\"$\\~#", min_size=2), st.text("bö -'\"$`!*", min_size=1))
def test_the_command_asks_for_the_same_again(options, source, output):
    output = f"x{output}"
    words = shlex.split(command(source, output, options))
    assert words[0] == "gradpress"
    params = cli.main.make_context("gradpress", words[1:]).params
    assert (params["inputs"], params["output"]) == ((source,), output)
    for name in options.keys() - {"name", "threads"}:
        assert params[name] == options[name]
    for name in DEFAULTS.keys() - options.keys() - {"name", "threads"}:
        assert params[name] == DEFAULTS[name]


def test_standard_input_is_redirected():
    words = command("-", "x.jpg", {})
    assert words == "gradpress -o x.jpg - < picture"


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("word", ["a\nb", "a'\t\\b", "~x", "$HOME", "", "#a", "a=b", "é\u2028"])
def test_a_shell_reads_a_word_as_it_was(word):
    done = subprocess.run(
        ["bash", "-c", f"printf %s {quoted(word)}"],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.decode() == word


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(3, 12))
def test_ticks_are_few_and_within(low, length, most):
    high = low + length
    if not high > low + 1e-9 * abs(low):
        return
    found = svg.ticks(low, high, most)
    assert 1 <= len(found) <= most + 1
    slack = 1e-6 * length + 1e-9 * abs(low)
    assert all(low - slack <= tick <= high + slack for tick in found)


NUMBERS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=9)


@given(NUMBERS)
def test_a_chart_keeps_to_its_frame(points):
    drawn = Xml.fromstring(svg.chart("a < b", "x", "y", [svg.Series("s", tuple(points))]))
    width, height = map(float, drawn.get("viewBox").split()[2:])
    dots = drawn.findall("circle")
    assert len(dots) == len(points)
    for dot in dots:
        assert 0 <= float(dot.get("cx")) <= width
        assert 0 <= float(dot.get("cy")) <= height
    assert drawn.find("title").text == "a < b"


def test_a_chart_leaves_out_what_is_no_number():
    points = ((0.0, 1.0), (1.0, float("nan")), (2.0, float("inf")), (3.0, 2.0))
    drawn = Xml.fromstring(svg.chart("t", "x", "y", [svg.Series("s", points)]))
    assert len(drawn.findall("circle")) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1250000, "1.25 M"), (-48000, "-48 k"), (0.031, "0.031")]
)
def test_amounts_are_short(value, text):
    assert svg.amount(value) == text


def test_a_page_stays_below_five_megabytes():
    texts = 300_000  # what is not an image: more than twice what a page has
    assert html.MOST_IMAGES * 4 / 3 + texts < 5_000_000
    assert html.share(1) == html.MOST_IMAGES
    assert [html.share(n) * n <= html.BATCH_IMAGES for n in (10, 100, 400)] == [True] * 3
    assert html.share(10**6) == html.LEAST_IMAGES


def test_ordinary_jpeg_gets_better_with_its_quality():
    planes = np.ascontiguousarray(scene(64, 64).transpose(2, 0, 1), np.float32)
    points = ordinary_curve(planes, metric("psnr"), (30, 60, 90), SERIAL)
    assert [p.quality for p in points] == [30, 60, 90]
    assert sorted(p.bytes for p in points) == [p.bytes for p in points]
    assert sorted(p.score for p in points) == [p.score for p in points]
    for point in points:
        found = ordinary_bytes(points, metric("psnr"), point.score)
        assert found == pytest.approx(point.bytes)


def test_big_pictures_are_scored_in_bands(monkeypatch):
    planes = np.ascontiguousarray(scene(300, 64).transpose(2, 0, 1), np.float32)
    whole = ordinary_curve(planes, metric("psnr"), (50,), SERIAL)
    monkeypatch.setattr("gradpress.ordinary.BIG", 1)
    (banded,) = ordinary_curve(planes, metric("psnr"), (50,), SERIAL)
    assert banded.score == pytest.approx(whole[0].score, abs=0.01)


def test_bytes_between_two_points():
    points = (OrdinaryPoint(80, 4000, 40.0), OrdinaryPoint(40, 1000, 30.0))
    assert ordinary_bytes(points, metric("psnr"), 35) == pytest.approx(2000)
    assert ordinary_bytes(points, metric("psnr"), 29) is None
    assert ordinary_bytes(points, metric("psnr"), 41) is None
    worse = (OrdinaryPoint(80, 4000, 1.0), OrdinaryPoint(40, 1000, 4.0))
    assert ordinary_bytes(worse, metric("butteraugli"), 2) == pytest.approx(2000)


def test_the_original_is_read_again(tmp_path, result):
    path = tmp_path / "a.png"
    path.write_bytes(png(scene(20, 30)))
    again = gradpress.compress(path, effort=1).original
    np.testing.assert_array_equal(again().planes, gradpress.read_image(path).planes)
    path.write_bytes(png(scene(40, 30)))
    with pytest.raises(GradpressError, match="has changed"):
        again()
    assert result.original().width == 130
    with io.BytesIO(png(scene(20, 30))) as stream:
        from_stream = gradpress.compress(stream, effort=1)
    assert from_stream.original().height == 20


@settings(max_examples=20)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_span_is_never_empty(value):
    low, high = svg.span([value])
    assert low < value < high or abs(value) > 1e15


def test_markup_is_text():
    assert isinstance(element("p"), Markup)
