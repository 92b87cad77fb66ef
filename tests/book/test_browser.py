"""The pages in a browser without a network: formulas typeset, figures drawn, text legible, in both themes."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT, listed_pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = ROOT / "_build" / "screenshots"
LOCAL = ("file:", "data:", "blob:", "about:")

READ_PAGE = """async () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));

  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = text => {
    const [r, g, b] = channels(text).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour.startsWith('rgb') && (channels(colour)[3] ?? 1) > 0.5) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const contrast = element => {
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const texts = [...document.querySelectorAll('article :is(h1, h2, h3, p, li, td, th, dt, figcaption, caption, pre)')];
  const shifts = await new Promise(done => {
    new PerformanceObserver(list => done(list.getEntries())).observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done([]), 300);
  });
  return {
    shift: shifts.reduce((sum, one) => sum + one.value, 0),
    theme: document.documentElement.dataset.theme,
    formulas: document.querySelectorAll('.math').length,
    typeset: document.querySelectorAll('mjx-container').length,
    errors: [...document.querySelectorAll('mjx-merror')].map(e => e.getAttribute('data-mjx-error') || e.textContent),
    unknown: [...document.querySelectorAll('mjx-mtext')]  // MathJax shows a macro that it does not know in red
      .filter(e => getComputedStyle(e).color === 'rgb(255, 0, 0)').map(e => e.textContent || 'a macro'),
    cut: [...document.querySelectorAll('article :is(div.math, div.pst-scrollable-table-container, pre)')]
      .filter(e => e.scrollWidth > e.clientWidth + 2 && !e.closest('details'))
      .map(e => (e.id || e.textContent.trim()).slice(0, 60)),
    unsized: [...document.querySelectorAll('article img:not([width])')].map(image => image.src),
    blank: [...document.images].filter(image => !image.naturalWidth).map(image => image.src),
    faint: texts.filter(e => e.textContent.trim() && contrast(e) < 4.5).map(e => e.textContent.trim().slice(0, 60)),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}"""


@contextmanager
def new_page(browser, theme: str, width: int = 1300):
    """A page of a window of this width, for a reader who has chosen this theme."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
    try:
        yield context.new_page()
    finally:
        context.close()


def faults(browser, path: Path, theme: str, width: int = 1300, screenshot: Path | None = None) -> list[str]:
    """What is wrong with the page at `path` as the browser shows it, and a screenshot of it; empty where nothing is."""
    found: list[str] = []
    with new_page(browser, theme, width) as page:
        page.on("console", lambda m: found.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        page.on("request", lambda r: found.append(f"request: {r.url}") if not r.url.startswith(LOCAL) else None)
        page.on("requestfailed", lambda request: found.append(f"not loaded: {request.url}"))
        page.goto(path.as_uri(), wait_until="load")
        seen = page.evaluate(READ_PAGE)
        if seen["theme"] != theme:
            found.append(f"theme: {seen['theme']} instead of {theme}")
        if seen["typeset"] < seen["formulas"]:
            found.append(f"formulas: {seen['typeset']} of {seen['formulas']} are typeset")
        found += [f"formula: {error}" for error in seen["errors"]]
        found += [f"unknown macro: {text}" for text in seen["unknown"]]
        if width >= 1300:  # on a telephone, wide formulas and tables scroll
            found += [f"cut: {text}" for text in seen["cut"]]
        found += [f"blank image: {source}" for source in seen["blank"]]
        found += [f"no room: {source[-60:]} has no size until it is there" for source in seen["unsized"]]
        found += [f"faint: {text}" for text in seen["faint"]]
        if seen["shift"] > 0.02:
            found.append(f"jumps: a layout shift of {seen['shift']:.2f} while loading")
        if seen["overflow"] > 0:
            found.append(f"wide: the page is {seen['overflow']} pixels wider than its window of {width}")
        if screenshot and found:
            screenshot.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=screenshot, full_page=True)
    return found


