"""The tables of the live figures: what they say between their nodes, and how they are stored."""

import base64
import json
import math

import numpy as np
import pytest
from ptft.book.interpolation import Axis, InterpolationTable
from ptft.book.live_figures import ERROR_AXES, error_table, task

from ptft import Initialization, SingleTask, SpikeSlab, replica_curve
from ptft.book import live_figures, sliders
from ptft.book.results import results_file
from ptft.book.sliders import SLIDERS
from ptft.figures.live import errors
from ptft.regimes import measures
from ptft.replica import data_scale

RNG = np.random.default_rng(5)


def exact(text):
    """The number that a slider shows as `text`."""
    return sum(float(part) for part in text.split("+"))


def setting(rng, names):
    """A random position of the named sliders: what they show, and the coordinates of it."""
    at = {name: int(rng.integers(len(SLIDERS[name].texts))) for name in names}
    return {n: exact(SLIDERS[n].texts[i]) for n, i in at.items()}, {n: SLIDERS[n].coordinates[i] for n, i in at.items()}


# ------------------------------------------------------------------------------------------------------- interpolation


def test_polynomials_are_interpolated_exactly_in_each_panel_and_beyond():
    axis = Axis.smooth((0.0, 1.0, 4.0), 3)
    assert axis.nodes.size == 7 and axis.nodes[[0, 3, 6]] == pytest.approx([0, 1, 4])
    cubic = InterpolationTable((axis,), axis.nodes**3 - axis.nodes)
    for x in (-0.5, 0.0, 0.3, 1.0, 2.2, 4.0, 4.5):
        assert cubic.fix(x) == pytest.approx(x**3 - x, abs=1e-12)


def test_panels_are_independent():
    axis = Axis.smooth((-1.0, 0.0, 1.0), 2)
    kink = InterpolationTable((axis,), np.abs(axis.nodes))
    assert kink.fix(0.37) == pytest.approx(0.37)


def test_arguments_are_fixed_from_the_first():
    axes = (Axis(np.array([0.0, 1.0])), Axis(np.array([0.0, 2.0, 4.0])))
    table = InterpolationTable(axes, np.add.outer(10 * axes[0].nodes, axes[1].nodes))
    assert table.fix(0.5) == pytest.approx([5, 7, 9])
    assert table.fix(0.5, 3.0) == pytest.approx(8)


def test_an_encoded_table_has_sixteen_bits_a_value():
    values = RNG.normal(size=(3, 2))
    stored = json.loads(json.dumps(InterpolationTable((Axis(np.arange(3.0)), Axis(np.arange(2.0))), values).encode()))
    steps = np.frombuffer(base64.b64decode(stored["data"]), "<u2").reshape(3, 2)
    step = (stored["high"] - stored["low"]) / 65535
    assert stored["low"] + step * steps == pytest.approx(values, abs=0.51 * step)
    assert [axis["nodes"] for axis in stored["axes"]] == [[0, 1, 2], [0, 1]]


# ---------------------------------------------------------------------------------------------------------- the sliders


def test_sliders_show_exact_values_in_order():
    for name, slider in SLIDERS.items():
        values = [exact(text) for text in slider.texts]
        assert np.all(np.diff(values) > 0) and np.all(np.diff(slider.coordinates) > 0), name
        shift = {"relative": 1.0}.get(name, 0.0)
        logarithmic = name in ("c_pt", "relative", "rho_ft", "alpha")
        given = [math.log10(v + shift) if logarithmic else v for v in values]
        assert slider.coordinates == pytest.approx(given, abs=1e-9), name
    assert exact(SLIDERS["relative"].texts[-1]) == 1 and exact(SLIDERS["relative"].texts[0]) == -1 + 1e-6


def test_every_overlap_is_possible_and_nearly_its_share_of_the_largest():
    for rho, row in zip(SLIDERS["rho_ft"].texts, sliders.overlaps(), strict=True):
        for share, omega in zip(SLIDERS["overlap"].texts, row, strict=True):
            SpikeSlab(sliders.RHO_PT, float(rho), float(omega))
            assert float(omega) == pytest.approx(float(share) * min(1, sliders.RHO_PT / float(rho)), abs=1e-4)


