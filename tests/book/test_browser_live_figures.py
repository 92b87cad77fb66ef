"""The live figures in a browser without a network: moved by keys, touch and script, they show what ptft computes."""

import contextlib
import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import ptft
from ptft.book import sliders
from ptft.optimal_initialization import USUAL
from ptft.regimes import measures
from ptft.scaling import PowerLawTasks, examples_needed, exponent, learning_curves

PAGE = "book/explorers.html"
CHAPTERS = {"02_ell_order_and_pretraining_dependence": "plane", "03_replica_solver": "error"} | {
    "11_which_initialization": "best",
    "12_scaling_laws_of_transfer": "scaling",
}
NAMES = {
    "plane": ("absolute scale", "relative scale", "new readout", "pretrained coefficient", "fine-tuned coefficient"),
    "error": (
        *("absolute scale", "relative scale", "new readout", "active share"),
        *("overlap", "label noise", "pretraining data", "read at"),
    ),
    "best": ("active share", "overlap", "label noise", "data scale"),
    "scaling": (
        *("decay of coefficients", "decay of variances", "overlap", "absolute scale"),
        *("relative scale", "new readout", "read at"),
    ),
}
SHARES = (sliders.RHO_PT, sliders.RHO_PT)  # of active features in the tasks with power laws
SETTLED = """root => new Promise(done => {
  const look = () => root.querySelector('dl').getAttribute('aria-busy') === 'false' ? done() : setTimeout(look, 5);
  look();
})"""
READ = """root => Object.fromEntries(
  [...root.querySelectorAll('[data-value]')].map(one => [one.dataset.value, one.textContent.replaceAll('−', '-')]))"""
MOVE = f"""async (root, positions) => {{
  const inputs = [...root.querySelectorAll('input')], seen = [];
  for (const given of positions) {{
    given.forEach((value, i) => {{ inputs[i].value = value; }});
    inputs[0].dispatchEvent(new Event('input', {{bubbles: true}}));
    await ({SETTLED})(root);
    seen.push(({READ})(root));
  }}
  return seen;
}}"""
RECORD = "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.copied = text; }}})"
WITHOUT_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"


@contextlib.contextmanager
def opening(html, browser):
    """What opens a page; it fails at its end on what the console, the scripts or the network complain about."""
    contexts, complaints = [], []

    def open_page(address=PAGE, script="", **options):
        context = browser.new_context(**{"viewport": {"width": 1300, "height": 900}, **options})
        contexts.append(context)
        context.add_init_script("localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light')")
        context.add_init_script(script)
        context.route("**/mathjax/**", lambda route: route.fulfill(body=""))  # half of the time that a page takes
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address if ":" in address else (html / address).as_uri(), wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def opened(html, browser):
    """Opens pages for one test."""
    with opening(html, browser) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def shared(html, browser):
    """The page, opened once for all the tests that need nothing but it."""
    with opening(html, browser) as open_page:
        yield open_page()


@pytest.fixture
def page(shared):
    """The page as it was opened."""
    for name in NAMES:
        press(view(shared, name), "reset")
        readings(view(shared, name))
    return shared


def view(page, name):
    return page.locator(f".explorer[data-view={name}]")


def press(root, action):
    root.locator(f"button[data-action={action}]").click()


def slider(root, label):
    return root.get_by_role("slider", name=label)


def readings(root):
    """What is said once all is computed."""
    root.evaluate(SETTLED)
    return root.evaluate(READ)


def positions(page, name, count, seed):
    """Random positions of all sliders of a view, in most of which pretraining is perfect."""
    rng = np.random.default_rng(seed)
    ends = view(page, name).locator("input").evaluate_all("inputs => inputs.map(one => Number(one.max))")
    found = rng.integers(0, np.array(ends) + 1, size=(count, len(ends)))
    if name == "error":
        found[1:, list(sliders.VIEWS["error"]).index("alpha_pt")] = ends[-2]
    return found.tolist()


