"""The front page: its table of notation is complete, names what there is, and its picture shows what it says."""

import inspect
import re

import numpy as np
import pytest
import yaml
from conftest import ROOT, public

from ptft import Initialization, SpikeSlab, experiments, penalty, replica_curve
from ptft.book import sliders
from ptft.regimes import STARTS, measures

PAGE = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
NOTATION = PAGE[PAGE.index("```{list-table} Symbols of the theory (chapters 1 to 5)") :]
THEORY = sorted((ROOT / "notebooks").glob("0[1-5]_*.md"))  # chapters 1 to 5
STARS = ("\\beta^*_{\\mathrm{PT}}", "\\beta^*_{\\mathrm{FT}}")  # the teachers, which have no macro


def symbols(text):
    """The names of TeX's commands and of the book's macros in a text."""
    return set(re.findall(r"\\([A-Za-z]+)", text))


def without_proofs(path):
    """The text of a chapter without its cells, its proofs and its solutions, whose symbols are their own."""
    text = re.sub(r"^```\{code-cell\}.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"^(:{3,})\{dropdown\} (Proof|Solution).*?^\1$", "", text, flags=re.M | re.S)


def test_what_several_chapters_of_the_theory_write_is_in_the_table_of_notation():
    greek = set(
        "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau chi omega".split()
    )
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    macros = {name for name in config["mathjax3_config"]["tex"]["macros"] if name[-2:] in ("PT", "FT")}
    assert len(macros) == 8
    written = [symbols(without_proofs(path)) & (greek | macros | {"PD", "MSE"}) for path in THEORY]
    several = {name for name in set.union(*written) if sum(name in one for one in written) > 1}
    assert several >= {"alpha", "omega", "theta", "tau"} | macros - {"cFT"}
    assert several - {"chi", "nu"} <= symbols(NOTATION)  # these mean what their sentences say
    assert all(star in without_proofs(THEORY[2]) and star in NOTATION for star in STARS)


def test_the_table_of_notation_names_what_the_package_has():
    rows = re.findall(r"^\* - (.*)\n  -(.*)\n  - (.*)$", NOTATION, re.M)
    assert len(rows) == NOTATION.count("\n* - ")
    code = {name for _, names, meaning in rows for name in re.findall(r"`(\w+)`", names + meaning)}
    known = set()
    rooms = "initialization penalties teachers replica generalization two_stages end_point scaling"
    for module in rooms.split():
        for name, thing in public(f"ptft.{module}").items():
            known |= {name, *inspect.signature(thing).parameters, *vars(thing)}
    assert len(code) > 20 and code <= known


def test_the_scale_of_the_table_of_notation_is_that_of_the_package():
    assert r"2\,(\lambdaPT + \cPT)\left(1 + \sqrt{1 + (\betaPT/\cPT)^2}\right) + \gammaFT^2" in PAGE
    c, lam, gamma, beta = 0.2, -0.1, 0.3, 0.7
    expected = 2 * (lam + c) * (1 + np.sqrt(1 + (beta / c) ** 2)) + gamma**2
    assert float(Initialization(c, lam, gamma).sqrt_k(beta)) == pytest.approx(expected, rel=1e-12)


def test_the_picture_shows_what_is_said_of_it():
    (task,) = re.findall(r"^TASK = \((.*?)\)", (ROOT / "book" / "overview.py").read_text(encoding="utf-8"), re.M)
    omega, rho_ft = map(float, task.split(", "))
    teacher = SpikeSlab(sliders.RHO_PT, rho_ft, omega)
    assert "a tenth of the pretrained features" in PAGE and rho_ft / teacher.rho_pt == pytest.approx(0.1) and omega == 1
    shown = experiments.figure_5()[omega, rho_ft].values()
    for one, start in zip(shown, STARTS.values(), strict=True):
        assert one.init.sqrt_k([0.0, 1.0]) == pytest.approx(start.sqrt_k([0.0, 1.0]))
    two, three = STARTS["start II"], STARTS["start III"]
    z = np.linspace(-1, 1, 101)
    left = [penalty(z, one.k(1.0)) / penalty(1.0, one.k(1.0)) for one in (two, three)]
    places = [(at.ell_order, at.pretraining_dependence) for at in (measures(1.0, 1.0, one) for one in (two, three))]
    assert "Starts II and III are nearly alike in the left panel and far apart in the middle one" in PAGE
    assert np.max(np.abs(left[0] - left[1])) < 0.02 and np.hypot(*np.subtract(*places)) > 0.8
    found, lost = (replica_curve(np.array([0.1, 0.3]), teacher, one).mse for one in (two, three))
    assert found[0] < 0.1 and lost[1] > 0.5  # few examples are enough for one, and many are not for the other
