"""The table over all testbeds: its verdicts are those of the stored tables, and change with them."""

import re

import numpy as np
import pandas as pd
import pytest

from ptft.book import testbeds
from ptft.book.results import results_file
from ptft.sweeps import diagonal


@pytest.fixture(scope="module")
def simulations():
    table, _ = diagonal.SWEEP.read_table(results_file("simulations.parquet"))
    return table[table["d"] == table["d"].max()]


def verdicts(table):
    beds = {("diagonal network", task): testbeds.diagonal_testbed(table, task) for task in testbeds.DIAGONAL_TASKS}
    return {
        (task, knob): one.pooled.verdict
        for (_, task), of in testbeds.findings(beds).items()
        for knob, one in of.items()
    }


def test_every_knob_of_the_simulations_has_three_values_for_each_seed_and_data_scale(simulations):
    for task in testbeds.DIAGONAL_TASKS:
        bed = testbeds.diagonal_testbed(simulations, task)
        assert not bed.duplicated(["seed", "knob", "value", "n"]).any()
        for knob in ("kappa", "c", "gamma"):
            rows = bed[bed["knob"].isin([knob, "baseline"])]
            assert rows.groupby(["seed", "n"])["value"].nunique().eq(3).all()


def test_a_table_in_which_two_values_change_places_has_the_opposite_verdict(simulations):
    before = verdicts(simulations)
    assert before["nested", "gamma"] == before["reuse", "c"] == "agree"
    changed = simulations.copy()
    changed["gamma_ft"] = changed["gamma_ft"].map({0.0: 10.0, 1.0: 1.0, 10.0: 0.0}).fillna(changed["gamma_ft"])
    base = (changed["c_pt"] == 1e-3) & (changed["lambda_pt"] == 0)
    after = verdicts(pd.concat([changed[base], simulations[~base]]))
    assert after["nested", "gamma"] == "disagree"


def test_classes_are_measured_by_their_wrong_answers_and_not_by_how_sure_the_network_is_of_them():
    table = pd.read_parquet(results_file("modular.parquet"))
    sure = table.assign(test_error=table["test_error"] ** 2)
    for network, same in (("classifier", True), ("transformer", False)):
        one, other = (testbeds.modular_testbed(rows, network, "new")["error"] for rows in (table, sure))
        assert np.array_equal(one, other) == same
    bed = testbeds.modular_testbed(table, "classifier", "new")
    rows = table.loc[bed.index]
    np.testing.assert_allclose(bed["error"], (rows["tested"] - rows["correct"]) / rows["tested"])


def test_noise_that_hides_an_effect_leaves_it_undecided(simulations):
    rng = np.random.default_rng(0)
    noisy = simulations.assign(mse=simulations["mse"] ** 0 * np.exp(rng.normal(size=len(simulations))))
    assert list(verdicts(noisy).values()).count("undecided") >= 8


def test_an_entry_counts_sizes_on_either_side_and_corrects_them():
    rng = np.random.default_rng(1)
    rows = [
        (s, knob, value, n, slope * np.log2(value) + 0.01 * rng.normal())
        for s in range(6)
        for n, slope in ((10, 1.0), (20, 1.0), (30, -0.5), (40, 0.0))
        for knob, value in (("baseline", 1.0), ("c", 0.5), ("c", 2.0))
    ]
    table = pd.DataFrame(rows, columns=testbeds.COLUMNS)
    assert str(testbeds.finding(table, "c")) == "**smaller** (2/1 of 4)"
    assert testbeds.finding(table, "gamma") is None
    short = table[~((table["n"] == 10) & (table["value"] == 2.0))]
    assert str(testbeds.finding(short, "c")).endswith("(1/1 of 3)"), "a size that lacks a value is left out"


def test_the_table_of_all_stored_experiments_has_a_row_for_each_testbed():
    beds = testbeds.every_testbed()
    text = testbeds.comparison(beds)
    assert text.startswith(":::{table} Which value") and ":name: tab-testbeds" in text
    rows = [
        line.split(" | ") for line in text.splitlines() if re.match(r"\| (diagonal|residual|quadratic|Trans)", line)
    ]
    assert len(rows) == len(beds) >= 13
    assert all(
        str(len(set(table["seed"]))) == row[-1].strip(" |") for row, table in zip(rows, beds.values(), strict=True)
    )