# --------------------------------------------------------------------------------------------- the measures and sqrt(k)


@pytest.fixture(scope="module")
def plane():
    return live_figures.plane_tables()


def test_measures_off_the_grid(plane):
    """At 300 positions of the sliders; only the scale lies between nodes there, and 1e-4 is below what is shown."""
    rng = np.random.default_rng(1)
    for _ in range(300):
        value, at = setting(rng, ("c_pt", "relative", "gamma_ft", "beta_pt"))
        init = Initialization(value["c_pt"], value["relative"] * value["c_pt"], value["gamma_ft"])
        expected = measures(sliders.BETA_FT, value["beta_pt"], init)
        scale = plane["scale"].fix(at["c_pt"], at["relative"], at["beta_pt"])
        kappa = plane["kappa"].fix(at["c_pt"], at["beta_pt"])
        ell = plane["ell_order"].fix(scale, at["gamma_ft"])
        dependence = plane["pretraining_dependence"].fix(scale, at["gamma_ft"], kappa)
        assert ell == pytest.approx(expected.ell_order, abs=1e-4), value
        assert dependence == pytest.approx(expected.pretraining_dependence, abs=1e-4), value
        root = plane["with_gamma"].fix(scale, at["gamma_ft"])
        assert root == pytest.approx(np.log10(init.sqrt_k(value["beta_pt"])), abs=1e-4), value
        shares = [plane[f"share_{name}"].fix(ell, dependence) for name in ("I", "II", "III")]
        assert shares == pytest.approx(expected.shares, abs=2e-4), value


# -------------------------------------------------------------------------------------------------------- error curves


@pytest.mark.parametrize(
    ("teacher", "init"),
    [
        (SpikeSlab(0.1, 0.1, 0.5), Initialization(1e-3)),
        (SpikeSlab(0.1, 0.01, 1.0), Initialization(1e-6, -0.99e-6)),
        (SpikeSlab(0.1, 0.9, 0.0), Initialization(1e-3, 0.0, 10.0)),
        (SingleTask(0.1), Initialization(1.0)),
    ],
)
def test_the_data_scale_is_the_inverse_of_the_solver(teacher, init):
    curve = replica_curve(np.array([0.02, 0.1, 0.2, 0.4]), teacher, init)
    mixture = teacher.mixture(init)
    assert data_scale(curve.tau2, mixture) == pytest.approx(curve.alpha, rel=1e-8)


def test_bad_arguments_of_the_data_scale_are_named():
    with pytest.raises(ValueError, match=r"tau2 = -1.*positive"):
        data_scale(np.array([1.0, -1.0]), task(-1.0, 1.0, 0.0, 0.0))


def test_a_point_of_the_axes_is_a_task():
    init = Initialization(1e-3, -0.9e-3, 0.1)
    active, inactive = np.log10(init.sqrt_k(1.0)), np.log10(init.sqrt_k(0.0))
    mine, theirs = task(np.log10(0.3), 0.6, active, active - inactive), SpikeSlab(0.1, 0.3, 0.2).mixture(init)
    for name in ("weight", "mean", "variance", "k"):
        assert getattr(mine, name) == pytest.approx(getattr(theirs, name)), name


@pytest.fixture(scope="module")
def stored():
    return live_figures.read_error_table(results_file("explorer.parquet"))


def test_a_sample_of_the_stored_table_is_computed_again(stored):
    rng = np.random.default_rng(2)
    for _ in range(60):
        index = tuple(int(rng.integers(axis.nodes.size)) for axis in ERROR_AXES[:-1])
        mixture = task(*(axis.nodes[i] for axis, i in zip(ERROR_AXES, index, strict=False)))
        assert stored.values[index] == pytest.approx(
            np.log10(data_scale(10 ** ERROR_AXES[-1].nodes, mixture)), abs=1.1e-4
        )


def test_less_error_takes_more_data(stored):
    """Each error belongs to one data scale (there is one solution), so that no curve of the table turns back."""
    assert np.all(np.diff(stored.values, axis=-1) <= 0)


