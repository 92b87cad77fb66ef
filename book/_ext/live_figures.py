"""The directive `explorer`: a live figure with sliders, and a picture of its start on paper and without scripts.

Its argument is the view, `plane`, `error`, `best` or `scaling`; its content is the caption. `ptft.book.sliders` says
what the sliders are, `book/_static/theory.js` solves the equations in the page, and `book/_static/live_figures.js`
draws.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
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

from ptft import Initialization, SingleTask, SpikeSlab, best_initialization, figures, replica_curve
from ptft.book import sliders
from ptft.figures import scaling
from ptft.figures.curves import number
from ptft.figures.live import errors
from ptft.figures.optimal_initialization import landscapes
from ptft.files import write_whole
from ptft.optimal_initialization import USUAL, Bounds, landscape, rows_of_scales
from ptft.regimes import CORNERS, measures
from ptft.replica import errors_by_rows
from ptft.scaling import PowerLawTasks, learning_curves, rank_rule

LABELS = {
    "c_pt": "absolute scale <i>c</i><sub>PT</sub>",
    "relative": "relative scale <i>λ</i><sub>PT</sub>/<i>c</i><sub>PT</sub>",
    "gamma_ft": "new readout <i>γ</i><sub>FT</sub>",
    "beta_pt": "pretrained coefficient <i>β</i><sub>PT</sub>",
    "beta_ft": "fine-tuned coefficient <i>β</i><sub>FT</sub>",
    "rho_ft": "active share <i>ρ</i><sub>FT</sub>",
    "overlap": "overlap <i>ω</i>",
    "noise_var": "label noise <i>σ</i><sub>0</sub>²",
    "alpha_pt": "pretraining data <i>α</i><sub>PT</sub>",
    "alpha": "read at <i>α</i>",
    "a": "decay of coefficients <i>a</i>",
    "b": "decay of variances <i>b</i>",
    "examples": "read at <i>n</i>",
}
OTHER_LABELS = {"best": {"alpha": "data scale <i>α</i>"}}
INITIALIZATION = ("c_pt", "relative", "gamma_ft")
ALPHAS = np.array([0.01, 0.03, 0.05, *np.arange(0.02, 0.51, 0.02)])  # at which the best of a grid is drawn
ALPHAS.sort()
PICTURES = {  # what the charts are, for those who cannot see them
    "plane": "The triangle of the two measures with a dot at the chosen initialization; its place is given below.",
    "error": "Error against the data scale: fine-tuning, a single task, and the best initialization; read off below.",
    "best": "Error over the plane of the two penalty scales with a dot at the best initialization, given below.",
    "scaling": "Error against the examples, both logarithmic: fine-tuning, and the task alone; read off below.",
}
CALLS = {
    "plane": ("ptft.figures.triangle", "{…}"),
    "error": ("ptft.figures.live.errors", "alpha, {…}, floor"),
    "best": ("ptft.figures.optimal_initialization.landscapes", "{…}"),
    "scaling": ("ptft.figures.scaling.learning_curves", "{…}"),
}
BEST = [  # label, the name under which the script fills it in, the line that it belongs to
    ("<i>c</i><sub>PT</sub> of the best", "best-c_pt", None),
    ("<i>λ</i><sub>PT</sub>/<i>c</i><sub>PT</sub> of it", "best-relative", None),
    ("<i>γ</i><sub>FT</sub> of it", "best-gamma_ft", None),
]
READINGS = {
    "plane": [
        ("ℓ-order", "ell", "fine"),
        ("pretraining dependence", "pd", None),
        ("penalty scale √<i>k</i>", "scale", None),
        *((f"share of regime {name}", name, None) for name in CORNERS),
        ("pinned", "pinned", "pinned"),
        ("range of", "path", "path"),
    ],
    "error": [
        ("fine-tuning", "fine", "fine"),
        ("single task, same <i>c</i><sub>PT</sub>", "single", "single"),
        ("best of {count}", "best", "best"),
        *BEST,
        ("pinned", "pinned", "pinned"),
    ],
    "best": [
        ("least error", "best", "best"),
        *BEST,
        ("best without pretraining", "alone", None),
        *((f"error of {name}", f"usual-{name}", None) for name in USUAL),
        ("pinned task", "pinned", "pinned"),
    ],
    "scaling": [
        ("fine-tuning", "fine", "fine"),
        ("its exponent", "slope", None),
        ("alone, same <i>c</i><sub>PT</sub>", "single", "single"),
        ("alone, lazy", "lazy", "best"),
        ("examples alone, same <i>c</i><sub>PT</sub>", "needed", None),
        ("pinned", "pinned", "pinned"),
    ],
}
BUTTONS = {
    "pin": "Pin",
    "reset": "Reset",
    "code": "Copy code",
    "link": "Copy link",
    "csv": "CSV",
    "svg": "SVG",
}


def specification(view: str) -> dict[str, Any]:
    """What the script reads: the positions of the sliders, and what else is drawn."""
    chosen = {name: sliders.SLIDERS[name] for name in sliders.VIEWS[view]}
    spec: dict[str, Any] = {
        "view": view,
        "sliders": {name: {"texts": one.texts, "values": one.values} for name, one in chosen.items()},
    }
    if view == "plane":
        return spec | {"corners": CORNERS, "first": "relative"}
    if view == "scaling":
        rank, count = (values.tolist() for values in rank_rule(sliders.FEATURES))
        more = {"rho": sliders.RHO_PT, "lazy": sliders.LAZY, "last": sliders.LONGEST}
        return spec | {"rank": rank, "count": count, **more}
    spec |= {"overlaps": sliders.overlaps(), "rho_pt": sliders.RHO_PT, "floor": sliders.FLOOR}
    if view == "error":
        best_of = {name: [chosen[name].texts.index(text) for text in texts] for name, texts in sliders.BEST_OF.items()}
        return spec | {"best_of": best_of, "best_at": ALPHAS.round(2).tolist()}
    bounds = Bounds()
    usual = {
        name: {"c_pt": one.c_pt, "distance": float(one.c_plus_lambda / one.c_pt), "gamma_ft": one.gamma_ft}
        for name, one in USUAL.items()
    }
    allowed = {
        "c_pt": bounds.c_pt,
        "distance": [1 + relative for relative in bounds.relative],
        "gamma_ft": bounds.gamma_ft,
        "single_task": bounds.single_task,
    }
    return spec | {"usual": usual, "bounds": allowed}


def markup(view: str, spec: dict[str, Any]) -> str:
    """The live figure; it is laid out before the script fills it in."""
    count = np.prod([len(texts) for texts in sliders.BEST_OF.values()])
    labels = LABELS | OTHER_LABELS.get(view, {})

    def control(name: str, text: str) -> str:
        texts = sliders.SLIDERS[name].texts
        return (
            f'<div><label for="explorer-{view}-{name}">{labels[name]}</label>'
            f'<span data-value="slider-{name}">{text}</span>'
            f'<input type="range" id="explorer-{view}-{name}" name="{name}" min="0" step="1" autocomplete="off"'
            f' max="{len(texts) - 1}" value="{texts.index(text)}"></div>'
        )

    controls = "".join(control(name, text) for name, text in sliders.VIEWS[view].items())
    key = 'class="explorer-key" data-line='
    readings = "".join(
        f'<div><dt {key + line if line else ""}>{label.format(count=count)}</dt><dd data-value="{name}">–</dd></div>'
        for label, name, line in READINGS[view]
    )
    buttons = "".join(f'<button type="button" data-action="{name}">{label}</button>' for name, label in BUTTONS.items())
    return (
        f'<div class="explorer" data-view="{view}">'
        f'<svg viewBox="0 0 480 376" role="img" aria-label="{escape(PICTURES[view])}"></svg>'
        f'<div class="explorer-sliders">{controls}</div>'
        f'<dl class="explorer-readings" aria-live="polite" aria-atomic="true">{readings}</dl>'
        f'<div class="explorer-actions">{buttons}<span role="status"></span></div>'
        f'<pre class="explorer-call"><code data-value="call"></code></pre>'
        f'<script type="application/json">{json.dumps(spec, separators=(",", ":"))}</script></div>'
    )


def _initialization(view: str, **texts: str) -> Initialization:
    """What the sliders say at first, but for what is given."""
    return Initialization.at_distance(
        *(sliders.value(name, texts.get(name, sliders.VIEWS[view][name])) for name in INITIALIZATION)
    )


def _teacher(view: str) -> SpikeSlab:
    rho, share = (sliders.value(name, sliders.VIEWS[view][name]) for name in ("rho_ft", "overlap"))
    return SpikeSlab(sliders.RHO_PT, rho, share * min(1, sliders.RHO_PT / rho))


def plane_picture() -> Figure:
    """Where each slider takes the point on its own."""
    start, paths = sliders.VIEWS["plane"], {}
    symbols = (
        r"$c_{\mathrm{PT}}$",
        r"$\lambda_{\mathrm{PT}}/c_{\mathrm{PT}}$",
        r"$\gamma_{\mathrm{FT}}$",
        r"$\beta_{\mathrm{PT}}$",
        r"$\beta_{\mathrm{FT}}$",
    )
    for name, symbol in zip(start, symbols, strict=True):
        ends = [sliders.SLIDERS[name].texts[i].split(" + ") for i in (0, -1)]
        first, last = (" + ".join(number(float(term)) for term in end) for end in ends)
        values = {one: sliders.value(one, text) for one, text in start.items()} | {
            name: np.array(sliders.SLIDERS[name].values)
        }
        init = Initialization.at_distance(*(values[one] for one in INITIALIZATION))
        paths[f"{symbol} from {first} to {last}"] = measures(values["beta_ft"], values["beta_pt"], init)
    return figures.triangle(paths)


def error_picture() -> Figure:
    """The curves at the start of the sliders."""
    alpha, teacher, init = np.linspace(0.01, 0.5, 50), _teacher("error"), _initialization("error")
    every = [
        _initialization("error", **dict(zip(INITIALIZATION, texts, strict=True)))
        for texts in itertools.product(*sliders.BEST_OF.values())
    ]
    active, inactive = (np.array([float(one.sqrt_k(beta_pt)) for one in every]) for beta_pt in (1.0, 0.0))
    rows = rows_of_scales(teacher, active - inactive, inactive)
    best = [np.min(errors_by_rows(np.full(len(every), a), rows)) for a in ALPHAS]
    curves = {
        "fine-tuning": replica_curve(alpha, teacher, init).mse,
        r"single task, same $c_{\mathrm{PT}}$": replica_curve(alpha, SingleTask(teacher.rho_ft), init).mse,
        f"best of {len(every)}": np.exp(np.interp(alpha, ALPHAS, np.log(best))),
    }
    return errors(alpha, curves, sliders.FLOOR)


def best_picture() -> Figure:
    """The landscape of errors at the start of the sliders."""
    teacher, alpha = _teacher("best"), sliders.value("alpha", sliders.VIEWS["best"]["alpha"])
    field = landscape(teacher, alpha, np.geomspace(1e-12, 1e3, 60), np.geomspace(1.0, 1e8, 60))
    title = rf"$\rho_{{FT}} = {teacher.rho_ft:g}$, $\omega = {teacher.omega:g}$, $\alpha = {alpha:g}$"
    return landscapes({title: (field, best_initialization(teacher, alpha))})


def scaling_picture() -> Figure:
    """The learning curves at the start of the sliders."""
    a, b, omega = (sliders.value(name, sliders.VIEWS["scaling"][name]) for name in ("a", "b", "overlap"))
    tasks = PowerLawTasks(sliders.FEATURES, a, b, sliders.RHO_PT, sliders.RHO_PT, omega)
    alone, init, n = replace(tasks, pretrained=False), _initialization("scaling"), np.geomspace(10, 1e4, 25)
    shown = {"fine-tuning": (tasks, init), r"alone, same $c_{\mathrm{PT}}$": (alone, init)}
    shown["alone, lazy"] = (alone, Initialization(sliders.LAZY))
    curves = {label: scaling.Curve(n, learning_curves(one, [init], n)[0]) for label, (one, init) in shown.items()}
    return scaling.learning_curves({f"$a = {a:g}$, $b = {b:g}$": curves})


DRAW: dict[str, Callable[[], Figure]] = {
    "plane": plane_picture,
    "error": error_picture,
    "best": best_picture,
    "scaling": scaling_picture,
}


@functools.cache
def picture(view: str, folder: Path) -> list[str]:
    """Draw a view as SVG and PDF, with its data as CSV; the names of the files in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.use("agg")
    figures.style()
    drawn = DRAW[view]()
    for suffix in ("svg", "pdf"):
        figures.save(drawn, folder / f"{view}.{suffix}")
    write_whole(folder / f"{view}.csv", figures.csv_of(drawn).encode())
    return [f"{view}.{suffix}" for suffix in ("svg", "pdf", "csv")]


