"""How curves, ends and comparisons are read from a table of runs on two tasks in a row."""

import numpy as np
import pandas as pd
import pytest

from ptft.infinite_width import outcomes
from ptft.infinite_width.outcomes import (
    at_equal_train_loss,
    at_time,
    curves,
    disagreements,
    ends,
    ratios,
    spread,
    stopped_by_time,
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