def position(rng):
    """A random position of the sliders, as a place on the first four axes of the table."""
    value, at = setting(rng, ("c_pt", "relative", "gamma_ft", "rho_ft", "overlap"))
    if rng.random() < 0.5:
        value["gamma_ft"] = 0.0  # where the relative scale matters most
    init = Initialization(value["c_pt"], value["relative"] * value["c_pt"], value["gamma_ft"])
    active, inactive = np.log10(init.sqrt_k(1.0)), np.log10(init.sqrt_k(0.0))
    if rng.random() < 0.2:  # a single task
        active = inactive = np.log10(2 * value["c_pt"])
    return at["rho_ft"], at["overlap"], active, active - inactive


def test_error_curves_off_the_grid(stored):
    """How far a point lies from the true curve: along alpha or along the error, whichever is nearer, in log10.

    The last bound is that of the sharp peak near alpha = 0.05 where one scale is a thousand times the other or more.
    """
    rng = np.random.default_rng(77)
    alpha = np.array([0.01, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5])
    distance = []
    for _ in range(200):
        rho, share, active, ratio = position(rng)
        mixture, curves = task(rho, share, active, ratio), InterpolationTable(stored.axes[2:], stored.fix(rho, share))
        found = live_figures.read_errors(curves, alpha, (active, active - ratio))
        expected = replica_curve(alpha, mixture).mse
        assert np.all(found[expected < sliders.FLOOR] < 1.3 * sliders.FLOOR)
        seen = (expected > sliders.FLOOR) & (found > 0)
        along_error = np.abs(np.log10(found[seen] / expected[seen]))
        if np.any(seen):
            along_alpha = np.abs(np.log10(data_scale(found[seen] / alpha[seen], mixture) / alpha[seen]))
            distance += np.minimum(along_error, along_alpha).tolist()
    assert len(distance) > 1000
    assert np.quantile(distance, 0.9) < 0.0004  # 0.1 %
    assert np.quantile(distance, 0.99) < 0.004  # 1 %
    assert np.max(distance) < 0.06


def test_a_table_of_other_axes_is_refused(tmp_path, stored, monkeypatch):
    path = tmp_path / "explorer.parquet"
    live_figures.write_error_table(path, stored)
    assert live_figures.read_error_table(path).values == pytest.approx(stored.values, abs=1e-12)
    monkeypatch.setattr(live_figures, "RHO_PT", 0.2)
    with pytest.raises(ValueError, match="other nodes"):
        live_figures.read_error_table(path)


def test_the_table_of_some_panels_is_that_part_of_the_whole(stored):
    parts = [slice(0, 2), slice(0, 1), slice(4, 6), slice(3, 5), slice(8, 17)]
    axes = tuple(Axis(axis.nodes[part], 1) for axis, part in zip(ERROR_AXES, parts, strict=True))
    assert error_table(axes).values == pytest.approx(stored.values[tuple(parts)], abs=1.1e-4)


def test_the_picture_shows_every_curve_down_to_the_floor():
    alpha = np.array([0.1, 0.2, 0.3])
    ax = errors(alpha, {"a": 10.0**-alpha, "b": np.zeros(3)}, floor=1e-4).axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.lines[0].get_ydata() == pytest.approx(10.0**-alpha) and ax.get_ylim() == (1e-4, 10)


@pytest.mark.parametrize(
    ("name", "said"),
    [("wrong.csv", "must end in .parquet"), ("none/table.parquet", "none"), ("other.parquet", "other")],
)
def test_a_table_that_cannot_be_written_is_refused_before_it_is_computed(tmp_path, monkeypatch, capsys, name, said):
    (tmp_path / "other.parquet").write_text("something else")
    monkeypatch.setattr(live_figures, "error_table", lambda: pytest.fail("it was computed"))
    with pytest.raises(SystemExit) as ended:
        live_figures.main(["--out", str(tmp_path / name)])
    assert ended.value.code == 2 and said in capsys.readouterr().err
