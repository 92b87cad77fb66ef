"""The pages on a telephone, for a reader who has chosen the dark theme, in a browser without a network.

Nothing is cut off: formulas go on in further lines, captions are as wide as the screen, and figures show their narrow
picture, whose text is as large as that of the wide one on a desk.
"""

from pathlib import Path

import pytest
from browser import NARROW, faults, new_page, opened, visited, write_page
from conftest import listed_pages
from test_browser import SCREENSHOTS

from ptft.book.claims import VERDICTS

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


def cut_off(page):
    """What does not fit the width of the screen, with all folded parts unfolded."""
    return [f"{kind}: {name}" for kind, names in page.evaluate(MEASURE).items() for name in names]


PAGES = [pytest.param(name, marks=pytest.mark.slow if "/api/" in name else ()) for name in listed_pages()]


@pytest.fixture(scope="module")
def page(browser):
    with new_page(browser, "dark", NARROW) as page:
        yield page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_telephone(html, page, name):
    with visited(page, html / f"{name}.html") as complaints:
        found = faults(page, "dark") + cut_off(page) + complaints
        if found:
            page.screenshot(path=SCREENSHOTS / f"{Path(name).name}-telephone.png", full_page=True)
    assert found == []


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        (
            "formula that scrolls",
            '<div><mjx-container display="true" style="display: block; overflow: auto">{}</mjx-container></div>',
        ),
        ("formula cut off", "<p><mjx-container><mjx-math>{}</mjx-math></mjx-container></p>"),
        ("small formula", '<p><mjx-container style="font-size: 50%">x</mjx-container></p>'),
        (
            "small figure",
            "<figure id='f'><img width='300' src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' "
            "width='702' height='300'/>\"></figure>",
        ),
        ("caption cut off", "<table><caption>{}</caption><tr><td>x</td></tr></table>"),
    ],
)
def test_what_is_cut_off_is_seen(browser, tmp_path, fault, body):
    wide = '<span style="display: inline-block; width: 900px">x</span>'
    with opened(browser, write_page(tmp_path, body.format(wide)), "light", NARROW) as (page, _):
        assert fault in {text.partition(":")[0] for text in cut_off(page)}


def test_the_verdict_of_a_claim_is_the_first_thing_seen(html, browser):
    """Both where a chapter decides it and on the page of all claims, without scrolling a table sideways."""
    seen = """() => [...document.querySelectorAll('article table')]
      .filter(table => table.rows[0].cells[0].innerText.trim() == 'verdict')
      .flatMap(table => [...table.tBodies[0].rows]).map(row => {
        const at = row.cells[0].getBoundingClientRect();
        return [row.cells[0].innerText.trim(), 0 <= at.left && at.right <= innerWidth];
      })"""
    for name in ("book/claims", "book/chapters/02_ell_order_and_pretraining_dependence"):
        with opened(browser, html / f"{name}.html", "light", NARROW) as (page, _):
            rows = page.evaluate(seen)
        assert rows and [row for row in rows if row[0] not in VERDICTS or not row[1]] == []
