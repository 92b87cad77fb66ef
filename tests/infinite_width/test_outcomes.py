"""How curves, ends and comparisons are read from a table of runs on two tasks in a row."""

import numpy as np
import pandas as pd
import pytest

from ptft.book.results import results_file
from ptft.infinite_width import outcomes
from ptft.infinite_width.outcomes import (
    at_equal_train_loss,
    at_time,
    balance,
    curves,
    disagreements,
    ends,
    growth_power,
    interior_minimum,
    largest_ratios,
    law_distances,
    offset,
    ratios,
    ratios_on_the_way,
    recorded_time,
    spread,
    stopped_by_time,
    unpredicted,
)


def made_up(values, quantity="test_loss", **point):
    """A table of runs with the given losses at times 0, 1, ..., one run for each draw."""
    base = {"figure": "3a", "dataset": "gaussian", "P1": 1, "P2": 1, "kind": "theory", "width": 2, "gamma_2": 1.0}
    rows = [
        {**base, "start": "centred", **point, "draw": draw, "quantity": quantity, "x": float(x), "value": value}
        for draw, losses in enumerate(values)
        for x, value in enumerate(losses)
    ]
    return pd.DataFrame(rows, columns=list(outcomes.COLUMNS))


def test_the_last_loss_of_a_run_that_converged_stands_for_later_times():
    table = made_up([[3.0, 2.0, 1.0], [4.0, 0.5]])
    assert curves(table).to_numpy().tolist() == [[3, 4], [2, 0.5], [1, 0.5]]
    assert ends(table).tolist() == [1.0, 0.5]
    assert ends(at_time(table, 1.9)).tolist() == [2.0, 0.5]
    assert spread(ends(table)) == r"$0.75 \pm 0.35$"
    scratch = made_up([[4.0, 4.0, 4.0], [1.0]], start="scratch")
    assert ratios(pd.concat([table, scratch]), figure="3a").to_numpy().tolist() == [[0.25, 0.5]]


def test_network_and_theory_are_compared_at_each_time_that_both_have():
    network = made_up([[2.2, 0.9, 7.0], [1.0, 1.0]], kind="network")
    found = disagreements(pd.concat([made_up([[2.0, 1.0], [1.0, 1.0, 3.0]]), network]), figure="3a")
    assert found.to_numpy() == pytest.approx([0.1, 0.0])
    with pytest.raises(ValueError, match="runs of network and theory"):
        disagreements(network)
    with pytest.raises(ValueError, match="the columns of one run of each draw"):
        curves(pd.concat([made_up([[2.0]]), network]))


def test_runs_that_time_has_stopped_are_compared_with_others_at_the_loss_that_all_reach():
    """At the train loss 0.1, which lies between two recorded times, and at 0.5, which a run has at a recorded time."""
    table = pd.concat(
        [
            made_up([[1.0, 0.03, 0.0001]], "train_loss"),
            made_up([[9.0, 4.0, 1.0]]),
            made_up([[0.0] * 12], "density"),
            made_up([[1.0, 0.5, 0.03]], "train_loss", start="scratch"),
            made_up([[9.0, 9.0, 8.0]], start="scratch"),
            made_up([[1.0, 0.9, 0.8]], "train_loss", start="source"),
        ]
    )
    ended, level = at_equal_train_loss(table)
    assert level == {"3a": 0.1}
    centred, scratch = (9 - 5 * np.log(1 / 0.1) / np.log(1 / 0.03), 9 - np.log(0.5 / 0.1) / np.log(0.5 / 0.03))
    assert ratios(ended, figure="3a").to_numpy() == pytest.approx(np.array([[centred / scratch]]))
    earlier, level = at_equal_train_loss(table, 0.5)
    sooner = 9 - 5 * np.log(1 / 0.5) / np.log(1 / 0.03)
    assert level == {"3a": 0.5} and ratios(earlier, figure="3a").to_numpy() == pytest.approx(np.array([[sooner / 9]]))
    at_once, _ = at_equal_train_loss(table, 2.0)  # which all runs are below when they begin
    assert ratios(at_once, figure="3a").to_numpy().tolist() == [[1.0]]
    for of, loss in ((ended, 0.1), (earlier, 0.5)):
        last = of[(of["quantity"] == "train_loss") & (of["start"] != "source")].groupby("start")["value"].min()
        assert last.to_numpy() == pytest.approx(loss)
    with pytest.raises(ValueError, match=r"train_loss = 0\.001 is not allowed: it must be at least"):
        at_equal_train_loss(table, 0.001)
    kept = ended.groupby(["quantity", "start"]).size()
    assert kept["density", "centred"] == 12 and kept["train_loss", "source"] == 3
    assert stopped_by_time(table, 0.001).groupby("start").sum().to_dict() == {"centred": 0, "scratch": 1, "source": 1}


def test_a_time_cuts_losses_and_nothing_else():
    assert len(at_time(made_up([[0.0] * 12], "density"), 3.0)) == 12


def test_the_last_recorded_time_is_the_one_at_which_a_table_is_cut():
    table = made_up([[3.0, 2.0, 1.0], [4.0, 0.5]])
    assert recorded_time(table, 1.9, start="centred") == 1.0
    assert ends(at_time(table, recorded_time(table, 1.9))).equals(ends(at_time(table, 1.9)))
    with pytest.raises(ValueError, match="at least 0, the first that was recorded"):
        recorded_time(table, -1.0)


