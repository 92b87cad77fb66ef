"""What the tests in a browser share: a page as one reader opens it, and what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

LOCAL = ("file:", "data:", "blob:", "about:")
WIDE, NARROW = 1300, 390  # pixels: a desk and a telephone

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
  const texts = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility({visibilityProperty: true})
    && !e.closest('mjx-container, svg, script, style, noscript, [disabled]')
    && [...e.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim()));
  const needed = element => {
    const {fontSize, fontWeight} = getComputedStyle(element);
    return parseFloat(fontSize) >= (fontWeight >= 700 ? 18.66 : 24) ? 3 : 4.5;
  };
  const shifts = await new Promise(done => {
    new PerformanceObserver(list => done(list.getEntries())).observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done([]), 100);
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
    divided: [...document.querySelectorAll(':is(td, th, caption) mjx-container.broken')].map(e => e.textContent),
    unsized: [...document.querySelectorAll('article img:not([width])')].map(image => image.src),
    blank: [...document.images].filter(image => !image.naturalWidth).map(image => image.src),
    faint: texts.filter(e => contrast(e) < needed(e)).map(e => e.textContent.trim().slice(0, 60)),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}"""


# Chromium lets no script fetch a style sheet from a file, and axe-core's wish to do so would count as a complaint.
EMPTY = """() => {
  window.emptied = [...document.querySelectorAll('mjx-container')].map(formula => [formula, [...formula.childNodes]]);
  window.emptied.forEach(([formula]) => formula.replaceChildren());
}"""
AXE = {"preload": False, "resultTypes": ["violations"]}


@contextmanager
def new_page(browser: Any, mode: str, width: int = WIDE) -> Iterator[Any]:
    """A page of a window of this width, for a reader who has chosen light, dark or auto: as the system, now light."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="light")
    context.add_init_script(f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')")
    try:
        yield context.new_page()
    finally:
        context.close()


@contextmanager
def visited(page: Any, path: Path) -> Iterator[list[str]]:
    """Go to `path`, and collect complaints meanwhile: of the console, of scripts, and on requests."""
    complaints: list[str] = []
    listeners = {
        "console": lambda m: complaints.append(f"console: {m.text}") if m.type == "error" else None,
        "pageerror": lambda error: complaints.append(f"script: {error}"),
        "request": lambda r: None if r.url.startswith(LOCAL) else complaints.append(f"request: {r.url}"),
        "requestfailed": lambda request: complaints.append(f"not loaded: {request.url}"),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        page.goto(path.as_uri(), wait_until="load")
        yield complaints
    finally:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)


@contextmanager
def opened(browser: Any, path: Path, mode: str, width: int = WIDE) -> Iterator[tuple[Any, list[str]]]:
    """The page at `path` for a new reader, and its complaints."""
    with new_page(browser, mode, width) as page, visited(page, path) as complaints:
        yield page, complaints


def faults(page: Any, theme: str, resized: bool = False) -> list[str]:
    """What is wrong with the page as the browser shows it, in the theme that it should have.

    What jumps counts unless the window was `resized`.
    """
    seen, width = page.evaluate(READ_PAGE), page.viewport_size["width"]
    found = [] if seen["theme"] == theme else [f"theme: {seen['theme']} instead of {theme}"]
    if seen["typeset"] < seen["formulas"]:
        found.append(f"formulas: {seen['typeset']} of {seen['formulas']} are typeset")
    found += [f"formula: {error}" for error in seen["errors"]]
    found += [f"unknown macro: {text}" for text in seen["unknown"]]
    if width >= WIDE:  # on a telephone, wide formulas and tables scroll
        found += [f"cut: {text}" for text in seen["cut"]]
    found += [f"divided: {text}" for text in seen["divided"]]  # tables make room for formulas, or scroll
    found += [f"blank image: {source}" for source in seen["blank"]]
    found += [f"no room: {source[-60:]} has no size until it is there" for source in seen["unsized"]]
    found += [f"faint: {text}" for text in seen["faint"]]
    if seen["shift"] > 0.02 and not resized:
        found.append(f"jumps: a layout shift of {seen['shift']:.2f} while loading")
    if seen["overflow"] > 0:
        found.append(f"wide: the page is {seen['overflow']} pixels wider than its window of {width}")
    return found


# All that is folded is unfolded first.
MEASURE = """async () => {
  for (const folded of document.querySelectorAll('article details')) folded.open = true;
  await new Promise(done => setTimeout(done, 100));
  const article = document.querySelector('article'), edge = article.getBoundingClientRect().right;
  const name = e => (e.id || e.parentElement.id || e.closest('p, li, div, table').textContent.trim()).slice(0, 50);
  const size = e => parseFloat(getComputedStyle(e).fontSize) / parseFloat(getComputedStyle(article).fontSize);
  const formulas = [...article.querySelectorAll('mjx-container')].filter(e => !e.closest('td, th'));
  const shown = formulas.filter(e => e.hasAttribute('display')), inline = formulas.filter(e => !shown.includes(e));
  const beyond = e => e.getBoundingClientRect().right > edge + 1;
  return {
    'formula that scrolls': shown.filter(e => e.scrollWidth > e.clientWidth + 2).map(name),
    'formula cut off': inline.filter(e => [...e.querySelectorAll('mjx-math, .math-part')].some(beyond)).map(name),
    'small formula': formulas.filter(e => size(e) < 0.68).map(name),
    'small figure': [...article.querySelectorAll('figure img')]  // drawn with text of 8 points and more
      .filter(e => e.checkVisibility() && e.clientWidth < 0.75 * e.naturalWidth).map(name),
    'caption cut off': [...article.querySelectorAll('caption, figcaption')].filter(beyond).map(name),
  };
}"""


def cut_off(page: Any) -> list[str]:
    """What does not fit the width of the screen, with all folded parts unfolded."""
    return [f"{kind}: {name}" for kind, names in page.evaluate(MEASURE).items() for name in names]


def barriers(page: Any, contrast: bool) -> list[str]:
    """What axe-core finds that is serious or critical for readers with disabilities.

    Its rules of contrast take half a minute on a page of ten thousand elements; `faults` measures contrast as well, and
    how links differ from the text around them is the same on every page. Without them formulas are emptied meanwhile:
    they are most of the elements of a chapter, and MathJax makes them all alike.
    """
    if not contrast:
        page.evaluate(EMPTY)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = {name: {"enabled": contrast} for name in ("color-contrast", "link-in-text-block")}
    rules["region"] = {"enabled": False}  # what it finds is moderate
    found = axe.run(page, options={**AXE, "rules": rules}).response["violations"]
    if not contrast:
        page.evaluate("() => window.emptied.forEach(([formula, parts]) => formula.replaceChildren(...parts))")
    return [f"{v['id']}: {v['nodes'][0]['html'][:80]}" for v in found if v["impact"] in ("serious", "critical")]


def write_page(tmp_path: Path, body: str) -> Path:
    """A page with this body."""
    path = tmp_path / "page.html"
    path.write_text(f"<html data-theme='light'><body><article>{body}</article></body></html>", encoding="utf-8")
    return path
