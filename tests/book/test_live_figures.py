"""The sliders of the live figures, what the script is given, and the pictures that take its place."""

import importlib.util
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from ptft import Initialization, SingleTask, SpikeSlab, best_initialization, replica_curve, two_stage_curve
from ptft.book import sliders
from ptft.book.sliders import SLIDERS
from ptft.figures.live import errors
from ptft.optimal_initialization import USUAL
from ptft.regimes import DOMINANT, measures
from ptft.scaling import PowerLawTasks, examples_needed, exponent, lazy_exponent, learning_curves

CHAPTERS = {"02_ell_order_and_pretraining_dependence": "plane", "03_replica_solver": "error"} | {
    "11_which_initialization": "best",
    "12_scaling_laws_of_transfer": "scaling",
}
PAGE = (ROOT / "book" / "explorers.md").read_text(encoding="utf-8")
BULLETS = re.findall(r"^- (.*)$", PAGE, re.M)


@pytest.fixture(scope="module")
def extension():
    """The extension that makes the live figures."""
    sys.path.insert(0, str(ROOT / "book" / "_ext"))  # it imports another one
    spec = importlib.util.spec_from_file_location("live_figures", ROOT / "book" / "_ext" / "live_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "book" / "_ext"))


def exact(text):
    """The number that a slider shows as `text`."""
    return sum(float(part) for part in text.split("+"))


def test_sliders_show_their_values_in_order():
    for name, slider in SLIDERS.items():
        shift = 1.0 if name == "relative" else 0.0
        assert slider.values == pytest.approx([exact(text) + shift for text in slider.texts], rel=1e-9), name
        assert np.all(np.diff(slider.values) > 0), name
    assert exact(SLIDERS["relative"].texts[-1]) == 1 and exact(SLIDERS["relative"].texts[0]) == -1 + 1e-6


def test_every_view_begins_at_positions_of_its_sliders():
    for view, start in sliders.VIEWS.items():
        assert [text in SLIDERS[name].texts for name, text in start.items()] == [True] * len(start), view
    for name, texts in sliders.BEST_OF.items():
        assert set(texts) <= set(SLIDERS[name].texts)


def test_every_overlap_is_possible_and_nearly_its_share_of_the_largest():
    for rho, row in zip(SLIDERS["rho_ft"].texts, sliders.overlaps(), strict=True):
        for share, omega in zip(SLIDERS["overlap"].texts, row, strict=True):
            SpikeSlab(sliders.RHO_PT, float(rho), float(omega))
            assert float(omega) == pytest.approx(float(share) * min(1, sliders.RHO_PT / float(rho)), abs=1e-4)


def test_the_script_is_given_the_initializations_of_the_package(extension):
    usual = extension.specification("best")["usual"]
    for name, init in USUAL.items():
        given = usual[name]
        scale = 2 * given["c_pt"] * given["distance"] * (1 + np.hypot(1, 1 / given["c_pt"])) + given["gamma_ft"] ** 2
        assert scale == pytest.approx(float(init.sqrt_k(1.0)), rel=1e-12), name


def test_the_page_says_at_how_many_data_scales_the_best_is_computed(extension):
    given = extension.specification("error")["best_at"]
    assert len(set(given)) == len(given) and given == sorted(given)
    assert f"and at {len(given)} others" in PAGE


def test_the_picture_shows_every_curve_down_to_the_floor():
    alpha = np.array([0.1, 0.2, 0.3])
    ax = errors(alpha, {"a": 10.0**-alpha, "b": np.zeros(3)}, floor=1e-4).axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.lines[0].get_ydata() == pytest.approx(10.0**-alpha) and ax.get_ylim() == (1e-4, 10)


@pytest.mark.parametrize(("chapter", "view"), CHAPTERS.items())
def test_the_figures_stand_where_they_are_needed(chapter, view):
    assert f"```{{explorer}} {view}\n" in (ROOT / "notebooks" / f"{chapter}.md").read_text(encoding="utf-8")
    assert f"```{{explorer}} {view}\n" in PAGE


def written(number):
    """A number as the page writes it in a formula."""
    return f"10^{{{round(np.log10(float(number)))}}}" if 0 < float(number) < 0.01 else f"{float(number):g}"


def test_the_page_says_where_the_sliders_begin():
    plane, error, scaling = (
        {name: written(text) for name, text in sliders.VIEWS[view].items()} for view in ("plane", "error", "scaling")
    )
    begin = "$\\cPT = {}$, $\\lambdaPT = {}\\,\\cPT$, $\\gammaFT = {}$, ".format
    init = [[view[name] for name in ("c_pt", "relative", "gamma_ft")] for view in (plane, error)]
    assert begin(*init[0]) + f"$\\betaPT = {plane['beta_pt']}$ and $\\betaFT = {plane['beta_ft']}$." in PAGE
    assert begin(*init[1]) + f"$\\rhoFT = {error['rho_ft']}$ and $\\omega = {error['overlap']}$, without noise" in PAGE
    assert f"with $\\alpha_{{\\mathrm{{PT}}}} = {error['alpha_pt']}$." in PAGE and error["noise_var"] == "0"
    best = sliders.VIEWS["best"]
    task = f"$\\rhoFT = {best['rho_ft']}$, $\\omega = {best['overlap']}$ and $\\alpha = {best['alpha']}$ without noise"
    assert task in PAGE and best["noise_var"] == "0"
    powers = f"$a = {scaling['a']}$, $b = {scaling['b']}$, $\\omega = {scaling['overlap']}$"
    assert f"{powers}, $\\cPT = {scaling['c_pt']}$ and $\\lambdaPT = \\gammaFT = 0$." in PAGE
    assert scaling["relative"] == scaling["gamma_ft"] == "0"


def test_the_page_says_what_is_drawn():
    sets = [found.split(", ") for found in re.findall(r"\\in \\\{(.*?)\\\}\$", PAGE)]
    numbers = [[exact(re.sub(r"10\^\{(.*?)\}", r"1e\1", one)) for one in each if "dots" not in one] for each in sets]
    scales, relative, gamma = ([exact(text) for text in texts] for texts in sliders.BEST_OF.values())
    assert numbers == [scales[:2] + scales[-1:], pytest.approx(relative), gamma]
    assert np.diff(np.log10(scales)) == pytest.approx(1)  # what the dots stand for
    drawn = (ROOT / "book" / "_static" / "live_figures.js").read_text(encoding="utf-8")
    (shades,) = re.findall(r"const SHADES = \[(.*)\];", drawn)
    *steps, last = re.findall(r"\[([\d.]+), ", shades)
    assert f"steps are at {', '.join(steps)} and {last} times the least error" in PAGE
    assert f"{sliders.FEATURES:,} features, of which a tenth is active" in PAGE and sliders.RHO_PT == 0.1
    assert "three decades" in PAGE and np.log10(SLIDERS["examples"].values[-1] / SLIDERS["examples"].values[0]) == 3
    assert "five usual choices" in PAGE and len(USUAL) == 5
    assert len(sliders.VIEWS) == PAGE.count("```{explorer}") == 4
    for path in ("README.md", "book/intro.md", "book/explorers.md"):
        assert re.search(r"[Ff]our figures (of the book )?with sliders", (ROOT / path).read_text(encoding="utf-8")), (
            path
        )


# ------------------------------------------------------------------------------------- what the page says to observe


def at(view, **moved):
    """The values of the sliders of a view: those of its start, but for what is moved, to a text or to numbers."""
    texts = {**sliders.VIEWS[view], **moved}
    return {name: sliders.value(name, one) if isinstance(one, str) else one for name, one in texts.items()}


def initialization(values):
    return Initialization.at_distance(values["c_pt"], values["relative"], values["gamma_ft"])


def every(name):
    """All values of a slider."""
    return np.array(SLIDERS[name].values)


def shares(**moved):
    """The shares of the corners I, II and III where the sliders of the first figure are."""
    values = at("plane", **moved)
    return measures(values["beta_ft"], values["beta_pt"], initialization(values)).shares


def anywhere(step=4, **moved):
    """Values of the sliders of the first figure in all combinations, each `step` positions apart and at its ends."""
    names = [name for name in sliders.VIEWS["plane"] if name not in moved]
    grid = np.meshgrid(*(np.unique([*every(name)[::step], every(name)[-1]]) for name in names))
    return {name: axis.ravel() for name, axis in zip(names, grid, strict=True)} | moved


def error(**moved):
    """The errors of fine-tuning and of the single task from the same scale, where the sliders of the second are."""
    values = at("error", **moved)
    omega = values["overlap"] * min(1, sliders.RHO_PT / values["rho_ft"])
    teacher, noise = SpikeSlab(sliders.RHO_PT, values["rho_ft"], omega), values["noise_var"]
    init, single = initialization(values), SingleTask(values["rho_ft"]).mixture(Initialization(values["c_pt"]))
    if values["alpha_pt"] < 1:
        tuned = two_stage_curve(values["alpha"], teacher, init, values["alpha_pt"], noise_ft=noise).mse
    else:
        tuned = replica_curve(values["alpha"], teacher, init, noise).mse
    return tuned, replica_curve(values["alpha"], single, noise_var=noise).mse


def best(**moved):
    values = at("best", **moved)
    teacher = SpikeSlab(sliders.RHO_PT, values["rho_ft"], values["overlap"])
    return best_initialization(teacher, values["alpha"], values["noise_var"], usual={})


class Learning:
    """The learning curves where the sliders of the last figure are: fine-tuning, and the task alone."""

    def __init__(self, **moved):
        values = at("scaling", **moved)
        shares = sliders.RHO_PT, sliders.RHO_PT, values["overlap"]
        tasks = PowerLawTasks(sliders.FEATURES, values["a"], values["b"], *shares)
        self.alone, self.scale = replace(tasks, pretrained=False), Initialization(values["c_pt"])
        self.laws = {
            "tuned": (tasks, initialization(values)),
            "single": (self.alone, self.scale),
            "lazy": (self.alone, Initialization(sliders.LAZY)),
        }

    def error(self, name, n):
        tasks, init = self.laws[name]
        return learning_curves(tasks, [init], n)[0]

    def exponent(self, name, n):
        """The local exponents that the figure shows at each of the numbers of examples."""
        pairs = np.array([[one / 1.05, one * 1.05] for one in n])
        errors = self.error(name, pairs.ravel()).reshape(-1, 2)
        return np.array([exponent(*of).value for of in zip(pairs, errors, strict=True)])

    def factor(self, n):
        """The examples that the task needs alone, in units of those of fine-tuning."""
        return examples_needed(self.error("tuned", n), self.alone, self.scale) / n


def without_use(_):
    one, two, three = shares()
    assert three < 0.001 and min(one, two) > 0.3  # on the edge between I and II
    one, two, three = shares(beta_pt="0")
    assert two == 0 and three > 0.1 and one > DOMINANT
    assert shares(beta_pt="0", c_pt="10")[0] < 0.1  # a matter of the scale


def towards_minus_one(_):
    one, _, three = shares(relative=every("relative"))
    assert np.all(np.diff(one) < 0) and np.all(three < 0.001)
    assert one[0] < 0.95 and one[0] - one[10] < 0.02  # a decade of the distance from -1 does little, short of I


def larger_readout(bullet):
    assert "at the end of the slider it is in regime III whatever" in bullet
    moved, gamma = shares(gamma_ft=every("gamma_ft")), every("gamma_ft")
    assert np.all(np.abs(moved - moved[:, :1])[:, gamma <= 0.1] < 0.03) and moved[2, -1] > 0.99
    assert np.min(shares(**anywhere(gamma_ft=gamma[-1]))[2]) >= DOMINANT


def small_coefficients(_):
    one = shares(beta_ft=every("beta_ft"))[0]
    assert np.all(np.diff(one) > 0) and one[1] < 1e-4
    assert np.all(shares(**anywhere(beta_ft=0.0))[0] == 0)


def wrong_features(bullet):
    assert "takes that back where data are few, and makes it worse where they are many" in bullet
    tuned, single = error(overlap="0", alpha=every("alpha"))
    assert np.all(tuned > single)
    for gamma in ("0.5", "1", "3.2", "10"):
        few, many = error(overlap="0", gamma_ft=gamma, alpha=np.array([0.05, 0.4]))[0]
        assert few < error(overlap="0", alpha="0.05")[1] and many > error(overlap="0", alpha="0.4")[0]


def refining(bullet):
    assert "from 1 towards $-1$. At $\\alpha = 0.05$ the error falls more than tenfold; at $\\alpha = 0.02$" in bullet
    texts, alpha = SLIDERS["relative"].texts[::7], np.array([0.05, 0.02])
    assert texts[-1] == "1"
    found = np.array([error(rho_ft="0.01", relative=text, alpha=alpha)[0] for text in texts])
    assert found[-1, 0] > 10 * found[0, 0]
    assert 1.1 * found[:, 1].min() < min(found[0, 1], found[-1, 1])


def dense_task(bullet):
    assert "From a small scale the error is above 1" in bullet and "from a large one it is $1 - \\alpha$" in bullet
    alpha = every("alpha")
    tuned, _ = error(rho_ft="0.9", c_pt="0.000001", alpha=alpha)
    assert np.all(tuned[alpha <= 0.3] > 1) and tuned[-1] < 1
    for one in error(rho_ft="0.9", c_pt="10", alpha=alpha):
        assert one == pytest.approx(1 - alpha, rel=0.005)


def fewer_pretraining_data(_):
    scales, single = ("0", "0.25", "0.5", "0.75", "1"), error()[1]
    clean, noisy = ([error(alpha_pt=one, noise_var=noise)[0] for one in scales] for noise in ("0", "0.1"))
    assert np.all(np.diff(clean) < 0) and clean[0] > single > 2 * clean[-1]  # from no advantage to a large one
    assert np.all(np.diff(noisy) < 0) and np.all(np.array(noisy) > clean)


def trusted(_):
    used, unused = np.array([best(overlap=one).scales for one in ("0", "0.5", "1")]).T
    assert np.all(np.diff(used / unused) > 0.5)  # the vertical axis


def noisy_labels(_):
    found = [best(noise_var=one) for one in ("0", "0.01", "0.1", "1")]
    assert np.all(np.diff([one.scales[1] for one in found]) > 0)  # the horizontal axis
    assert np.all(np.diff([one.measures.ell_order for one in found]) > 0)


def level(bullet):
    n = every("examples")
    assert n[0] == 10 and n[-1] == 10**4  # three decades
    small = Learning(c_pt="0.000001")
    slopes = [small.exponent(name, n[n <= 1000][::5]) for name in small.laws]
    assert (
        "up to a thousand examples the curves are nearly parallel" in bullet and np.max(np.ptp(slopes, axis=0)) < 0.08
    )
    factor = small.factor(n[::3])
    counted = factor[factor * n[::3] <= 10**sliders.LONGEST]
    assert len(counted) == len(factor) - 1 and np.all(np.diff(counted) < 0)
    last = small.factor(n[-2:-1]).item()  # the last that is counted, as the one after is not
    assert last * n[-2] < 10**sliders.LONGEST < factor[-1] * n[-1]
    assert f"{last:.1f} to {counted[0]:.1f} times the examples, as far as the figure counts them" in bullet
    assert "to 0.1, and the factor is gone at the right end" in bullet
    assert Learning(c_pt="0.1").factor(n[-1:]) == pytest.approx(1, abs=0.03)


def steep_task(bullet):
    steep = Learning(a="4", c_pt="0.000001")
    a, b = (sliders.value(name, text) for name, text in (("a", "4"), ("b", sliders.VIEWS["scaling"]["b"])))
    assert lazy_exponent(a + b, b) == 2 * b < a + b - 1  # less than the exponent of the coefficients that are left
    tuned, lazy = (steep.exponent(name, [10.0, 100.0, 1000.0, 10000.0]) for name in ("tuned", "lazy"))
    assert "larger at ten examples, and at a hundred it has fallen below" in bullet
    assert tuned[0] > lazy[0] + 0.5 and np.all(tuned[1:] < lazy[1:] - 0.1)


def no_overlap(bullet):
    n = every("examples")[::10]
    before = Learning(overlap="0").factor(n)
    assert np.all(before < 1)
    assert "takes most of that back, and all of it where examples are many" in bullet
    for near in ("-0.99", "-1 + 0.001", "-1 + 0.000001"):
        after = Learning(overlap="0", relative=near).factor(n)
        assert np.all(1 - after < 0.5 * (1 - before)) and after[-1] > 1


def lazy_readout(bullet):
    n = every("examples")[::5]
    assert "up to a thousand examples" in bullet and "$\\cPT = 10^{-6}$" in bullet
    for scale, low, high in (("0.001", 0.0, 0.25), ("0.000001", -0.08, 0.08)):
        moved, start = Learning(c_pt=scale, gamma_ft="10"), Learning(c_pt=scale)
        assert moved.error("tuned", n) == pytest.approx(moved.error("lazy", n), rel=0.05)
        more = (start.exponent("lazy", n) - start.exponent("tuned", n))[n <= 1000]
        assert np.all((low < more) & (more < high))


TRIED = {  # the beginnings of what the page says to try, in its order
    "From the start, move $\\betaPT$ to 0": without_use,
    "Move $\\lambdaPT/\\cPT$ towards $-1$": towards_minus_one,
    "Raise $\\gammaFT$: first nothing": larger_readout,
    "Lower $\\betaFT$": small_coefficients,
    "From the start, move $\\omega$ to 0: fine-tuning now does worse": wrong_features,
    "From the start, where $\\omega = 1$, lower $\\rhoFT$ to 0.01": refining,
    "From the start, raise $\\rhoFT$ to 0.9": dense_task,
    "Pin the start, and lower": fewer_pretraining_data,
    "Move $\\omega$ from 0 to 1: the dot climbs": trusted,
    "Add noise": noisy_labels,
    "From the start, lower $\\cPT$ to $10^{-6}$": level,
    "Raise $a$ to 4 with $\\cPT = 10^{-6}$": steep_task,
    "From the start, move $\\omega$ to 0: all that pretraining found": no_overlap,
    "From the start, raise $\\gammaFT$": lazy_readout,
}


@pytest.mark.parametrize("beginning", TRIED)
def test_who_tries_what_the_page_says_sees_what_it_says(beginning):
    (bullet,) = (one for one in BULLETS if one.startswith(beginning))
    TRIED[beginning](bullet)


def test_whatever_the_page_says_to_try_is_tried_here():
    assert len(BULLETS) == len(TRIED)
    numbers = {"Two": 2, "Three": 3, "Four": 4, "Five": 5}
    lists = re.findall(r"^(\w+) things to try:\n\n((?:- .*\n)+)", PAGE, re.M)
    assert [numbers[word] for word, _ in lists] == [items.count("\n") for _, items in lists]
    assert sum(numbers[word] for word, _ in lists) == len(TRIED)
