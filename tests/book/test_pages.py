"""The rendered pages: complete, readable without a network, and without loose ends."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import listed_chapters

LOADING = {"script", "link", "img", "iframe", "source", "video", "audio", "embed", "object", "track"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
EXTERNAL = re.compile(r"(?:https?:)?//", re.I)
CSS_EXTERNAL = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])\s*(?:https?:)?//[^)'\"]+", re.I)
LEFTOVER = re.compile(r"\{(?:ref|eq|numref|doc|cite|cite:[a-z]+|prf:[a-z]+|glue:[a-z]+)\}|\$\$|\[\?\]|```|:::")


class Page(HTMLParser):
    """One page: its elements, ids, figures, and its text outside code and formulas."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.ids: set[str] = set()
        self.figures: list[dict[str, str]] = []
        self.bare_images: list[str] = []  # pictures of the book outside any figure
        self.text = self.output = self.style = ""
        self._open: list[tuple[str, frozenset[str]]] = []  # what is open, each with its classes and all around it
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def _inside(self, *names: str) -> bool:
        return bool(self._open) and not self._open[-1][1].isdisjoint(names)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.elements.append((tag, values))
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "figure":
            self.figures.append({"id": values.get("id") or "", "caption": ""})
        if tag == "img" and "_images/" in (values.get("src") or "") and not self._inside("figure"):
            self.bare_images.append(values["src"])
        if tag not in VOID:
            around = self._open[-1][1] if self._open else frozenset()
            self._open.append((tag, around.union([tag], (values.get("class") or "").split())))

    def handle_endtag(self, tag):
        while tag in (name for name, _ in self._open) and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if self._inside("style"):
            self.style += data
        elif self._inside("figcaption"):
            self.figures[-1]["caption"] += data
        if self._inside("article") and self._inside("cell_output"):
            self.output += data
        if self._inside("article") and not self._inside("pre", "code", "script", "style", "math"):
            self.text += data


def external_loads(page: Page) -> list[str]:
    """What the page would load from elsewhere."""
    found = [
        f"<{tag} {key}={values[key]}>"
        for tag, values in page.elements
        for key in ("src", "href", "data", "srcset", "poster")
        if tag in LOADING and EXTERNAL.match(values.get(key) or "")
    ]
    inline = page.style + " ".join(values.get("style") or "" for _, values in page.elements)
    return found + CSS_EXTERNAL.findall(inline)


def faulty_images(page: Page) -> list[str]:
    """Images without a file, or without words for those who cannot see them."""
    found = []
    for tag, values in page.elements:
        if tag != "img":
            continue
        source, alt = values.get("src") or "", (values.get("alt") or "").strip()
        if not source.startswith("data:") and not (page.path.parent / unquote(urlsplit(source).path)).is_file():
            found.append(f"{source} does not exist")
        if len(alt.split()) < 2 or re.search(r"_images/|\.(svg|png)$", alt):
            found.append(f"{source} has the alternative text {alt!r}")
    return found


def faulty_figures(page: Page) -> list[str]:
    """Pictures that are no figure, and figures without a number or a caption."""
    found = [f"{source} is not in a figure" for source in page.bare_images]
    for figure in page.figures:
        if not re.match(r"\s*Figure \d+(\.\d+)?\s+\S+ \S+", figure["caption"]):
            found.append(f"figure {figure['id']!r} has the caption {figure['caption']!r}")
    return found


def broken_links(page: Page, pages: dict[Path, Page]) -> list[str]:
    """Links within the book that lead nowhere."""
    found = []
    for tag, values in page.elements:
        link = values.get("href")
        if tag != "a" or not link or urlsplit(link).scheme or EXTERNAL.match(link) or link == "#":
            continue
        parts = urlsplit(link)
        target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path.resolve()
        if not target.is_file():
            found.append(f"{link}: no such file")
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
            found.append(f"{link}: no such place")
    return found


def leftovers(page: Page) -> list[str]:
    """Markup that was not resolved, and errors that were printed."""
    return LEFTOVER.findall(page.text) + re.findall(r"Traceback \(most", page.text + page.output)


@pytest.fixture(scope="module")
def pages(html) -> dict[Path, Page]:
    """All pages of the book, by their resolved paths."""
    return {path.resolve(): Page(path) for path in sorted(html.rglob("*.html")) if "_static" not in path.parts}


def _complaints(pages, check):
    return {str(path): found for path, page in pages.items() if (found := check(page))}


def test_all_chapters_and_the_bibliography_are_there(html):
    names = ["book/intro", "book/bibliography", *(f"book/chapters/{stem}" for stem in listed_chapters())]
    assert [name for name in names if not (html / f"{name}.html").is_file()] == []
    assert len(listed_chapters()) == 15


def test_every_work_is_linked(html):
    """To arXiv or to its DOI, and where it has neither to where it was published."""
    page = (html / "book" / "bibliography.html").read_text(encoding="utf-8")
    works = re.findall(r'<div class="citation" id="[^"]+">(.*?)</div>', page, re.S)
    assert len(works) > 20
    linked = [re.findall(r'href="(https://[^"]+)"', work) for work in works]
    assert [work for work, links in zip(works, linked, strict=True) if not links] == []
    preferred = [any(re.match(r"https://(arxiv\.org/abs|doi\.org)/", link) for link in links) for links in linked]
    assert sum(preferred) >= len(works) - 4  # two technical reports, proceedings and an old article have neither


