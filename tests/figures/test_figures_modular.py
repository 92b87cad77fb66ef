"""The figures of the chapter on modular arithmetic: every series is where it belongs, with the numbers of the table."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from ptft.book.results import results_file
from ptft.figures import modular as drawn
from ptft.figures.data import data_of
from ptft.modular import protocol, trends
from ptft.trends import curve, trend, values_of


@pytest.fixture(scope="module")
def table():
    stored = pd.read_parquet(results_file("modular.parquet"))
    return stored[stored["seed"] < 2]


def series(fig):
    found = {}
    for row in data_of(fig):
        found.setdefault((row["panel"], row["series"]), []).append((row["x"], row["y"]))
    return found


def test_features_are_coloured_by_the_tasks_that_hold_them():
    fig = drawn.features({"nested": ((1, 3), (3,)), "new": ((1, 3), (2,))}, 4)
    found = series(fig)
    assert found[1, "both"] == [(3, 0)] and found[1, "fine-tuning"] == [(2, 1)]
    assert found[1, "pretraining"] == [(1, 0), (1, 1), (3, 1)]


def test_spectra_are_shares_of_the_power_above_frequency_0():
    powers = {"one": np.array([9.0, 1.0, 3.0]), "two": np.array([0.0, 2.0, 2.0])}
    found = series(drawn.spectra(powers, [1], {"one": [], "two": [2]}))
    assert max(y for _, y in found[1, "pretraining"] if np.isfinite(y)) == 0.25
    assert max(y for _, y in found[2, "fine-tuning"] if np.isfinite(y)) == 0.5 and (2, "neither") not in found


def test_reuse_maps_settings_and_frequencies_with_those_of_pretraining_first():
    power = {"a": np.array([9.0, 1.0, 3.0, 0.0]), "b": np.array([0.0, 1.0, 0.0, 1.0])}
    fig = drawn.reuse({"before": power, "after": power}, [2], {"before": [], "after": [3]})
    cells = [row for row in data_of(fig) if row["kind"] == "cells" and row["panel"] == 2]
    values = {(row["y"], row["x"]): row["value"] for row in cells}
    assert values == {
        ("a", "2"): 0.75,
        ("a", "3"): 0,
        ("a", "1"): 0.25,
        ("b", "2"): 0,
        ("b", "3"): 0.5,
        ("b", "1"): 0.5,
    }
    assert [row["x"] for row in cells[:3]] == ["2", "3", "1"] and {row["series"] for row in cells} == {
        "share of the power"
    }
    with pytest.raises(ValueError, match="must be the same"):
        drawn.reuse({"before": power, "after": {"a": power["a"]}}, [2], {"before": [], "after": []})


def test_sparsity_has_the_errors_of_all_places_and_the_theory_of_the_quadratic_network(table):
    found = series(drawn.sparsity(table, 240))
    for panel, network, column in (
        (1, "transformer", "error"),
        (2, "quadratic", "error"),
        (3, "quadratic", "diagonal"),
    ):
        for place in trends.PLACES:
            errors = trends.errors_by_size(table, network, place, 240, column)
            wanted = [(size, 2 ** np.mean(list(one.values()))) for size, one in errors.items()]
            np.testing.assert_allclose(found[panel, place], wanted, rtol=1e-6)


@pytest.mark.parametrize(("knob", "rows"), [("kappa", 3), ("gamma", 3), ("embedding", 1)])
def test_errors_are_geometric_means_and_embedding_is_a_knob_of_the_transformer_alone(table, knob, rows):
    fig = drawn.errors(table, knob)
    assert len(fig.axes) == 3 * rows
    found, runs = series(fig), trends.runs(table, "transformer", "new")
    for value in values_of(runs, knob):
        n, mean, _ = curve(runs, knob, value, "error")
        np.testing.assert_allclose(found[3, f"{drawn.SYMBOLS[knob]} × {value:g}"], np.stack([n, 2**mean], 1), rtol=1e-6)
    names = {name for panel, name in found if panel > 6}
    assert not any("pretrained" in str(name) for name in names), "the theory is for what is pretrained"


def test_slopes_of_all_networks_knobs_and_tasks_are_there(table):
    found = series(drawn.slopes_by_size(table))
    wanted = {
        (4 * i + j + 1, task)
        for i, one in enumerate(protocol.PROTOCOLS.values())
        for j, knob in enumerate(("kappa", "c", "gamma", "embedding"))
        for task in ("nested", "reuse", "new", "random")
        if knob in dict(one.knobs) and task in dict(one.cells)
    }
    assert wanted == {key for key in found if key[1] in ("nested", "reuse", "new", "random")}
    effects = trend(trends.runs(table, "classifier", "new"), "c", "error", 1)
    np.testing.assert_allclose([y for _, y in found[10, "new"]], [one.mean for one in effects.values()])


def test_orders_lie_between_minus_one_and_one(table):
    found = series(drawn.orders(table))
    values = [
        y for (_, name), points in found.items() if name in ("diagonal network", "tangent kernel") for _, y in points
    ]
    assert len(values) == 3 * 2 * len(protocol.SAMPLE_SIZES) and np.all(np.abs(values) <= 1)


def test_shares_are_drawn_beside_the_equations(table):
    kappa, theory = np.array([0.1, 1.0]), np.array([0.99, 0.7])
    found = series(drawn.shares(table, kappa, theory, theory / 2, 240))
    assert found[1, "quadratic, at least"] == list(zip(kappa, theory / 2, strict=True))
    assert found[1, "quadratic, equations"] == list(zip(kappa, theory, strict=True))
    runs = trends.runs(table, "quadratic", "new")
    at = runs[(runs["n"] == 240) & (runs["knob"] == "kappa") & (runs["value"] == 0.1)]
    assert dict(found[1, "quadratic"])[0.1] == pytest.approx(at["on_pt_before"].mean())
    assert dict(found[2, "quadratic, after"])[0.1] == pytest.approx(at["on_ft_after"].mean())


def test_lengths_hold_the_losses_and_the_steps_of_all_networks(table):
    found = series(drawn.pretraining_lengths(table, {"one": np.array([0.5, 0.25])}))
    assert found[1, "one"] == [(1, 0.5), (2, 0.25)]
    assert {name for panel, name in found if panel == 2} == set(drawn.NAMES.values())


def test_attention_has_both_measures_of_each_point():
    found = series(drawn.attention({"at the start": {1.0: (2.9, 0.1), 2.0: (1.2, 1.6)}, "later": {1.0: (2.0, 1.0)}}))
    assert found[1, "at the start"] == [(1.0, 2.9), (2.0, 1.2)] and found[2, "later"] == [(1.0, 1.0)]
