"""The pages on a telephone, for a reader who has chosen the dark theme, in a browser without a network.

Nothing is cut off: formulas go on in further lines, captions are as wide as the screen, and figures show their narrow
picture, whose text is as large as that of the wide one on a desk.
"""

from pathlib import Path

import pytest
from browser import NARROW, cut_off, faults, new_page, opened, visited, write_page
from conftest import listed_pages
from test_browser import SCREENSHOTS

from ptft.book.claims import VERDICTS


@pytest.fixture(scope="module")
def page(browser):
    with new_page(browser, "dark", NARROW) as page:
        yield page


@pytest.mark.slow  # test_browser.py makes the window of every page as narrow
@pytest.mark.parametrize("name", listed_pages())
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


@pytest.mark.slow  # each loads a page for a telephone
@pytest.mark.parametrize(
    ("chapter", "equation", "begins"),
    [("01_implicit_bias", "eq-scales", "1D706"), ("03_replica_solver", "eq-conditional", "1D714")],  # lambda, omega
)
def test_the_second_of_two_formulas_begins_a_line(html, page, chapter, equation, begins):
    place = f"""document.querySelector('[id="equation-{equation}"] mjx-math')"""
    with visited(page, html / f"book/chapters/{chapter}.html"):
        page.wait_for_function("!document.documentElement.classList.contains('typesetting')")
        indent = page.evaluate(
            f"{place}.querySelector('.mjx-c{begins}').getBoundingClientRect().left"
            f" - {place}.parentElement.getBoundingClientRect().left"
        )
    assert indent < 30


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
