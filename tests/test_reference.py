"""The reference pages hold every public function of the package."""

import re

import pytest
from conftest import ROOT, modules, public

import ptft

PAGES = sorted((ROOT / "book" / "api").glob("*.md"))


def test_every_module_is_on_one_page():
    listed = [name for page in PAGES for name in re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))]
    assert sorted(listed) == sorted(name for name in modules() if public(name))


def test_every_name_that_ptft_exports_is_in_the_table():
    listed = re.findall(r"~(ptft\.\S+)`", (ROOT / "book" / "api.md").read_text(encoding="utf-8"))
    exported = [f"{getattr(ptft, name).__module__}.{name}" for name in ptft.__all__]
    assert sorted(listed) == sorted(exported)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_rendered_page_has_every_public_name_and_is_not_huge(html, page):
    rendered = (html / "book" / "api" / f"{page.stem}.html").read_text(encoding="utf-8")
    names = re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))
    wanted = {f"{module}.{name}" for module in names for name in public(module)}
    assert wanted - set(re.findall(r'id="(ptft\.[^"]+)"', rendered)) == set()
    assert len(rendered) < 1.5e6
