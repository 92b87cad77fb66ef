"""The pages in a browser, as axe-core sees them: no serious barrier for readers with disabilities, in both themes."""

from pathlib import Path

import pytest
from test_browser import PAGES, browser, new_page, write_page  # noqa: F401  (the second is a fixture)


def barriers(browser, path: Path, theme: str) -> list[str]:  # noqa: F811
    """What axe-core finds on the page at `path` that is serious or critical for readers with disabilities."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with new_page(browser, theme) as page:
        page.goto(path.as_uri(), wait_until="load")
        page.evaluate("async () => { if (window.MathJax) await MathJax.startup.promise; }")
        found = axe.run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:80]}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_barriers(html, browser, name, theme):  # noqa: F811
    assert barriers(browser, html / f"{name}.html", theme) == []


def test_barriers_are_found(tmp_path, browser):  # noqa: F811
    body = "<p style='color: #bbb; background: #fff'>faint</p><img src='none.png'><h1>title</h1>"
    found = {line.partition(":")[0] for line in barriers(browser, write_page(tmp_path, body), "light")}
    assert {"color-contrast", "image-alt"} <= found
