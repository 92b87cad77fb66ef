"""The pages on a desk, in a browser without a network: formulas typeset, figures drawn, text legible, no barriers."""

import re
from pathlib import Path

import pytest
from browser import NARROW, WIDE, barriers, cut_off, faults, new_page, visited
from conftest import ROOT, listed_pages

SCREENSHOTS = ROOT / "_build" / "screenshots"
PAGES = listed_pages()
LISTS = [name for name in PAGES if "/api/" in name and not name.endswith("/theory")]  # all alike


@pytest.fixture(scope="module")
def page(browser):
    """Of a reader who goes from page to page, which takes a third less time than new windows."""
    with new_page(browser, "auto") as page:
        yield page


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LISTS else name for name in PAGES]
)
def test_a_page_is_shown_as_it_is_meant_in_both_themes_and_widths(html, page, name):
    """It opens light, without a barrier for readers with disabilities, and when the system turns dark it follows.

    In a window as narrow as a telephone nothing is cut off.
    """
    large = "/chapters/" in name or "/api/" in name or name.endswith("/claims")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDE, "height": 900})
    with visited(page, html / f"{name}.html") as complaints:
        found = faults(page, "light") + ([] if large else barriers(page, contrast=True))
        page.add_style_tag(content="* { transition: none !important; }")
        page.emulate_media(color_scheme="dark")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found += faults(page, "dark") + barriers(page, contrast=not large)
        page.set_viewport_size({"width": NARROW, "height": 900})
        found += faults(page, "dark", resized=True) + cut_off(page) + complaints
        if found:
            page.screenshot(path=SCREENSHOTS / f"{Path(name).name}-desk.png", full_page=True)
    page.goto("about:blank")  # a page that is left need not follow the next one's window
    assert found == []


@pytest.mark.parametrize("anchor", ["sec-captions", "fig-kernel-transfer"])
def test_a_link_leads_to_its_place(html, browser, anchor):
    """Formulas are typeset after the browser went there; its place is at the top of the window all the same."""
    with new_page(browser, "light") as page:
        page.goto((html / "book/chapters/08_transfer_with_adaptive_kernels.html").as_uri() + f"#{anchor}")
        page.wait_for_function("() => !document.documentElement.classList.contains('typesetting')")
        page.wait_for_timeout(100)
        assert 0 <= page.evaluate("id => document.getElementById(id).getBoundingClientRect().y", anchor) < 200


def test_paper_has_what_is_folded_but_not_the_bars_of_programs(html, browser):
    """Nor is a line or a formula cut there, and the title has its number."""
    with new_page(browser, "light") as page:
        page.goto((html / "book/chapters/04_diagonal_simulations.html").as_uri())
        page.wait_for_function("() => !document.documentElement.classList.contains('typesetting')")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        heights = """selector => [...document.querySelectorAll('article ' + selector)]
            .map(e => e.getBoundingClientRect().height)"""
        proofs, table = (page.evaluate(heights, of) for of in ("details.sd-dropdown p", "#tab-settings"))
        assert len(proofs) > 3 and min(proofs) > 10 and table[0] > 1000
        assert max(page.evaluate(heights, "details.above-input")) == 0
        assert page.evaluate(heights, "details.below-input > summary") == [0]
        cut, titles = page.evaluate("""() => [
          [...document.querySelectorAll('article :is(div.cell pre, div.math)')]
            .filter(e => e.scrollWidth > e.clientWidth + 2).length,
          [...document.querySelectorAll('h1')].filter(e => e.checkVisibility()).map(e => e.innerText),
        ]""")
        assert cut == 0 and len(titles) == 1 and titles[0].startswith("4.")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("article details[open]").count() == 0


def test_no_line_begins_with_the_mark_after_a_formula(html, browser):
    """Formulas and the marks around them are on one line, unless a formula is wider than its line."""
    with new_page(browser, "light", NARROW) as page:
        page.goto((html / "book/chapters/03_replica_solver.html").as_uri())
        page.wait_for_function("() => !document.documentElement.classList.contains('typesetting')")
        page.evaluate("document.querySelectorAll('article details').forEach(fold => fold.open = true)")
        page.wait_for_timeout(200)
        lines, loose = page.evaluate("""() => [
          [...document.querySelectorAll('.kept:not(:has(.broken))')].map(kept => kept.getClientRects().length),
          [...document.querySelectorAll('article p span.math')]
            .filter(math => /^[.,;]/.test(math.nextSibling?.data || '') && !math.closest('.kept')).length,
        ]""")
    assert len(lines) > 50 and max(lines) == 1
    assert loose == 0


def test_no_line_ends_with_the_relation_before_a_computed_number(html, browser):
    """A formula and the number that it ends at are on one line, on a telephone too."""
    with new_page(browser, "light", NARROW) as page:
        page.goto((html / "book/chapters/10_two_theories_of_transfer.html").as_uri())
        page.wait_for_function("() => !document.documentElement.classList.contains('typesetting')")
        page.evaluate("document.querySelectorAll('article details').forEach(fold => fold.open = true)")
        lines = page.evaluate("""() => [...document.querySelectorAll('span.math:has(+ .pasted-text)')]
            .filter(math => math.textContent.trim().endsWith('='))
            .map(math => [math, math.nextElementSibling].map(e => e.getBoundingClientRect().y))
            .map(([formula, number]) => Math.abs(formula - number))""")
    assert len(lines) > 3 and max(lines) < 20  # pixels: less than a line


def test_a_page_weighs_little(html):
    """Two megabytes at most, without the files that pages share; their pictures are counted."""
    for name in PAGES:
        page = html / f"{name}.html"
        pictures = {
            (page.parent / source) for source in re.findall(r'<img[^>]* src="([^":]+)"', page.read_text("utf-8"))
        }
        assert page.stat().st_size + sum(picture.stat().st_size for picture in pictures) < 2e6, name