def printed(code):
    """What the code prints when it is pasted into an empty Python."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    return out.getvalue().strip()


def number(text):
    mantissa, power, exponent = text.removesuffix(" %").partition("·10")
    return float(mantissa + "e" * bool(power) + exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))


def is_shown(text, value):
    """Whether an error is shown, to three digits or as one below the least that is."""
    if text.startswith("below"):
        return value < 1.001 * sliders.FLOOR
    return number(text) == pytest.approx(value, rel=0.0051)


# ------------------------------------------------------------------------------------------------------------ the page


def test_the_page_weighs_little(html):
    files = [PAGE, "_static/theory.js", "_static/live_figures.js", "_static/live_figures.css"]
    assert sum((html / file).stat().st_size for file in files) < 2e5


def test_only_pages_with_a_live_figure_load_the_scripts(html):
    for name in ("theory.js", "live_figures.js"):
        assert name in (html / PAGE).read_text(encoding="utf-8")
        assert name not in (html / "book" / "intro.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("chapter", "name"), CHAPTERS.items())
def test_the_figure_of_a_chapter_is_alive(opened, chapter, name):
    root = view(opened(f"book/chapters/{chapter}.html"), name)
    before = readings(root)
    slider(root, NAMES[name][0]).press("End")
    assert readings(root) != before


def test_without_scripts_there_is_a_picture(opened):
    page = opened(java_script_enabled=False)
    assert page.locator(".explorer-figure img").count() == len(NAMES)
    for i in range(len(NAMES)):
        assert page.locator(".explorer-figure img").nth(i).is_visible()
        assert not page.locator(".explorer").nth(i).is_visible()


@pytest.mark.parametrize("width", [1300, pytest.param(390, marks=pytest.mark.slow)])
def test_nothing_jumps(opened, width):
    page = opened(viewport={"width": width, "height": 900}, script=RECORD)
    assert not page.locator(".explorer-figure img").first.is_visible()
    outline = "() => [document.body, ...document.querySelectorAll('.explorer, .explorer > *')].map(e => e.clientHeight)"
    before = page.evaluate(outline)
    for name in NAMES:
        root = view(page, name)
        for i, given in enumerate(positions(page, name, 7, 1)[1:]):
            root.evaluate(MOVE, [given])
            assert page.evaluate(outline) == before, given
            if i % 3 == 0:
                press(root, ("pin", "link")[i // 3])
                readings(root)
                assert page.evaluate(outline) == before, given
    shifts = """() => new Promise(done => new PerformanceObserver(
      list => done(list.getEntries().map(one => one.value))).observe({type: 'layout-shift', buffered: true})
      || setTimeout(() => done([]), 500))"""
    assert sum(page.evaluate(shifts)) < 0.02


# ------------------------------------------------------------------------------------------------------------- sliders


@pytest.mark.parametrize("name", NAMES)
def test_a_slider_obeys_the_keyboard(page, name):
    """The drawing changes, the value is announced, and the keys do what they do in every slider."""
    root = view(page, name)
    assert root.locator("dl").get_attribute("aria-live") == "polite"
    for label in NAMES[name]:
        moved = slider(root, label)
        start = moved.input_value()
        moved.focus()
        seen, announced = [], []
        for key in ("Home", "ArrowRight", "ArrowRight", "End"):
            moved.press(key)
            announced.append(moved.get_attribute("aria-valuetext"))
            shown = root.locator(f"[data-value=slider-{moved.get_attribute('name')}]").inner_text()
            assert shown == announced[-1]
            if key in ("Home", "End"):
                root.evaluate(SETTLED)
                seen.append(root.locator("svg").evaluate("e => e.outerHTML"))
        texts = [text.replace("-", "−", 1) if text.startswith("-") else text for text in _texts(root, moved)]
        assert announced == [texts[0], texts[1], texts[2], texts[-1]], label
        assert seen[0] != seen[-1], label
        moved.fill(start)


def _texts(root, moved):
    spec = json.loads(root.locator("script").text_content())
    name = moved.get_attribute("name")
    return spec["overlaps"][10] if name == "overlap" and "overlaps" in spec else spec["sliders"][name]["texts"]


def test_a_slider_obeys_a_finger_and_a_mouse(opened):
    page = opened(viewport={"width": 390, "height": 800}, has_touch=True)
    for name in NAMES:
        root = view(page, name)
        moved = slider(root, NAMES[name][2])
        moved.scroll_into_view_if_needed()
        box = moved.bounding_box()
        seen = [readings(root)]
        page.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
        seen.append(readings(root))
        page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
        seen.append(readings(root))
        assert seen[0] != seen[1] != seen[2], name


# ------------------------------------------------------------------------------------------- the numbers that are shown


def test_the_measures_shown_are_those_of_the_package(page):
    """The lines are run as they are copied; what they print is read back."""
    for i, shown in enumerate(view(page, "plane").evaluate(MOVE, positions(page, "plane", 60, 2))):
        *lines, last = shown["call"].splitlines()
        namespace = {}
        exec("\n".join(lines), namespace)
        at = eval(last.removeprefix("print"), namespace)
        if i == 0:
            assert printed(shown["call"]) == str(at)
        assert number(shown["ell"]) == pytest.approx(float(at.ell_order), abs=5.1e-4), shown["call"]
        assert number(shown["pd"]) == pytest.approx(float(at.pretraining_dependence), abs=5.1e-4), shown["call"]
        for name, share in zip(("I", "II", "III"), at.shares, strict=True):
            assert number(shown[name]) == pytest.approx(100 * share, abs=0.51), shown["call"]


def test_the_errors_shown_are_those_of_the_package(page):
    rng = np.random.default_rng(4)
    for shown in view(page, "error").evaluate(MOVE, positions(page, "error", 9, 3)):
        assert is_shown(shown["fine"], float(printed(shown["call"]))), shown
        value = {name: shown[f"slider-{name}"] for name in sliders.VIEWS["error"]}
        teacher = ptft.SpikeSlab(sliders.RHO_PT, float(value["rho_ft"]), float(value["overlap"]))
        alpha, alpha_pt, noise = (float(value[name]) for name in ("alpha", "alpha_pt", "noise_var"))

        def error(*texts, teacher=teacher, alpha=alpha, alpha_pt=alpha_pt, noise=noise):
            named = zip(("c_pt", "relative", "gamma_ft"), texts, strict=True)
            init = ptft.Initialization.at_distance(*(sliders.value(*one) for one in named))
            if alpha_pt == 1:
                return float(ptft.replica_curve(alpha, teacher, init, noise_var=noise).mse)
            return float(ptft.two_stage_curve(alpha, teacher, init, alpha_pt, noise_ft=noise).mse)

        alone = ptft.SingleTask(teacher.rho_ft).mixture(ptft.Initialization(float(value["c_pt"])))
        assert is_shown(shown["single"], float(ptft.replica_curve(alpha, alone, noise_var=noise).mse)), shown
        best = error(shown["best-c_pt"], shown["best-relative"], shown["best-gamma_ft"])
        assert is_shown(shown["best"], best), shown
        for _ in range(4 if alpha_pt == 1 else 1):
            other = error(*(rng.choice(texts) for texts in sliders.BEST_OF.values()))
            assert max(other, 1e-12) > 0.999 * max(best, 1e-12), shown


def test_the_best_initialization_shown_is_that_of_the_package(page):
    for shown in view(page, "best").evaluate(MOVE, positions(page, "best", 3, 5)):
        namespace = {}
        exec(shown["call"].replace("print(", "printed = ("), namespace)
        best = namespace["best"]
        assert "init" in shown["call"] and namespace["printed"][0] == best.mse
        assert is_shown(shown["best"], best.mse) or number(shown["best"]) < 1.01 * best.mse, shown
        for name in USUAL:
            assert is_shown(shown[f"usual-{name}"], best.usual[name].mse), (name, shown)
        assert number(shown["alone"]) == pytest.approx(best.single_task.mse, rel=0.015), shown


def test_the_usual_choices_are_named_where_they_can_be_read(page):
    boxes = [name.bounding_box() for name in view(page, "best").locator("svg .explorer-name").all()]
    chart = view(page, "best").locator("svg").bounding_box()
    assert len(boxes) == 5
    for i, one in enumerate(boxes):
        assert one["x"] + one["width"] <= chart["x"] + chart["width"]
        for other in boxes[:i]:
            beside = abs(one["x"] - other["x"]) >= min(one, other, key=lambda box: box["x"])["width"]
            assert beside or abs(one["y"] - other["y"]) >= one["height"] - 2


def test_the_learning_curves_shown_are_those_of_the_package(page):
    for shown in view(page, "scaling").evaluate(MOVE, positions(page, "scaling", 12, 8)):
        error = float(printed(shown["call"]))
        value = {name: shown[f"slider-{name}"] for name in sliders.VIEWS["scaling"]}
        powers = float(value["a"]), float(value["b"])
        tasks = PowerLawTasks(sliders.FEATURES, *powers, *SHARES, float(value["overlap"]))
        alone, same = replace(tasks, pretrained=False), ptft.Initialization(float(value["c_pt"]))
        n = np.array([float(value["examples"])])
        assert number(shown["fine"]) == pytest.approx(error, rel=0.0051), shown
        for name, init in (("single", same), ("lazy", ptft.Initialization(sliders.LAZY))):
            assert number(shown[name]) == pytest.approx(learning_curves(alone, [init], n).item(), rel=0.0051), shown
        init = ptft.Initialization.at_distance(
            *(sliders.value(name, value[name]) for name in ("c_pt", "relative", "gamma_ft"))
        )
        around = n * np.array([1 / 1.05, 1.05])
        slope = exponent(around, learning_curves(tasks, [init], around)[0]).value
        assert number(shown["slope"]) == pytest.approx(slope, abs=0.0051), shown
        needed = examples_needed([error], alone, same).item()
        if shown["needed"].startswith("more than"):
            assert needed > 0.999 * 10**sliders.LONGEST, shown
        elif shown["needed"] == "10 or fewer":
            assert needed < 10.01, shown
        else:
            assert number(shown["needed"]) == pytest.approx(needed, rel=0.0051), shown


# ------------------------------------------------------------------------------- what a reader compares and takes home


@pytest.mark.parametrize("name", NAMES)
def test_what_is_pinned_stays_to_compare_with_until_reset(page, name):
    root = view(page, name)
    start = readings(root)
    press(root, "pin")
    moved = slider(root, NAMES[name][1])
    moved.press("Home")
    seen = readings(root)
    assert root.get_by_role("button", name="Pin").get_attribute("aria-pressed") == "true"
    first = ", ".join(start[one] for one in {"plane": ("ell", "pd"), "best": ("best",)}.get(name, ("fine",)))
    assert start["pinned"] == "–" and seen["pinned"] == first
    assert root.locator("svg [data-line=pinned]").last.is_visible()
    press(root, "reset")
    assert readings(root) == start
    assert not root.locator("svg [data-line=pinned]").last.is_visible()


@pytest.mark.parametrize(
    "name", [name if name in ("best",) else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_a_link_opens_the_page_as_it_is(opened, name):
    """From a file as well, and for a reader who has the page open already."""
    page, other = opened(script=RECORD), opened()
    root = view(page, name)
    press(root, "pin")
    root.evaluate(MOVE, positions(page, name, 2, 6)[1:])
    press(root, "link")
    link, seen = page.evaluate("copied"), readings(root)
    page.wait_for_function("link => location.href === link", arg=link)  # the address says the same
    again = opened(link)
    assert readings(view(again, name)) == seen
    assert view(again, name).locator("svg").evaluate("e => Math.abs(e.getBoundingClientRect().top) < innerHeight")
    again.close()
    other.evaluate("hash => { location.hash = hash }", link.partition("#")[2])
    pinned = f".explorer[data-view={name}] [aria-pressed=true]"
    other.wait_for_function("pinned => document.querySelector(pinned)", arg=pinned)
    assert readings(view(other, name)) == seen


def test_an_address_with_other_words_is_the_start(opened):
    root = view(opened(), "error")
    address = Path(root.page.url.removeprefix("file://")).as_uri()
    for words in ("explorer-error?c_pt=7&noise_var=%3Cb%3E&moved=__proto__", "explorer-none?c_pt=1"):
        assert readings(view(opened(f"{address}#{words}"), "error")) == readings(root)


@pytest.mark.parametrize("script", [RECORD, WITHOUT_CLIPBOARD])
def test_the_code_is_copied(opened, script):
    """Where there is no clipboard for scripts, in the way of older browsers."""
    page = opened(script=script)
    page.evaluate("document.addEventListener('copy', () => { window.copied = document.activeElement.value; })")
    root = view(page, "error")
    press(root, "code")
    root.get_by_text("code copied").wait_for()
    assert page.evaluate("copied") == readings(root)["call"]


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_that_are_shown_can_be_saved(page, name, tmp_path):
    root = view(page, name)
    press(root, "pin")
    slider(root, NAMES[name][1]).press("ArrowLeft")
    readings(root)
    with page.expect_download() as download:
        press(root, "csv")
    download.value.save_as(tmp_path / "saved.csv")
    with (tmp_path / "saved.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 50 and (name == "best" or {row["curve"] for row in rows} >= {"pinned"})
    rng = np.random.default_rng(7)
    for row in (rows[i] for i in rng.integers(len(rows), size=15)):
        at = {key: float(text) for key, text in row.items() if key != "curve"}
        if name == "best":
            teacher = ptft.SpikeSlab(sliders.RHO_PT, at["rho_ft"], at["omega"])
            scales = [at["sqrt_k_unused"]], [at["ratio"]]
            field = ptft.optimal_initialization.landscape(teacher, at["alpha"], *scales, at["noise_var"])
            assert at["error"] == pytest.approx(field.mse.item(), rel=1e-5)
            continue
        init = ptft.Initialization.at_distance(at["c_pt"], at["distance"], at["gamma_ft"])
        if name == "scaling":
            alone = row["curve"] in ("single", "lazy")
            tasks = PowerLawTasks(sliders.FEATURES, at["a"], at["b"], *SHARES, at["omega"], pretrained=not alone)
            init = ptft.Initialization(sliders.LAZY) if row["curve"] == "lazy" else init
            assert at["error"] == pytest.approx(learning_curves(tasks, [init], [at["n"]]).item(), rel=1e-5), row
            continue
        if name == "plane":
            expected = measures(at["beta_ft"], at["beta_pt"], init)
            assert at["ell_order"] == pytest.approx(float(expected.ell_order), rel=1e-9)
        else:
            single = row["curve"] == "single"
            teacher = ptft.SpikeSlab(sliders.RHO_PT, at["rho_ft"], at["omega"])
            law = (ptft.SingleTask(at["rho_ft"]) if single else teacher).mixture(init)
            curve = ptft.replica_curve(at["alpha"], law, noise_var=at["noise_var"])
            assert at["error"] == pytest.approx(float(curve.mse), rel=1e-5), row


@pytest.mark.parametrize("name", NAMES)
def test_the_drawing_that_is_shown_can_be_saved(page, browser, name, tmp_path):
    root = view(page, name)
    readings(root)
    with page.expect_download() as download:
        press(root, "svg")
    download.value.save_as(tmp_path / "saved.svg")
    drawing = ElementTree.parse(tmp_path / "saved.svg").getroot()
    texts = " ".join(text for text in drawing.itertext())
    for words in (
        *NAMES[name],
        *{"plane": ["pretraining dependence"], "best": ["least"]}.get(name, ["fine-tuning"]),
    ):
        assert words in texts
    width, height = (float(drawing.get(one)) for one in ("width", "height"))
    single = browser.new_page(viewport={"width": int(width), "height": int(height)})
    try:
        single.goto((tmp_path / "saved.svg").as_uri())
        shown = single.evaluate("""() => [...document.querySelectorAll('[data-line]')].map(
          e => getComputedStyle(e).stroke + getComputedStyle(e).fill)""")
    finally:
        single.close()
    assert len(shown) > 1 and re.search(r"rgb\((?!0, 0, 0)", " ".join(shown))  # in colours, without a style sheet
