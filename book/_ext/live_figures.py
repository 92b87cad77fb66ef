"""The directive `explorer`: a live figure with sliders, and a picture of its start on paper and without scripts.

Its argument is the view, `plane` or `error`; its content is the caption. `ptft.book.live_figures` computes the tables,
`book/_static/live_figures.js` interpolates in them.
"""

from __future__ import annotations

import itertools
import json
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from take_home import legend

from ptft import Initialization, SingleTask, SpikeSlab, figures, replica_curve
from ptft.book import live_figures, sliders
from ptft.book.interpolation import InterpolationTable
from ptft.book.results import results_file
from ptft.figures.live import errors
from ptft.files import write_whole
from ptft.regimes import CORNERS, measures

LABELS = {
    "c_pt": "absolute scale <i>c</i><sub>PT</sub>",
    "relative": "relative scale <i>λ</i><sub>PT</sub>/<i>c</i><sub>PT</sub>",
    "gamma_ft": "new readout <i>γ</i><sub>FT</sub>",
    "beta_pt": "pretrained coefficient <i>β</i><sub>PT</sub>",
    "rho_ft": "active share <i>ρ</i><sub>FT</sub>",
    "overlap": "overlap <i>ω</i>",
    "alpha": "read at <i>α</i>",
}
INITIALIZATION = ("c_pt", "relative", "gamma_ft")
VIEWS = {"plane": (*INITIALIZATION, "beta_pt"), "error": (*INITIALIZATION, "rho_ft", "overlap", "alpha")}
PICTURES = {  # what the charts are, for those who cannot see them
    "plane": "The triangle of the two measures with a dot at the chosen initialization; its place is given below.",
    "error": "Error against the data scale: fine-tuning, a single task, and the best initialization; read off below.",
}
CALLS = {"plane": ("ptft.figures.triangle", "{…}"), "error": ("ptft.figures.live.errors", "alpha, {…}, floor")}
READINGS = {  # label, the name under which the script fills it in, the line that it belongs to
    "plane": [
        ("ℓ-order", "ell", None),
        ("pretraining dependence", "pd", None),
        ("penalty scale √<i>k</i>", "scale", None),
        *((f"share of regime {name}", name, None) for name in CORNERS),
        ("range of", "path", "path"),
    ],
    "error": [
        ("fine-tuning", "fine", "fine"),
        ("single task, same <i>c</i>", "single", "single"),
        ("best of {count}", "best", "best"),
        ("the best has <i>c</i><sub>PT</sub> =", "best-c", None),
        ("<i>λ</i><sub>PT</sub>/<i>c</i><sub>PT</sub> =", "best-relative", None),
        ("<i>γ</i><sub>FT</sub> =", "best-gamma", None),
    ],
}


def specification(view: str, log_alpha: InterpolationTable | None = None) -> dict[str, Any]:
    """What the script reads: the positions of the sliders, the tables, and what else is drawn."""
    tables = live_figures.plane_tables() if log_alpha is None else live_figures.error_tables(log_alpha)
    chosen = {name: sliders.SLIDERS[name] for name in VIEWS[view]}
    spec = {
        "view": view,
        "first": "relative",
        "sliders": {name: {"texts": one.texts, "coordinates": one.coordinates} for name, one in chosen.items()},
        "tables": {name: table.encode() for name, table in tables.items()},
    }
    if view == "plane":
        return spec | {"corners": CORNERS, "beta_ft": sliders.BETA_FT}
    best_of = {name: [chosen[name].texts.index(text) for text in texts] for name, texts in sliders.BEST_OF.items()}
    extra = {"rho_pt": sliders.RHO_PT, "floor": sliders.FLOOR}
    return spec | {"overlaps": sliders.overlaps(), "best_of": best_of} | extra


def markup(view: str, spec: dict[str, Any]) -> str:
    """The live figure; it is laid out before the script fills it in."""
    count = np.prod([len(texts) for texts in sliders.BEST_OF.values()])
    inputs = "".join(
        f'<div><label for="explorer-{view}-{name}">{LABELS[name]}</label>'
        f'<span data-value="slider-{name}">{sliders.SLIDERS[name].texts[sliders.SLIDERS[name].start]}</span>'
        f'<input type="range" id="explorer-{view}-{name}" name="{name}" min="0" step="1" autocomplete="off"'
        f' max="{len(sliders.SLIDERS[name].texts) - 1}" value="{sliders.SLIDERS[name].start}"></div>'
        for name in VIEWS[view]
    )
    key = 'class="explorer-key" data-line='
    readings = "".join(
        f'<div><dt {key + line if line else ""}>{label.format(count=count)}</dt><dd data-value="{name}">–</dd></div>'
        for label, name, line in READINGS[view]
    )
    return (
        f'<div class="explorer" data-view="{view}">'
        f'<svg viewBox="0 0 480 376" role="img" aria-label="{escape(PICTURES[view])}"></svg>'
        f'<div class="explorer-sliders">{inputs}</div>'
        f'<dl class="explorer-readings" aria-live="polite" aria-atomic="true">{readings}</dl>'
        f'<pre class="explorer-call"><code data-value="call"></code></pre>'
        f'<script type="application/json">{json.dumps(spec, separators=(",", ":"))}</script></div>'
    )


