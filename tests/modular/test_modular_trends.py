"""What is said of the stored runs on modular arithmetic: slopes, orders, shares, and what new phases cost."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from ptft import modular
from ptft.checks import modular as checks
from ptft.modular import theory, trends
from ptft.trends import effect, pooled_trend, trend

POWERS = {f"power{task}_{when}": 1.0 for when in ("before", "after") for task in ("", "_pt", "_ft")}


def synthetic(seeds=4, slopes=None):
    """Errors 2^(seed + slope log2 value) of a quadratic network, with slopes by task at n = 60, twice those at 120."""
    slopes = slopes or {"nested": 0.5, "new": -0.25}
    settings = [("baseline", 1.0), ("kappa", 0.5), ("kappa", 4.0), ("untrained", 1.0), ("untrained", 4.0)]
    rows = []
    for relation, slope in slopes.items():
        for s in range(seeds):
            for knob, value in settings:
                for n in (60, 120):
                    log = s + (n // 60) * (slope + 0.01 * s) * np.log2(value) + 3 * (knob == "untrained")
                    rows.append(("quadratic", relation, 1, knob, value, n, s, 2.0**log, 2.0**-log, 2.0 ** (3 * log)))
    columns = ["network", "relation", "size", "knob", "value", "n", "seed", "test_error"]
    table = pd.DataFrame(rows, columns=[*columns, "tangent_error", "diagonal_error"])
    return table.assign(correct=90, tested=100, **POWERS)


def test_slopes_are_those_of_the_logarithm_and_their_means_over_sizes_are_pooled():
    runs = trends.runs(synthetic(), "quadratic", "nested")
    found = trend(runs, "kappa", "error", 1)
    assert list(found) == [60, 120]
    assert found[60].mean == pytest.approx(0.515) and found[120].mean == pytest.approx(1.03)
    assert pooled_trend(runs, "kappa", "error", 1).mean == pytest.approx((0.515 + 1.03) / 2)
    assert pooled_trend(runs, "kappa", "error", 1).verdict == "agree"
    assert pooled_trend(runs, "kappa", "error", -1).verdict == "disagree"
    assert runs["wrong"].to_numpy() == pytest.approx(0.1)


def test_a_single_seed_decides_nothing():
    runs = trends.runs(synthetic(seeds=1), "quadratic", "nested")
    one = pooled_trend(runs, "kappa", "error", 1)
    assert (one.verdict, one.seeds, one.p_value) == ("undecided", 1, 1.0) and one.mean == pytest.approx(0.75)
    with pytest.raises(ValueError, match="expected_sign = 2"):
        effect([1.0], 2)


def test_a_seed_with_an_error_that_is_no_number_is_left_out():
    table = synthetic()
    table.loc[(table["seed"] == 1) & (table["n"] == 60) & (table["knob"] == "kappa"), "test_error"] = np.nan
    assert sorted(trends.runs(table, "quadratic", "nested")["seed"].unique()) == [0, 2, 3]
    with pytest.raises(ValueError, match="no complete seed of the quadratic on nested tasks"):
        trends.runs(table.assign(test_error=np.nan), "quadratic", "nested")


def test_the_smallest_size_is_taken_unless_another_is_asked_for():
    table = pd.concat([synthetic().assign(size=3), synthetic()])
    assert trends.runs(table, "quadratic", "nested")["size"].unique().tolist() == [1]
    assert trends.runs(table, "quadratic", "nested", 3)["size"].unique().tolist() == [3]


def test_errors_by_size_are_those_of_the_baseline_with_the_frequencies_at_a_place():
    table = pd.concat([synthetic(slopes={"nested": 0.5, "reuse": 1.0, "new": 2.0}).assign(size=3), synthetic()])
    table.loc[table["relation"] == "reuse", "size"] = 5
    found = trends.errors_by_size(table, "quadratic", "inside", 60)
    assert list(found) == [1, 3, 5] and found[5] == pytest.approx({s: s for s in range(4)})
    assert list(trends.errors_by_size(table, "quadratic", "beside", 60, "diagonal")) == [1, 3]
    with pytest.raises(ValueError, match="n = 90 is not allowed: the table must have it, with tasks new"):
        trends.errors_by_size(table, "quadratic", "beside", 90)
    with pytest.raises(ValueError, match="place = 'nowhere'"):
        trends.errors_by_size(table, "quadratic", "nowhere", 60)


def test_denser_and_farther_compare_numbers_and_places_by_seed():
    slopes = {"nested": 0.5, "reuse": 1.0, "half": 1.0, "new": 2.0, "dense": 0.0}
    table = pd.concat([synthetic(slopes=slopes).assign(size=size) for size in (1, 2, 4)])
    table = table[~(table["relation"].isin(["half", "dense", "reuse"]) & (table["size"] != 2))]
    table.loc[table["relation"] == "reuse", "size"] = 5
    table["test_error"] *= table["size"] ** 2.0
    table.loc[table["relation"] == "new", "test_error"] *= 8.0
    denser = trends.denser(table, "quadratic", 60)
    x, y = np.log2([1, 2, 4, 5]), 2 * np.log2([1, 2, 4, 5])
    assert {key: one.mean for key, one in denser.items()} == pytest.approx(
        {"inside": np.polyfit(x, y, 1)[0], "beside": 2.0}
    )
    farther = trends.farther(table[table["seed"] != 1], "quadratic", 60)
    wanted = {
        ("inside", "beside", 1): 3,
        ("inside", "half", 2): 0,
        ("half", "beside", 2): 3,
        ("inside", "beside", 4): 3,
    }
    assert {key: one.mean for key, one in farther.items()} == pytest.approx(wanted)
    assert {one.seeds for one in farther.values()} == {3}


def test_contrasts_are_differences_of_slopes_of_the_seeds_that_both_have():
    nested, new = (trends.runs(synthetic(), "quadratic", task) for task in ("nested", "new"))
    assert trends.contrast(nested, new, "kappa", 120).mean == pytest.approx(1.5)
    assert trends.contrast(nested, new[new["seed"] != 2], "kappa").seeds == 3
    assert trends.contrast(new, nested, "kappa").mean == pytest.approx(-0.75 * 1.5)


def test_a_minimum_at_the_baseline_is_seen_from_either_side_of_it():
    table = synthetic()
    rising = trends.runs(table, "quadratic", "nested")
    bent = rising.assign(error=rising["seed"] + 3 * abs(np.log2(rising["value"])))
    assert [one.mean for one in trends.either_side(bent, "kappa")] == pytest.approx([-3, 3])
    assert [one.verdict for one in trends.either_side(bent, "kappa")] == ["disagree", "agree"]
    assert trends.inner_minimum(bent, "kappa") and not trends.inner_minimum(rising, "kappa")
    assert [one.mean for one in trends.either_side(rising, "kappa")] == pytest.approx([1.5 * 0.515] * 2)
    with pytest.raises(ValueError, match="it must have values below and above 1"):
        trends.either_side(rising[rising["value"] >= 1], "kappa")


def test_factors_that_are_not_told_from_the_best_are_named_with_it():
    runs = trends.runs(synthetic(), "quadratic", "nested")
    assert trends.best_factors(runs, "kappa", 60) == [0.5]
    noise = np.where(runs["value"] == 0.5, 0.6 * (runs["seed"] % 2), 0.0)  # of one of two alike
    alike = runs.assign(error=np.where(runs["value"] == 4, 9.0, 0.0) + noise)
    assert trends.best_factors(alike, "kappa", 60) == [1.0, 0.5]
    assert trends.best_factors(runs.assign(error=0.0), "kappa", 60) == [0.5, 1.0, 4.0]


def test_an_error_is_always_above_a_level_where_the_best_pretrained_setting_is():
    runs = trends.runs(synthetic(), "quadratic", "nested")
    logs = {
        n: runs[(runs["n"] == n) & (runs["knob"] == "kappa")].groupby("value")["error"].mean().min() for n in (60, 120)
    }
    assert logs[120] < logs[60]  # the smallest kappa
    between = 2 ** ((logs[60] + logs[120]) / 2)
    assert trends.always_above(runs, between) == [60] and trends.always_above(runs, 2 ** (logs[120] - 1)) == [60, 120]
    cheap = runs["error"].where(runs["knob"] != "untrained", -99.0)
    assert trends.always_above(runs.assign(error=cheap), between) == [60], "what was not pretrained is not asked"


def test_pretraining_is_worth_what_the_error_without_it_exceeds():
    runs = trends.runs(synthetic(), "quadratic", "nested")
    for kappa in (1.0, 4.0):
        assert all(one.mean == pytest.approx(3) for one in trends.worth(runs, kappa).values())
    assert trends.worth(runs, 1.0, expected_sign=-1)[60].verdict == "disagree"


@settings(max_examples=40, deadline=None)
@given(slope=st.floats(-5, 5), noise=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_errors_by_likeness_follow_the_runs_whichever_way_these_go(slope, noise, seed):
    """Made-up runs whose baseline depends on how much the tasks are alike, in other settings the other way round."""
    rng = np.random.default_rng(seed)
    seeds = rng.permutation(12)  # in any order
    alike = {int(s): (0.2, 0.6, 1.0)[s % 3] + 1e-9 * s for s in seeds}  # the same but for rounding
    error = {int(s): slope * alike[int(s)] + noise * rng.standard_normal() for s in seeds}
    settings_of = [
        ("baseline", 1.0, 60, 1),
        ("baseline", 1.0, 120, -1),
        ("kappa", 0.5, 60, -1),
        ("untrained", 1, 60, 0),
    ]
    rows = [(int(s), knob, v, n, sign * error[int(s)]) for s in seeds for knob, v, n, sign in settings_of]
    table = pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"])
    found = trends.by_likeness(table, alike, 60)
    assert list(found) == [0.2, 0.6, 1.0] and all(len(logs) == 4 for logs in found.values())
    for i, logs in enumerate(found.values()):
        assert sorted(logs) == sorted(error[s] for s in error if s % 3 == i)
    r, low, high = trends.likeness_correlation(table, alike, 60)
    if np.ptp(list(error.values())) > 1e-6:
        assert r == pytest.approx(np.corrcoef([round(alike[s], 3) for s in error], list(error.values()))[0, 1])
        assert -1 <= low <= r <= high <= 1
        other = trends.likeness_correlation(table, alike, 120)  # the opposite runs, the opposite table
        assert other == pytest.approx((-r, -high, -low))
        if abs(slope) > 10 * noise:
            means = [logs.mean() for logs in found.values()]
            assert (np.sign(np.diff(means)) == np.sign(slope)).all() and np.sign(low) == np.sign(high) == np.sign(slope)


def test_a_likeness_that_decides_nothing_is_told_from_zero_as_rarely_as_the_interval_says():
    rng, told = np.random.default_rng(0), 0
    for _ in range(200):
        table = pd.DataFrame(
            {"seed": range(10), "knob": "baseline", "value": 1.0, "n": 60, "error": rng.normal(size=10)}
        )
        _, low, high = trends.likeness_correlation(table, {s: (0.2, 0.6, 1.0)[s % 3] for s in range(10)}, 60)
        told += low > 0 or high < 0
    assert 2 <= told <= 20  # about 5 %


def test_without_a_difference_there_is_no_correlation_and_each_seed_needs_its_likeness():
    runs = trends.runs(synthetic(), "quadratic", "nested")
    assert np.isnan(trends.likeness_correlation(runs, dict.fromkeys(range(4), 0.6), 60)).all()
    assert np.isnan(trends.likeness_correlation(runs.assign(error=0.0), {s: float(s) for s in range(4)}, 60)).all()
    with pytest.raises(ValueError, match=r"alike has no number for the seeds \[2, 3\]"):
        trends.by_likeness(runs, {0: 0.2, 1: 0.2}, 60)


def test_tasks_in_phase_are_alike_by_the_sum_of_their_signs():
    for seed in range(8):
        first, second = modular.two_tasks("reuse in phase", 5, seed=seed)
        signs = np.cos(np.subtract(second.phases, first.phases))
        assert modular.likeness(first, second) == pytest.approx(abs(signs.sum()) / 5)
    apart, _ = modular.two_tasks("new", 1, seed=0)
    assert modular.likeness(*modular.two_tasks("new", 1, seed=0)) == pytest.approx(0, abs=1e-12)
    assert modular.likeness(apart, apart) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"second\.p = 11"):
        modular.likeness(apart, modular.ScalarTask(11, (1,), (0.0,)))


def test_orders_agree_with_a_prediction_that_rises_with_the_error_and_not_with_one_that_falls():
    runs = trends.runs(synthetic(), "quadratic", "nested")
    np.testing.assert_allclose(trends.order_agreement(runs, "diagonal", 60), 1)
    np.testing.assert_allclose(trends.order_agreement(runs, "tangent", 60), -1)
    assert np.isnan(trends.order_agreement(runs.assign(diagonal=1.0), "diagonal", 60)).all(), "a constant has no order"
    with pytest.raises(ValueError, match="n = 90 is not allowed"):
        trends.order_agreement(runs, "tangent", 90)


def test_steps_are_medians_over_seeds_with_the_baseline_among_the_values():
    rows = [("quadratic", *setting, s, steps + s, how) for s in range(3) for setting, steps, how in (
        (("baseline", 1.0), 100, "loss"), (("kappa", 0.1), 900, "cap"), (("kappa", 2.0), 120, "loss"))]  # fmt: skip
    columns = ["network", "knob", "value", "seed", "pretraining_steps", "pretraining_stopped_by"]
    found = trends.pretraining_steps(pd.DataFrame(rows, columns=columns), "quadratic", "kappa")
    assert found == {0.1: (901.0, 1.0), 1.0: (101.0, 0.0), 2.0: (121.0, 0.0)}


# --- what the chapter shows of single networks ------------------------------------------------------------------------


def test_attention_is_of_the_fourth_order_in_the_scale_and_sees_all_places_at_a_small_one():
    saturated = modular.attention_of(modular.new_transformer(11, seed=0, kappa=30.0))  # whose small weights underflow
    assert saturated[0] == pytest.approx(1, abs=1e-3) and np.isfinite(saturated[1])
    spreads = {kappa: modular.attention_of(modular.new_transformer(11, seed=0, kappa=kappa)) for kappa in (0.2, 1, 3)}
    assert spreads[0.2][0] == pytest.approx(3, abs=1e-3) and 1 <= spreads[3][0] < 2
    assert spreads[3][1] / spreads[1][1] == pytest.approx(81, rel=1e-3)
    network = modular.new_transformer(5, seed=1)
    weights = network.attention(modular.examples(np.zeros((5, 5))).pairs)
    assert weights.shape == (3, 25, 4) and np.allclose(weights.sum(0), 1, atol=1e-6)


def test_adam_forgets_the_scale_of_the_loss_and_gradient_descent_does_not():
    task = modular.ScalarTask(11, (1, 3), (0.0, 1.0))
    data, start = modular.examples(task.table), modular.new_quadratic(11, 32, seed=0)
    assert all(checks.adam_from_other_scales(start, data, c).holds for c in (1.0, 2.0, 4.0))
    c = 2.0
    larger = modular.Examples(data.pairs, c**3 * data.targets)
    slopes = [start.gradient(data)[1], modular.scaled(start, embedding=c, readout=c).gradient(larger)[1]]
    for name, slope in slopes[0].items():
        np.testing.assert_allclose(slopes[1][name], c**5 * slope, rtol=1e-10, atol=1e-12)


def test_the_strengths_of_wide_networks_are_those_of_the_law_and_not_those_of_another_scale():
    task = modular.ScalarTask(11, (1, 3), (0.0, 1.0))
    run = modular.train(modular.new_quadratic(11, 1000), modular.examples(task.table), loss_below=1e-3)
    network = modular.with_new_readout(run.network, 0.01)
    found = {k: checks.strengths_by_law(network, task, theory.closed_pretraining(k, 1000, 11, 2), 0.01) for k in (1, 3)}
    assert all(check.holds for check in found[1].values())
    assert not found[3]["new"].holds and not found[3]["out of phase"].holds