@pytest.fixture(scope="module")
def browser():
    executable = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)} (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api")
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses to run as root with it
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=["--host-resolver-rules=MAP * ~NOTFOUND", *sandbox]
        )
        yield chromium
        chromium.close()


PAGES = listed_pages()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_as_it_is_meant(html, browser, name, theme):
    screenshot = SCREENSHOTS / f"{Path(name).name}-{theme}.png"
    assert faults(browser, html / f"{name}.html", theme, screenshot=screenshot) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_telephone(html, browser, name):
    screenshot = SCREENSHOTS / f"{Path(name).name}-narrow.png"
    assert faults(browser, html / f"{name}.html", "light", width=390, screenshot=screenshot) == []


@pytest.mark.parametrize("anchor", ["sec-captions", "fig-kernel-transfer"])
def test_a_link_leads_to_its_place(html, browser, anchor):
    """Formulas are typeset after the browser went there; its place is at the top of the window all the same."""
    with new_page(browser, "light") as page:
        page.goto((html / "book/chapters/06_transfer_with_adaptive_kernels.html").as_uri() + f"#{anchor}")
        page.wait_for_function("() => !document.documentElement.classList.contains('typesetting')")
        page.wait_for_timeout(100)
        assert 0 <= page.evaluate("id => document.getElementById(id).getBoundingClientRect().y", anchor) < 200


def test_a_page_weighs_little(html):
    """Two megabytes at most, without the files that pages share; their pictures are counted."""
    for name in PAGES:
        page = html / f"{name}.html"
        pictures = {
            (page.parent / source) for source in re.findall(r'<img[^>]* src="([^":]+)"', page.read_text("utf-8"))
        }
        assert page.stat().st_size + sum(picture.stat().st_size for picture in pictures) < 2e6, name


# ------------------------------------------------------------------------ the checks themselves, on a page with faults

JUMP = """addEventListener('load', () => {
  const frames = count => count ? requestAnimationFrame(() => frames(count - 1))
    : document.body.prepend(Object.assign(document.createElement('div'), {style: 'height: 400px'}));
  frames(3);
  const end = performance.now() + 300;
});"""
PICTURE = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"


def write_page(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "page.html"
    path.write_text(f"<html data-theme='light'><body><article>{body}</article></body></html>", encoding="utf-8")
    return path


def test_a_good_page_has_no_faults(browser, tmp_path):
    body = f'<p>Text <span class="math">x</span><mjx-container>x</mjx-container></p><img width="9" src="{PICTURE}">'
    assert faults(browser, write_page(tmp_path, body), "light") == []


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        ("console", "<script>console.error('wrong')</script>"),
        ("script", "<script>undefined_function()</script>"),
        ("request", '<script src="https://example.org/a.js"></script>'),
        ("not loaded", '<script src="absent.js"></script>'),
        ("formulas", '<span class="math">x</span>'),
        ("formula", '<mjx-container><mjx-merror data-mjx-error="Undefined control sequence"></mjx-merror>'),
        ("unknown macro", '<mjx-container><mjx-mtext style="color: red">oops</mjx-mtext></mjx-container>'),
        ("cut", '<div class="math" style="width: 99px; overflow: auto"><div style="width: 500px">x</div></div>'),
        ("blank image", '<img src="absent.svg">'),
        ("no room", f'<img src="{PICTURE}">'),
        ("faint", '<p style="color: #ccc">Text</p>'),
        ("faint", '<div style="background: #222"><p style="color: #333">Text</p></div>'),
        ("wide", '<div style="width: 3000px">Text</div>'),
        ("jumps", f"<script>{JUMP}</script><div style='height: 600px; width: 900px'>Text</div>"),
    ],
)
def test_a_fault_is_seen(browser, tmp_path, fault, body):
    found = faults(browser, write_page(tmp_path, body), "light")
    assert any(text.startswith(f"{fault}:") for text in found), found


def test_a_page_that_ignores_the_theme_is_seen(browser, tmp_path):
    assert faults(browser, write_page(tmp_path, "<p>Text</p>"), "dark") == ["theme: light instead of dark"]
