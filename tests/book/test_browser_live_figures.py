"""The live figures in a browser without a network: moved by keys, touch and script, they show what ptft computes."""

import json

import numpy as np
import pytest

import ptft
from ptft.book import sliders
from ptft.regimes import measures
from ptft.replica import data_scale

PAGE = "book/explorers.html"
NAMES = {
    "plane": ("absolute scale", "relative scale", "new readout", "pretrained coefficient"),
    "error": ("absolute scale", "relative scale", "new readout", "active share", "overlap", "read at"),
}
DRAWN = {"plane": "circle", "error": "[data-line=fine].explorer-line"}

SIDEWAYS = 0.015  # error of log10 alpha, which tests/book/test_live_figures.py bounds closely

READ = """root => Object.fromEntries(
  [...root.querySelectorAll('[data-value]')].map(one => [one.dataset.value, one.textContent.replaceAll('−', '-')]))"""
MOVE = """(root, positions) => {
  const inputs = [...root.querySelectorAll('input')];
  return positions.map(given => {
    given.forEach((value, i) => { inputs[i].value = value; });
    inputs[0].dispatchEvent(new Event('input', {bubbles: true}));
    return (READ)(root);
  });
}""".replace("READ", READ)


@pytest.fixture
def opened(html, browser):
    """Opens the page, and fails on what the console, the scripts or the network complain about."""
    contexts, complaints = [], []

    def open_page(**options):
        context = browser.new_context(**{"viewport": {"width": 1300, "height": 900}, **options})
        contexts.append(context)
        context.add_init_script("localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light')")
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((html / PAGE).as_uri(), wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def view(page, name):
    return page.locator(f".explorer[data-view={name}]")


def positions(page, name, count, seed):
    """Random positions of all sliders of a view."""
    rng = np.random.default_rng(seed)
    ends = view(page, name).locator("input").evaluate_all("inputs => inputs.map(one => Number(one.max))")
    return rng.integers(0, np.array(ends) + 1, size=(count, len(ends))).tolist()


# ------------------------------------------------------------------------------------------------------------ the page


def test_the_page_weighs_little(html):
    assert (html / PAGE).stat().st_size < 2e6
    assert sum((html / "_static" / f"live_figures.{kind}").stat().st_size for kind in ("js", "css")) < 3e4


def test_other_pages_do_not_load_the_script(html):
    assert "live_figures.js" in (html / PAGE).read_text(encoding="utf-8")
    assert "live_figures.js" not in (html / "book" / "intro.html").read_text(encoding="utf-8")


def test_without_scripts_there_is_a_picture(opened):
    page = opened(java_script_enabled=False)
    assert page.locator(".explorer-figure img").count() == 2
    for i in range(2):
        assert page.locator(".explorer-figure img").nth(i).is_visible()
        assert not page.locator(".explorer").nth(i).is_visible()


@pytest.mark.parametrize("width", [1300, 390])
def test_nothing_jumps(opened, width):
    page = opened(viewport={"width": width, "height": 900})
    assert not page.locator(".explorer-figure img").first.is_visible()
    outline = "() => [document.body, ...document.querySelectorAll('.explorer, .explorer > *')].map(e => e.clientHeight)"
    before = page.evaluate(outline)
    for name in NAMES:
        for given in positions(page, name, 15, 1):
            view(page, name).evaluate(MOVE, [given])
            assert page.evaluate(outline) == before, given
    shifts = """() => new Promise(done => new PerformanceObserver(
      list => done(list.getEntries().map(one => one.value))).observe({type: 'layout-shift', buffered: true})
      || setTimeout(() => done([]), 500))"""
    assert sum(page.evaluate(shifts)) < 0.02


# ------------------------------------------------------------------------------------------------------------- sliders


@pytest.mark.parametrize("name", NAMES)
def test_a_slider_obeys_the_keyboard(opened, name):
    """The curve changes, the value is announced, and the keys do what they do in every slider."""
    root = view(opened(), name)
    assert root.locator("dl").get_attribute("aria-live") == "polite"
    for label in NAMES[name]:
        slider = root.get_by_role("slider", name=label)
        drawn = root.locator("circle[data-line=fine]" if label == "read at" else DRAWN[name])
        start = slider.input_value()
        slider.focus()
        seen, announced = [], []
        for key in ("Home", "ArrowRight", "ArrowRight", "End"):
            slider.press(key)
            seen.append(drawn.evaluate("e => e.outerHTML"))
            announced.append(slider.get_attribute("aria-valuetext"))
            shown = root.locator(f"[data-value=slider-{slider.get_attribute('name')}]").inner_text()
            assert shown == announced[-1]
        texts = [text.replace("-", "−", 1) if text.startswith("-") else text for text in _texts(root, slider)]
        assert announced == [texts[0], texts[1], texts[2], texts[-1]], label
        assert seen[0] != seen[-1], label
        slider.fill(start)


def _texts(root, slider):
    spec = json.loads(root.locator("script").text_content())
    name = slider.get_attribute("name")
    return spec["overlaps"][10] if name == "overlap" else spec["sliders"][name]["texts"]


@pytest.mark.parametrize("name", NAMES)
def test_a_slider_obeys_a_finger_and_a_mouse(opened, name):
    page = opened(viewport={"width": 390, "height": 800}, has_touch=True)
    root = view(page, name)
    slider, drawn = root.get_by_role("slider", name="new readout"), root.locator("circle").last
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    before = drawn.evaluate("e => e.outerHTML")
    page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    touched = drawn.evaluate("e => e.outerHTML")
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)
    clicked = drawn.evaluate("e => e.outerHTML")
    assert len({before, touched, clicked}) == 3