def test_an_advantage_that_is_lost_on_the_way_is_found_though_both_ends_have_it():
    """In the mean the loss is lower early and late, and higher at the time 2, when one run has ended."""
    scratch = made_up([[1.0, 0.8, 0.6, 0.6], [1.0, 0.8, 0.6, 0.6]], start="scratch")
    table = pd.concat([scratch, made_up([[1.0, 0.4, 0.72, 0.3], [1.0, 0.66]])])
    for table_at in (at_time(table, 1.0), table):
        assert outcomes.geometric_mean(ratios(table_at, figure="3a")) < 1
    found = largest_ratios(table, after=1.0, figure="3a")
    assert list(found.index) == [(1.0, 2.0)] and found.to_numpy() == pytest.approx(np.array([[1.2, 1.1]]))
    with pytest.raises(ValueError, match="below 3, the last recorded time"):
        largest_ratios(table, after=3.0, figure="3a")


def test_on_the_way_runs_are_compared_at_one_train_loss_over_all_gamma():
    runs = [("centred", 1.0, 0.4), ("centred", 2.0, 0.9), ("scratch", 1.0, 0.8), ("scratch", 2.0, 0.8)]
    table = pd.concat(
        made_up([[1.0, end]], quantity, start=start, gamma_2=g)
        for start, g, loss in runs
        for quantity, end in (("train_loss", 0.1), ("test_loss", loss))
    )
    found = ratios_on_the_way(table, [0.5, 0.1], figure="3a")
    assert found[0.1] == pytest.approx([np.sqrt(0.5 * 0.9 / 0.8)])
    way = np.log(2) / np.log(10)
    at_half = [1 - way * (1 - loss) for *_, loss in runs]
    assert found[0.5] == pytest.approx([np.sqrt(at_half[0] * at_half[1] / (at_half[2] * at_half[3]))])


def test_an_offset_is_the_mean_over_draws_of_times_that_all_have():
    theory, network = made_up([[2.0, 1.0, 1.0], [1.0, 1.0]]), made_up([[2.0, 1.02, 9.0], [1.0, 0.98]], kind="network")
    found = offset(pd.concat([theory, network]), figure="3a")
    logs = np.log([1.02, 0.98])
    assert found.last.mean == pytest.approx(logs.mean()) and found.deviation == pytest.approx(logs.std(ddof=1))
    assert (found.low, found.high) == (found.last.low, found.last.high) and found.low < 0 < found.high
    biased = offset(pd.concat([theory, made_up([[2.0, 0.9], [1.0, 0.91]], kind="network")]), figure="3a")
    assert biased.last.verdict == "disagree" and biased.high == 0  # of the start, where both are the same


def test_a_theory_that_does_not_train_on_the_target_does_not_predict_the_law_after_it():
    """On photographs the target moves the law by so little that a bound of 0.02 alone lets such a theory pass."""
    stored = pd.read_parquet(results_file("cifar_10/larger_source/rich_transfer.parquet"))
    found = law_distances(stored)
    assert np.all(unpredicted(found, most=0.02, share=0.5) < 0)
    of_theory = (stored["kind"] == "theory") & (stored["quantity"] == "density")
    source = stored[of_theory & (stored["start"] == "source")]
    stays = [source.assign(start="centred", gamma_2=g) for g in found.by_target.index]
    untouched = law_distances(pd.concat([stored[~(of_theory & (stored["start"] == "centred"))], *stays]))
    assert np.all(untouched.by_target == 0) and (untouched.from_theory.max() < 0.021).all()
    assert np.all(unpredicted(untouched, most=0.021, share=0.5) > 0)


def test_a_balance_needs_a_minimum_inside_and_less_forgetting_there():
    losses = pd.DataFrame({0: [0.5, 0.4, 0.6], 1: [0.4, 0.5, 0.6], 2: [0.5, 0.4, 0.6]})
    forgotten = pd.DataFrame({0: [0.1, 0.2, 0.8], 1: [0.1, 0.2, 0.8], 2: [0.1, 0.9, 0.8]})
    assert (balance(losses, forgotten) < 1).tolist() == [True, False, False]
    assert (interior_minimum(losses) < 1).tolist() == [True, False, True]
    with pytest.raises(ValueError, match="at least 3"):
        interior_minimum(losses.iloc[:2])
    with pytest.raises(ValueError, match="as that of loss"):
        balance(losses, forgotten.iloc[:2])


def test_the_source_loss_grows_as_the_square_of_gamma_where_the_function_of_the_target_stays():
    """With a misfit on the source its overlap with that function counts, most of all at the smallest gamma_2."""
    gamma = np.array([0.1, 1.0, 2.0])
    after = pd.DataFrame({0: 0.2 + 0.5 * gamma**2, 1: 0.3 + 0.5 * gamma**1.5, 2: 0.4 + 0.5 * gamma**2 - 0.1 * gamma})
    found = growth_power(pd.Series([0.2, 0.3, 0.4]), after.set_index(gamma))
    assert found[:2] == pytest.approx([2, 1.5]) and np.isnan(found[2])
    with pytest.raises(ValueError, match="at least 2"):
        growth_power(after.iloc[0], after.set_index(gamma).iloc[:1])
    with pytest.raises(ValueError, match="as those of after"):
        growth_power(pd.Series([0.2, 0.3]), after.set_index(gamma))
