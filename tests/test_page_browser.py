"""The page in a real browser, driven like a person would: skipped where there is none.

It takes Chromium with its driver, and selenium.
"""

from __future__ import annotations

import json
import shutil

import pytest
from conftest import png, scene

import gradpress
from gradpress import outcomes
from gradpress.page import html
from gradpress.page.section import Subject, section

webdriver = pytest.importorskip("selenium.webdriver")
CHROME = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(CHROME is None or DRIVER is None, reason="no Chromium with its driver"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser():
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    options = webdriver.ChromeOptions()
    options.binary_location = CHROME
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=1100,1000", "--force-device-scale-factor=1"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def results():
    return [gradpress.compress(png(scene(200, 300, seed)), effort=2) for seed in range(3)]


@pytest.fixture
def single(browser, results, tmp_path):
    """The page of one picture, open; at its end nothing was fetched and nothing went wrong."""
    yield from opened(browser, tmp_path, {"<i>a</i>.png": results[0]})


@pytest.fixture
def batch(browser, results, tmp_path):
    names = ("a.png", "b.png", "c.png")
    yield from opened(browser, tmp_path, dict(zip(names, results, strict=True)))


def opened(browser, folder, results):
    records = [outcomes.finished(name, f"{name}.jpg", r, None) for name, r in results.items()]
    before, after = html.frame(records, "1.0", alone=len(records) == 1)
    sections = [
        section(
            Subject(name, f"{name}.jpg", result, {}),
            html.share(len(results)),
            alone=len(results) == 1,
        )
        for name, result in results.items()
    ]
    path = folder / "page.html"
    path.write_text(before + "".join(sections) + after, encoding="utf-8")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(path.as_uri())
    yield browser
    assert requests(browser) <= {path.as_uri()}
    assert browser.get_log("browser") == []
    assert all(
        browser.execute_script(
            "return [...document.images].map((i) => !i.src || i.naturalWidth > 0)"
        )
    )


def requests(browser):
    """Addresses that were asked for, data: aside."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = (m["params"] for m in messages if m["method"] == "Network.requestWillBeSent")
    urls = {params["request"]["url"].partition("#")[0] for params in sent}
    return {url for url in urls if not url.startswith("data:")}


def one(browser, selector):
    from selenium.webdriver.common.by import By  # noqa: PLC0415

    return browser.find_element(By.CSS_SELECTOR, selector)


def many(browser, selector):
    from selenium.webdriver.common.by import By  # noqa: PLC0415

    return browser.find_elements(By.CSS_SELECTOR, selector)


def actions(browser):
    from selenium.webdriver import ActionChains  # noqa: PLC0415

    return ActionChains(browser, duration=20)


def press(browser, *keys):
    for key in keys:
        actions(browser).send_keys(key).perform()


def divider(browser):
    return int(one(browser, "[data-divider]").get_attribute("aria-valuenow"))


def zoom(browser):
    return float(one(browser, "[data-zoom]").get_property("value"))


def seen(browser, name):
    """The rectangle in which a layer of the current view is visible: left and right, per cent."""
    return browser.execute_script(
        """const layer = document.querySelector(`.view.current [data-layer=${arguments[0]}]`);
        if (getComputedStyle(layer).visibility === "hidden") return null;
        const cut = layer.style.clipPath.match(/inset\\((.*)\\)/)[1].split(" ").map(parseFloat);
        const right = cut[1] ?? cut[0], left = cut[3] ?? right;
        const width = layer.clientWidth;
        return [Math.round(100 * left / width), Math.round(100 - 100 * right / width)];""",
        name,
    )


def test_the_divider_moves_by_keys(single):
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    one(single, "[data-divider]").click()
    assert divider(single) == 50
    press(single, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert divider(single) == 53
    assert seen(single, "original") == [0, 53]
    assert seen(single, "compressed") == [53, 100]
    press(single, Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.PAGE_UP)
    assert divider(single) == 61
    press(single, Keys.HOME)
    assert divider(single) == 0
    press(single, Keys.ARROW_LEFT)
    assert divider(single) == 0
    press(single, Keys.END)
    assert divider(single) == 100
    assert "Original" in one(single, "[data-divider]").get_attribute("aria-valuetext")


def test_the_divider_moves_with_the_mouse(single):
    stage = one(single, "[data-stage]")
    width = stage.size["width"]
    actions(single).click_and_hold(one(single, "[data-divider]")).move_by_offset(
        round(0.2 * width), 5
    ).release().perform()
    assert abs(divider(single) - 70) <= 1
    actions(single).move_to_element(stage).perform()
    assert abs(divider(single) - 70) <= 1  # released


def test_zoom_by_keys_buttons_and_typing(single):
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    stage = one(single, "[data-stage]")
    single.execute_script("arguments[0].focus()", stage)
    press(single, "1")
    assert zoom(single) == 100
    press(single, "+", "+")
    assert zoom(single) == 200
    press(single, "-")
    assert zoom(single) == 150
    one(single, "[data-action=in]").click()
    one(single, "[data-action=out]").click()
    assert zoom(single) == 150
    field = one(single, "[data-zoom]")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("800", Keys.ENTER)
    assert zoom(single) == 800
    sheets = single.execute_script(
        """return [...document.querySelectorAll(".layer.seen .sheet")].map((sheet) =>
        [sheet.style.transform, getComputedStyle(sheet.firstElementChild).imageRendering])"""
    )
    assert len(sheets) == 2
    assert sheets[0] == sheets[1]  # both sides show the same place at the same zoom
    assert "scale(8)" in sheets[0][0]
    assert sheets[0][1] == "pixelated"
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("-3", Keys.ENTER)
    assert zoom(single) == 800
    one(single, "[data-action=fit]").click()
    assert zoom(single) in (300, 400)
    assert "Zoom" in one(single, "[data-status]").get_property("textContent")


def test_the_picture_moves_and_stays_in_sight(single):
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    stage = one(single, "[data-stage]")
    place = "return document.querySelector('.layer.seen .sheet').style.transform"
    actions(single).move_to_element_with_offset(stage, -200, 30).click().perform()
    press(single, "1", *"+" * 5)
    middle = single.execute_script(place)
    actions(single).move_to_element_with_offset(stage, -200, 30).click_and_hold().move_by_offset(
        40, -30
    ).release().perform()
    moved = single.execute_script(place)
    assert moved != middle
    actions(single).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    assert single.execute_script(place) != moved
    for _ in range(12):
        actions(single).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(
            Keys.SHIFT
        ).perform()
    edge = single.execute_script(
        """const sheet = document.querySelector(".layer.seen .sheet").getBoundingClientRect();
        return sheet.right - document.querySelector("[data-stage]").getBoundingClientRect().right"""
    )
    assert abs(edge) < 2


def test_the_wheel_zooms_once_the_picture_was_clicked(single):
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin  # noqa: PLC0415

    stage = one(single, "[data-stage]")
    before = zoom(single)
    origin = ScrollOrigin.from_element(stage, 80, 20)
    actions(single).scroll_from_origin(origin, 0, -100).perform()
    assert zoom(single) == before  # it scrolls the page, as wheels do
    single.execute_script("window.scrollTo(0, 0)")
    actions(single).move_to_element_with_offset(stage, -100, 20).click().perform()
    actions(single).scroll_from_origin(origin, 0, -100).perform()
    assert zoom(single) > before


def test_space_flickers(single):
    stage = one(single, "[data-stage]")
    single.execute_script("arguments[0].focus()", stage)
    press(single, " ")
    assert (seen(single, "original"), seen(single, "compressed")) == ([0, 100], [100, 100])
    press(single, " ")
    assert (seen(single, "original"), seen(single, "compressed")) == ([0, 0], [0, 100])
    press(single, "\ue00c")  # Escape: both again
    assert seen(single, "original") == [0, 50]
    one(single, "[data-action=flicker]").click()
    assert one(single, "[data-action=flicker]").get_attribute("aria-pressed") == "true"


def test_tabs_show_error_and_bits(single):
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    first, error, bits = many(single, "[role=tab]")
    shown = {"error": None, "bits": None}
    error.click()
    for name in shown:
        assert (seen(single, name) is not None) == (name == "error")
    assert seen(single, "error") == [0, 100]
    assert one(single, "[data-legend=error]").is_displayed()
    assert not one(single, "[data-legend=bits]").is_displayed()
    error.send_keys(Keys.ARROW_RIGHT)
    assert single.switch_to.active_element == bits
    assert bits.get_attribute("aria-selected") == "true"
    assert seen(single, "bits") == [0, 100]
    bits.send_keys(Keys.ARROW_RIGHT)
    assert first.get_attribute("aria-selected") == "true"
    assert seen(single, "bits") is None
    assert seen(single, "original") == [0, 50]


def test_everything_can_be_reached_by_tab(single):
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    reached = set()
    for _ in range(30):
        press(single, Keys.TAB)
        active = single.switch_to.active_element
        reached |= {
            name for name in ("data-stage", "data-divider", "data-zoom", "data-copy", "role")
            if active.get_attribute(name) is not None
        } | {active.tag_name}  # fmt: skip
    assert reached >= {"data-stage", "data-divider", "data-zoom", "data-copy", "summary", "button"}


def test_a_large_picture_has_parts(browser, results, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "share", lambda _: 60_000)
    for page in opened(browser, tmp_path, {"a.png": results[0]}):
        select = one(page, "[data-part]")
        assert len(many(page, "[data-part] option")) > 1
        select.send_keys("Where it changed")
        current = one(page, ".view.current .part").get_property("textContent")
        assert current == "Where it changed most"
        assert zoom(page) >= 100


def test_a_batch_opens_and_sorts(batch):
    details = many(batch, "details.picture")
    assert [d.get_property("open") for d in details] == [False] * 3
    many(batch, ".index a")[1].click()
    assert [d.get_property("open") for d in details] == [False, True, False]
    assert one(batch, "details[open] [data-stage]").size["height"] >= 180
    one(batch, "[data-all=open]").click()
    assert all(d.get_property("open") for d in details)
    one(batch, "[data-all=close]").click()
    after = many(batch, ".index thead button")[3]
    sizes = []
    for order in ("ascending", "descending"):
        after.click()
        assert many(batch, ".index thead th")[3].get_attribute("aria-sort") == order
        cells = many(batch, ".index tbody td:nth-child(4)")
        sizes.append([int(cell.text.replace(",", "")) for cell in cells])
    assert sizes == [sorted(sizes[0]), sorted(sizes[0], reverse=True)]


def test_on_paper_everything_is_there(batch):
    pdf = batch.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert len(pdf) > 50_000
    assert all(d.get_property("open") for d in many(batch, "details.picture"))
    batch.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    figures = many(batch, "details.picture:first-of-type figure.layer")
    assert [figure.is_displayed() for figure in figures] == [True] * 4
    assert not one(batch, "[data-divider]").is_displayed()
    batch.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(single, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    single.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    for selector in ("h2", ".note", ".tick", ".panel .hint", ".settings dd", ".steps td"):
        assert contrast(single, selector) >= 4.5, selector
    single.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast(browser, selector):
    """Ratio of luminances of text and what lies behind it (WCAG 2.1, 1.4.3)."""
    text, ground = browser.execute_script(
        """const element = document.querySelector(arguments[0]);
        const style = getComputedStyle(element);
        const text = element instanceof SVGElement ? style.fill : style.color;
        const layers = [];
        for (let at = element; at; at = at.parentElement)
          layers.push(getComputedStyle(at).backgroundColor.match(/[\\d.]+/g).map(Number));
        const ground = layers.reverse().reduce((below, [r, g, b, a = 1]) =>
          [r, g, b].map((value, i) => a * value + (1 - a) * below[i]), [255, 255, 255]);
        return [text.match(/[\\d.]+/g).map(Number).slice(0, 3), ground];""",
        selector,
    )

    def luminance(colour):
        linear = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for c in (value / 255 for value in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(text), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)
