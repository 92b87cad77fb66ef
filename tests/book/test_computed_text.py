"""Words and numbers that chapters compute for their sentences."""

import csv
import io

import nbformat
import numpy as np
import pytest
import yaml
from conftest import ROOT
from docutils import nodes
from docutils.core import publish_doctree
from myst_parser.docutils_ import Parser

from ptft import figures
from ptft.book.claims import cases, claim
from ptft.book.computed_text import either, listed, literal, paragraph, state, stretches
from ptft.book.tables import numbered


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        ([True] * 4, "0.1 to 0.4"),
        ([False] * 4, "nowhere"),
        ([True, False, True, True], "0.1, 0.3 to 0.4"),
    ],
)
def test_stretches_are_the_ranges_where_a_statement_holds(holds, said):
    assert stretches(holds, np.array([0.1, 0.2, 0.3, 0.4])) == said


def test_stretches_end_at_places_that_are_told_from_the_next_ones():
    near_one = np.array([1 / 3, 0.999, 1.001, 1.0011, 1.0])
    assert stretches([True, False, True, True, True], near_one[[0, 1, 4, 2, 3]]) == "0.333, 1 to 1.0011"
    assert stretches([True], [1.0001]) == "1"


def test_a_sentence_follows_what_it_is_about():
    assert either(1 < 2, "below", "above") == "below" and either(2 < 1, "below", "above") == "above"
    assert listed(["I", "II"]) == "I and II" and listed([], none="no regime") == "no regime"


@pytest.mark.parametrize("text", ["", "two\nlines", "*emphasis*", "`code`", "at $x$"])
def test_a_text_that_a_sentence_cannot_show_is_refused(text):
    with pytest.raises(ValueError, match=r"best = .* is not allowed"):
        state(best=text)


def test_a_sentence_shows_a_literal_text_without_its_escapes(monkeypatch):
    shown = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, text, display: shown.update({name: text}))
    machine = "Linux x86_64, a*b, `c`"
    state(made=f"{literal(machine)}, -2 %")
    assert shown == {"made": f"{machine}, \u22122 %"}


CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
HOSTILE = [
    *(
        "<script>alert(1)</script>",
        "a|b",
        "back\\slash",
        "`tick`",
        "$x$",
        "two\nlines",
        "line\u2028break",
        "\\|",
        "\\\\|",
    ),
    *(
        "\\",
        "\\\\<script>",
        "`\\`\\<script>",
        "$<script>$",
        "$ <script> $1",
        "<!-- -->",
        "<?php ?>",
        "&lt;b&gt;",
        "*a* _b_",
    ),
    *(
        "[x](javascript:alert(1))",
        "![x](y.png)",
        "{download}`execute.py`",
        "{{ title }}",
        "a^b~c",
        ":::",
        "<a@b.c>",
        "# a",
        "é",
    ),
]


def rendered(text):
    """What MyST makes of a text on a page of this book."""
    settings = {"myst_enable_extensions": CONFIG["parse"]["myst_enable_extensions"], "report_level": 5}
    return publish_doctree(text, parser=Parser(), settings_overrides=settings | {"_disable_config": True})


def hostile_texts(count=300):
    rng = np.random.default_rng(0)
    pieces = [*HOSTILE, *"\\`$<>|*{}", "<b>", "<img src=x onerror=alert(1)>"]
    return [*HOSTILE, *("".join(rng.choice(pieces, rng.integers(2, 5))) for _ in range(count))]


def test_text_from_elsewhere_is_shown_as_it_is():
    texts = hostile_texts()
    page = rendered(
        numbered([{"a|<b>": literal(text), "end": "last"} for text in texts], "tab-x", literal(" ".join(HOSTILE)))
    )
    assert not list(page.findall(nodes.raw)) and not list(page.findall(nodes.reference))
    body = next(page.findall(nodes.tbody))
    assert [[entry.astext() for entry in row] for row in body] == [[" ".join(text.split()), "last"] for text in texts]
    assert next(page.findall(nodes.title)).astext() == " ".join(" ".join(HOSTILE).split())


def test_no_html_is_live_in_markdown_that_a_chapter_displays():
    texts = hostile_texts()
    page = rendered(numbered([{"cell": text, "end": "last"} for text in texts], "tab-x", " ".join(HOSTILE)))
    assert not list(page.findall(nodes.raw))
    assert [row[1].astext() for row in next(page.findall(nodes.tbody))] == ["last"] * len(texts)
    for text in HOSTILE:
        for shown in (paragraph(True, text), claim(text, text, text, text, cases(1.0, below=2.0))):
            raw = {node.astext().strip() for node in rendered(shown._repr_markdown_()).findall(nodes.raw)}
            assert raw <= {"<br />", "\\\\"}, text  # a backslash at the end of a line breaks it


def test_formulas_and_references_of_a_table_are_kept():
    page = rendered(numbered([{"$|x|<y$": "{math}`a` and **b**, `c`", "n": 1 < 2}], "tab-x", "In $a<b$, *so*."))
    assert [node.astext() for node in page.findall(nodes.math)] == ["a< b", "|x|< y", "a"]
    assert len(list(page.findall(nodes.strong))) == len(list(page.findall(nodes.literal))) == 1


def test_a_label_of_a_figure_is_no_markup_in_its_file():
    fig, axes = figures.figure()
    axes[0, 0].plot([0, 1], [0, 1], label="--><script>alert(1)</script>")
    axes[0, 0].legend()
    image = io.BytesIO()
    fig.savefig(image, format="svg")
    assert b"<script" not in image.getvalue()
    assert csv.DictReader(io.StringIO(figures.csv_of(fig))).__next__()["series"] == "--><script>alert(1)</script>"


@pytest.mark.parametrize("path", sorted((ROOT / "book" / "chapters").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_name_is_stated_once_in_a_chapter(path):
    """A page shows the last text of a name in all places, also where an earlier one was meant."""
    outputs = [out for cell in nbformat.read(path, as_version=4).cells for out in cell.get("outputs", [])]
    names = [out.metadata["scrapbook"]["name"] for out in outputs if "scrapbook" in out.get("metadata", {})]
    assert len(names) == len(set(names))