def test_works_are_cited_by_author_and_year(pages):
    """No page shows the short keys of the list of works."""
    for path, page in pages.items():
        if path.stem != "bibliography":
            assert re.findall(r"\[[A-Z]\w{2,8}\+?\d\d\]", page.text) == [], path


def test_what_is_folded_is_named(html):
    """A fold says whether it hides code or what came out of it."""
    folds: dict[str, set[str]] = {}
    fold = re.compile(
        r'<details class="admonition hide (\w+-\w+)">\s*<summary[^>]*>\s*<p class="collapsed [^>]*>(.*?)</p>'
    )
    for path in html.rglob("*.html"):
        for kind, name in fold.findall(path.read_text(encoding="utf-8")):
            folds.setdefault(kind, set()).add(name)
    assert folds == {"above-input": {"Show code"}, "below-input": {"Show output"}}


def test_every_chapter_has_figures_formulas_and_links(html, pages):
    for stem in listed_chapters():
        page = pages[(html / "book" / "chapters" / f"{stem}.html").resolve()]
        assert page.figures, f"{stem} has no figure"
        assert any("math" in (values.get("class") or "").split() for _, values in page.elements), stem
        assert any("internal" in (values.get("class") or "").split() for _, values in page.elements), stem


def test_no_page_loads_anything_from_elsewhere(pages):
    assert _complaints(pages, external_loads) == {}


def test_no_style_sheet_loads_anything_from_elsewhere(html):
    sheets = list(html.rglob("*.css"))
    assert sheets
    found = {str(path): CSS_EXTERNAL.findall(path.read_text(encoding="utf-8")) for path in sheets}
    assert {name: loads for name, loads in found.items() if loads} == {}


def test_every_image_exists_and_is_described(pages):
    assert _complaints(pages, faulty_images) == {}


def test_every_picture_is_a_figure_with_a_number_and_a_caption(pages):
    assert _complaints(pages, faulty_figures) == {}


def test_every_link_within_the_book_leads_somewhere(pages):
    assert _complaints(pages, lambda page: broken_links(page, pages)) == {}


def test_no_markup_is_left_unresolved_and_no_error_is_shown(pages):
    assert _complaints(pages, leftovers) == {}


def test_no_line_ends_between_a_number_and_its_per_cent_sign(pages):
    found = {page.path.name: re.findall(r".{0,30}\d %", page.text) for page in pages.values()}
    assert not {name: places for name, places in found.items() if places}
    assert any("\u00a0%" in page.text for page in pages.values())


# ------------------------------------------------------------------------ the checks themselves, on a page with faults


@pytest.fixture
def page(tmp_path):
    """Makes a page from the inside of its article; picture.svg and other.html lie beside it."""
    (tmp_path / "picture.svg").write_text("<svg/>")
    (tmp_path / "other.html").write_text('<article><p id="here">Text</p></article>')

    def make(body: str) -> Page:
        path = tmp_path / "page.html"
        path.write_text(f"<html><body><article>{body}</article></body></html>")
        return Page(path)

    return make


GOOD = (
    '<figure id="f"><img src="picture.svg" alt="a falling curve"><figcaption><p>Figure 1.1 A falling curve.</p>'
    '</figcaption></figure><a href="other.html#here">there</a> <a href="https://example.org">out</a>'
    '<pre>Traceback $$ {ref}</pre><span class="math">$$</span>'
)


def test_a_good_page_passes_every_check(page, tmp_path):
    good = page(GOOD)
    pages = {path.resolve(): Page(path) for path in tmp_path.glob("*.html")}
    for found in (external_loads(good), faulty_images(good), faulty_figures(good), leftovers(good)):
        assert found == []
    assert broken_links(good, pages) == []


@pytest.mark.parametrize(
    ("check", "body"),
    [
        (external_loads, '<script src="https://example.org/a.js"></script>'),
        (external_loads, '<link rel="stylesheet" href="//example.org/a.css">'),
        (external_loads, "<style>@import 'https://example.org/a.css';</style>"),
        (external_loads, '<p style="background: url(https://example.org/a.png)">Text</p>'),
        (faulty_images, '<img src="absent.svg" alt="a falling curve">'),
        (faulty_images, '<img src="picture.svg">'),
        (faulty_images, '<img src="picture.svg" alt="../_images/abc.svg">'),
        (faulty_figures, '<img src="../_images/picture.svg" alt="a falling curve">'),
        (faulty_figures, '<figure><img src="picture.svg" alt="a falling curve"></figure>'),
        (faulty_figures, "<figure><figcaption><p>A falling curve.</p></figcaption></figure>"),
        (faulty_figures, "<figure><figcaption><p>Figure 1.1</p></figcaption></figure>"),
        (leftovers, "<p>See {numref}`fig`.</p>"),
        (leftovers, "<p>$$ x $$</p>"),
        (leftovers, "<p>:::{table} A table</p>"),
        (leftovers, '<div class="cell_output"><pre>Traceback (most recent call last)</pre></div>'),
    ],
)
def test_a_fault_is_reported(page, check, body):
    assert check(page(body))


@pytest.mark.parametrize("link", ["absent.html", "other.html#nowhere", "#nowhere"])
def test_a_broken_link_is_reported(page, tmp_path, link):
    bad = page(f'<a href="{link}">there</a>')
    assert broken_links(bad, {path.resolve(): Page(path) for path in tmp_path.glob("*.html")})