def _value(name: str, text: str | None = None, plus: float = 0.0) -> float:
    """The number that a position of a slider stands for, by default the first, after the sum with `plus`."""
    slider = sliders.SLIDERS[name]
    return sum((float(part) for part in (text or slider.texts[slider.start]).split("+")), start=plus)


def _initialization(**texts: str) -> Initialization:
    c_pt, distance, gamma_ft = (
        _value(name, texts.get(name), 1.0 if name == "relative" else 0.0) for name in INITIALIZATION
    )
    return Initialization.at_distance(c_pt, distance, gamma_ft)


def plane_picture() -> Figure:
    """Where each slider takes the point on its own."""
    paths = {}
    symbols = (r"$c_{PT}$", r"$\lambda_{PT}/c_{PT}$", r"$\gamma_{FT}$", r"$\beta_{PT}$")
    for name, symbol in zip(VIEWS["plane"], symbols, strict=True):
        texts = sliders.SLIDERS[name].texts
        beta_pt = [_value(name, text) if name == "beta_pt" else _value("beta_pt") for text in texts]
        inits = [_initialization(**({} if name == "beta_pt" else {name: text})) for text in texts]
        parameters = zip(*((init.c_pt, init.distance, init.gamma_ft) for init in inits), strict=True)
        along = measures(sliders.BETA_FT, beta_pt, Initialization.at_distance(*map(np.array, parameters)))
        paths[f"{symbol} from {texts[0]} to {texts[-1]}"] = along
    return figures.triangle(paths)


def error_picture(table: InterpolationTable) -> Figure:
    """The curves at the start of the sliders."""
    alpha = np.linspace(0.01, 0.5, 50)
    rho, share = _value("rho_ft"), _value("overlap")
    teacher = SpikeSlab(sliders.RHO_PT, rho, share * min(1, sliders.RHO_PT / rho))
    task = InterpolationTable(table.axes[2:], table.fix(np.log10(rho), share))
    every = [
        _initialization(**dict(zip(INITIALIZATION, texts, strict=True)))
        for texts in itertools.product(*sliders.BEST_OF.values())
    ]
    scales = [(float(np.log10(init.sqrt_k(1.0))), float(np.log10(init.sqrt_k(0.0)))) for init in every]
    curves = {
        "fine-tuning": replica_curve(alpha, teacher, _initialization()).mse,
        r"single task, same $c$": replica_curve(alpha, SingleTask(rho), _initialization()).mse,
        f"best of {len(every)}": np.min([live_figures.read_errors(task, alpha, pair) for pair in scales], axis=0),
    }
    return errors(alpha, curves, sliders.FLOOR)


class Explorer(SphinxDirective):
    """A figure whose picture makes room for sliders where scripts run."""

    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged, "alt": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        view = self.arguments[0]
        table = None
        if view == "error":
            path = results_file("explorer.parquet")
            self.env.note_dependency(str(path))
            table = live_figures.read_error_table(path)
        for source in (live_figures.__file__, __file__):
            self.env.note_dependency(source)

        pictures = Path(self.env.srcdir) / "_build" / "explorer"
        pictures.mkdir(parents=True, exist_ok=True)
        matplotlib.use("agg")
        figures.style()
        drawn = plane_picture() if table is None else error_picture(table)
        for suffix in ("svg", "pdf"):
            figures.save(drawn, pictures / f"{view}.{suffix}")
        write_whole(pictures / f"{view}.csv", figures.csv_of(drawn).encode())

        figure = nodes.figure(classes=["explorer-figure"])
        self.add_name(figure)
        figure += nodes.raw("", markup(view, specification(view, table)), format="html", explorer=True)
        figure += nodes.image(uri=f"/_build/explorer/{view}.*", alt=self.options["alt"])
        text = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, text)
        figure += nodes.caption("", "", *text[0].children)
        figure += legend(self.env.app, CALLS[view], pictures, [f"{view}.{suffix}" for suffix in ("svg", "pdf", "csv")])
        return [figure]


def _add_assets(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is not None and any("explorer" in raw for raw in doctree.findall(nodes.raw)):
        app.add_css_file("live_figures.css")
        app.add_js_file("live_figures.js")


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("explorer", Explorer)
    app.connect("html-page-context", _add_assets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
