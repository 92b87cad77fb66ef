"""The pages on a telephone, for a reader who has chosen the dark theme, in a browser without a network."""

from pathlib import Path

import pytest
from browser import NARROW, faults, opened
from conftest import listed_pages
from test_browser import SCREENSHOTS


@pytest.mark.parametrize("name", listed_pages())
def test_a_page_fits_a_telephone(html, browser, name):
    with opened(browser, html / f"{name}.html", "dark", NARROW) as (page, complaints):
        found = faults(page, "dark") + complaints
        if found:
            page.screenshot(path=SCREENSHOTS / f"{Path(name).name}-telephone.png", full_page=True)
    assert found == []
