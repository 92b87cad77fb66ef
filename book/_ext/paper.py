"""The book as one document on paper: folded parts unfolded, programs left out, chapters numbered as on the pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.texescape import escape
from sphinx.util.typing import ExtensionMetadata
from sphinxcontrib.bibtex.nodes import raw_latex

# statements between thin rules, programs and captions small, the parts of the book as headings in its table of contents
PREAMBLE = r"""
\newcommand{\contentspart}[1]{\addpenalty{-300}\vspace{1.5ex}{\noindent\sffamily\bfseries #1\par}}
\fvset{fontsize=\footnotesize}
\AddToHook{env/sphinxadmonition/before}{\Needspace*{5\baselineskip}}
\makeatletter
\g@addto@macro\sphinxaftertopcaption{\nobreak}
\renewenvironment{sphinxthebibliography}[1]% whose chapter has its heading already
  {\renewcommand{\chapter}[2]{}\renewcommand{\@biblabel}[1]{}\let\addcontentsline\@gobblethree\begin{thebibliography}{#1}}{\end{thebibliography}}
\makeatother
"""
# widths of the columns of a table of claims, in per cent
CLAIM_COLUMNS = {"verdict": 10, "statement": 29, "source": 14, "check": 28, "result": 19}
STATEMENTS = (
    "iconpackage=none",
    "div.note_border-width=0pt",
    "div.note_border-left-width=2pt",
    "div.note_border-TeXcolor={gray}{0.45}",
    "div.note_background-TeXcolor={gray}{0.96}",
    "div.note_title-background-TeXcolor={gray}{0.96}",
    "div.note_box-shadow=none",
)
TITLE_PAGE = r"""
\begin{titlepage}
\makeatletter
\hypersetup{pdftitle={\@title}, pdfauthor={\@author}}
\raggedright\sffamily
\vspace*{0.2\textheight}
{\Huge\bfseries \@title\par}
\vspace{2ex}
{\Large An executable book\par}
\vspace{8ex}
{\large \@author\par}
\vspace{2ex}
Version \version\par
\vfill
\rmfamily
Every number and figure in this book was made by a program, and programs check the statements of the theory.
This edition leaves most of them out: they are on the pages of the book, and in its Python package \texttt{ptft}.\par
\makeatother
\end{titlepage}
"""


def _for_paper(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format == "latex":
        _leave_out_programs(doctree)
        _leave_out_downloads(doctree)
        _let_calls_break(doctree)
        _number_as_on_the_pages(doctree, docname, app.env.toc_fignumbers)
        _fit_tables(doctree)
        _leave_out_links_in_captions(doctree)
        _end_proofs(doctree)
        _arrange(app, doctree)


def _leave_out_programs(doctree: nodes.document) -> None:
    """The cells that the pages fold show only what came out; short programs that the text discusses stay."""
    for cell in list(doctree.findall(nodes.container)):
        if {"cell", "tag_hide-input"} <= set(cell["classes"]):
            for part in list(cell.children):
                if "cell_input" in part["classes"]:
                    cell.remove(part)
            if not cell.children:
                cell.parent.remove(cell)


def _leave_out_downloads(doctree: nodes.document) -> None:
    for link in list(doctree.findall(addnodes.download_reference)):
        line, before = link.parent, link.parent.index(link) - 1
        if before >= 0 and line[before].astext() == " · ":
            line.pop(before)
        line.remove(link)


def _let_calls_break(doctree: nodes.document) -> None:
    """The calls under the figures may be broken after a point, a bracket or an underscore."""
    for legend in doctree.findall(nodes.legend):
        for code in list(legend.findall(nodes.literal)):
            text = re.sub(r"(\.|\(|\\_)", r"\1\\allowbreak{}", escape(code.astext(), "xelatex"))
            code.replace_self(_raw(rf"\texttt{{{text}}}"))


def _leave_out_links_in_captions(doctree: nodes.document) -> None:
    """A link to the list of works cannot go into a caption, which LaTeX moves about."""
    captions = [title for table in doctree.findall(nodes.table) for title in table.findall(nodes.title)]
    for caption in [*captions, *doctree.findall(nodes.caption)]:
        for brace in list(caption.findall(raw_latex)):  # those of \hyperlink around a year
            brace.parent.remove(brace)


def _number_as_on_the_pages(doctree: nodes.Element, root: str, numbers: Mapping[str, Mapping[str, Any]]) -> None:
    """Each figure and table gets the number by which the pages call it: LaTeX counts others than they do.

    It goes on counting from the last numbered chapter in the pages of the reference, and counts tables without a
    caption that run over several pages.
    """
    pages = {page["docname"]: page for page in doctree.findall(addnodes.start_of_file)}
    for name, page in {root: doctree, **pages}.items():
        for kind, found in (("figure", nodes.figure), ("table", nodes.table)):
            known = numbers.get(name, {}).get(kind, {})
            for node in list(page.findall(found)):
                for number in [known[one][-1] for one in node["ids"] if one in known][:1]:
                    _around(node, _raw(rf"\setcounter{{{kind}}}{{{number - 1}}}"), None)


def _fit_tables(doctree: nodes.document) -> None:
    """Many columns in small print, and tables of claims with room where they have words, over several pages."""
    for table in list(doctree.findall(nodes.table)):
        head = [entry.astext() for entry in next(table.findall(nodes.row)).children]
        if head == list(CLAIM_COLUMNS):
            table["classes"].append("longtable")
            columns = "".join(
                rf">{{\raggedright\arraybackslash}}\X{{{share}}}{{100}}" for share in CLAIM_COLUMNS.values()
            )
            _around(table, addnodes.tabular_col_spec(spec=columns), None)
        if len(head) > 6 or head == list(CLAIM_COLUMNS):
            _around(table, _raw(r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}"), _raw(r"\endgroup"))


def _around(node: nodes.Element, before: nodes.Node | None, after: nodes.Node | None) -> None:
    parent, place = node.parent, node.parent.index(node)
    parent[place : place + 1] = [one for one in (before, node, after) if one is not None]


def _end_proofs(doctree: nodes.document) -> None:
    """A folded proof is printed below a line with its name, and ends with a mark."""
    for fold in list(doctree.findall(nodes.container)):
        named = fold.get("design_component") == "dropdown" and isinstance(fold[0], nodes.rubric)
        if named and fold[0].astext().startswith("Proof") and not fold.astext().endswith("∎"):
            end = fold[-1] if isinstance(fold[-1], nodes.paragraph) else nodes.paragraph()
            if end.parent is None:
                fold += end
            end += _raw(r"\hspace*{\fill}\(\square\)")


def _raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="latex")


def _arrange(app: Sphinx, doctree: nodes.document) -> None:
    """The front page as a chapter, parts in the table of contents, and numbers only where the pages have them."""
    root = next(doctree.findall(nodes.section))
    toctrees = list(app.env.get_doctree(app.config.root_doc).findall(addnodes.toctree))
    parts = {toctree["includefiles"][0]: toctree for toctree in toctrees if toctree["includefiles"]}
    front = nodes.section("", nodes.title(text="About this book"), ids=["about-this-book"])
    front.extend(child for child in root.children[1:] if not list(child.findall(addnodes.start_of_file)))
    root.children[1:] = [child for child in root.children[1:] if child.parent is not front]
    root.insert(1, [_raw(r"\setcounter{secnumdepth}{-1}"), front])
    for file in doctree.findall(addnodes.start_of_file):
        if part := parts.get(file["docname"]):
            depth = 2 if part.get("numbered") else -1
            lines = [rf"\setcounter{{secnumdepth}}{{{depth}}}"]
            lines += [] if part.get("numbered") else [r"\setcounter{chapter}{0}"]
            lines += [rf"\addtocontents{{toc}}{{\protect\contentspart{{{part['caption']}}}}}"]
            file.insert(0, _raw("\n".join(lines)))


def _describe(app: Sphinx, config: Config) -> None:
    config.latex_domain_indices = False
    config.latex_elements = {
        "papersize": "a4paper",
        "extraclassoptions": "openany,oneside",
        "geometry": r"\usepackage[hmargin=2.4cm,vmargin=2.6cm]{geometry}",
        "fncychap": "",
        "figure_align": "H",  # by their text, even where that leaves a page short
        "sphinxsetup": ",".join(STATEMENTS),
        "maketitle": TITLE_PAGE.replace(r"\version", version("ptft")),
        "tableofcontents": r"\renewcommand{\contentsname}{Contents}\sphinxtableofcontents",
        "makeindex": "",
        "printindex": "",
        **config.latex_elements,
        "preamble": config.latex_elements.get("preamble", "") + PREAMBLE,
    }


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("config-inited", _describe)
    app.connect("doctree-resolved", _for_paper)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