class Explorer(SphinxDirective):
    """A figure whose picture makes room for sliders where scripts run."""

    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged, "alt": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        view = self.arguments[0]
        if view not in sliders.VIEWS:
            raise self.error(f"explorer: {view} is none of {', '.join(sliders.VIEWS)}")
        for source in (sliders.__file__, __file__):
            self.env.note_dependency(source)
        pictures = Path(self.env.srcdir) / "_build" / "explorer"
        files = picture(view, pictures)

        figure = nodes.figure(classes=["explorer-figure"])
        self.add_name(figure)
        figure += nodes.raw("", markup(view, specification(view)), format="html", explorer=True)
        figure += nodes.image(uri=f"/_build/explorer/{view}.*", alt=self.options["alt"])
        text = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, text)
        figure += nodes.caption("", "", *text[0].children)
        if Path(self.env.doc2path(self.env.docname)).suffix != ".ipynb":  # the same figure in a chapter is a guest
            figure += legend(self.env.app, CALLS[view], pictures, files)
        return [figure]


def _add_assets(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is not None and any("explorer" in raw for raw in doctree.findall(nodes.raw)):
        app.add_css_file("live_figures.css")
        app.add_js_file("theory.js")
        app.add_js_file("live_figures.js")


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("explorer", Explorer)
    app.connect("html-page-context", _add_assets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