# ------------------------------------------------------------------------------------------- the numbers that are shown


def number(text):
    return float(text.removesuffix(" %"))


def test_the_measures_shown_are_those_of_the_package(opened):
    page = opened()
    for shown in view(page, "plane").evaluate(MOVE, positions(page, "plane", 60, 2)):
        at = eval(shown["call"], {"ptft": ptft, "measures": measures})
        assert number(shown["ell"]) == pytest.approx(float(at.ell_order), abs=7e-4), shown["call"]
        assert number(shown["pd"]) == pytest.approx(float(at.pretraining_dependence), abs=7e-4), shown["call"]
        for name, share in zip(("I", "II", "III"), at.shares, strict=True):
            assert number(shown[name]) == pytest.approx(100 * share, abs=0.6), shown["call"]


def close(text, alpha, teacher, init):
    """Whether an error shown at `alpha` is the predicted one, or lies within `SIDEWAYS` of its curve along alpha."""
    predicted = float(ptft.replica_curve(alpha, teacher, init).mse)
    if text.startswith("below"):
        return predicted < 1.3 * sliders.FLOOR
    shown = number(text)
    mixture = teacher.mixture(init)
    there = float(data_scale(np.array([shown / alpha]), mixture)[0])
    return abs(shown / predicted - 1) < 0.01 or abs(np.log10(there / alpha)) < SIDEWAYS


def test_the_errors_shown_are_those_of_the_package(opened):
    page = opened()
    rng = np.random.default_rng(4)
    for shown in view(page, "error").evaluate(MOVE, positions(page, "error", 40, 3)):
        alpha, teacher, init = eval(  # the arguments of the call that is shown
            shown["call"].removeprefix("ptft.replica_curve").removesuffix(".mse"), {"ptft": ptft}
        )
        assert float(eval(shown["call"], {"ptft": ptft})) > 0
        assert close(shown["fine"], alpha, teacher, init), shown
        assert close(shown["single"], alpha, ptft.SingleTask(teacher.rho_ft), init), shown

        def of(c, relative, gamma):
            c, relative, gamma = (sum(float(part) for part in text.split("+")) for text in (c, relative, gamma))
            return ptft.Initialization(c, relative * c, gamma)

        best = of(shown["best-c"], shown["best-relative"], shown["best-gamma"])
        assert close(shown["best"], alpha, teacher, best), shown
        least = max(float(ptft.replica_curve(alpha, teacher, best).mse), sliders.FLOOR)
        for _ in range(5):
            other = of(*(rng.choice(texts) for texts in sliders.BEST_OF.values()))
            earlier = ptft.replica_curve(alpha * 10**-SIDEWAYS, teacher, other)
            assert max(float(earlier.mse), sliders.FLOOR) > 0.97 * least, (shown, other)
