"""Comparisons that are paired over seeds: differences, slopes, intervals, and many of them at once."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ptft import trends


def synthetic(slope, seeds=6):
    """Accuracy falling by `slope` per doubling, around a level of its own for each seed."""
    settings = [("baseline", 1.0), ("c", 0.5), ("c", 2.0), ("c", 8.0)]
    rows = [(s, k, v, 10, 0.5 + 0.05 * s - (slope + 0.001 * s) * np.log2(v)) for s in range(seeds) for k, v in settings]
    return pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "accuracy"])


def test_slopes_and_differences_are_paired_by_seed_and_meet_at_the_baseline():
    table = synthetic(0.02)
    np.testing.assert_allclose(trends.slopes(table, "c", 10), [-0.02 - 0.001 * s for s in range(6)])
    np.testing.assert_allclose(trends.differences(table, "c", 8.0, 10), [-3 * (0.02 + 0.001 * s) for s in range(6)])
    sizes, mean, error = trends.curve(table, "c", 1.0)
    assert sizes.tolist() == [10] and mean[0] == pytest.approx(0.625)
    assert error[0] == pytest.approx(np.std(0.05 * np.arange(6), ddof=1) / np.sqrt(6))


def test_change_per_doubling_is_the_line_of_least_squares():
    values, y = [0.25, 1.0, 3.0, 8.0], np.random.default_rng(0).normal(size=(3, 2, 4))
    fitted = np.polyfit(np.log2(values), y.reshape(6, 4).T, 1)[0]
    np.testing.assert_allclose(trends.per_doubling(values, y), fitted.reshape(3, 2))
    for bad in ([2.0], [2.0, 2.0], [0.0, 1.0]):
        with pytest.raises(ValueError, match="values"):
            trends.per_doubling(bad, bad)
    with pytest.raises(ValueError, match="shape of measured"):
        trends.per_doubling([1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(("slope", "verdict"), [(0.02, "agree"), (-0.02, "disagree"), (-0.0025, "undecided")])
def test_verdict_says_on_which_side_of_zero_the_interval_lies(slope, verdict):
    effect = trends.paired_effect(trends.slopes(synthetic(slope), "c", 10), expected_sign=-1)
    assert effect.verdict == verdict and effect.low < effect.mean < effect.high and effect.seeds == 6


def test_interval_covers_the_mean_of_normal_samples_at_its_level():
    draws = np.random.default_rng(0).normal(size=(2000, 5))
    effects = [trends.paired_effect(x, 1) for x in draws]
    covered = np.mean([e.low <= 0 <= e.high for e in effects])
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 2000))


def test_several_rows_of_a_seed_are_refused():
    table = synthetic(0.02)
    with pytest.raises(ValueError, match="it must have one for each seed"):
        trends.curve(pd.concat([table, table]), "c", 2.0)


def test_trends_and_gains_run_over_the_table():
    table = pd.concat([synthetic(0.02), synthetic(0.03).assign(n=20)])
    found = trends.trend(table, "c")
    assert list(found) == [10, 20] and found[20].mean == pytest.approx(-0.0325) and found[20].verdict == "agree"
    assert trends.trend(table, "c", expected_sign=1)[20].verdict == "disagree"
    gained = trends.gains(table, "c")
    assert list(gained) == [(v, n) for v in (0.5, 2.0, 8.0) for n in (10, 20)]
    assert gained[0.5, 10].mean == pytest.approx(0.0225) and gained[8.0, 20].mean == pytest.approx(-3 * 0.0325)
    assert all(effect.verdict == "agree" for effect in gained.values())  # a gain below 1, a loss above
    assert trends.sizes_of(table) == [10, 20]
    assert str(trends.Effect(0.0213, 0.01, 0.0326, 6, "agree")) == "+2.1\u00a0±\u00a01.1"


def test_trends_refuse_what_the_table_does_not_hold():
    with pytest.raises(ValueError, match="must be in the table"):
        trends.by_seed(synthetic(0.1), "c", 3.0, 10)
    with pytest.raises(ValueError, match="number of samples = 1"):
        trends.paired_effect([1.0], 1)
    with pytest.raises(ValueError, match="expected_sign = 2"):
        trends.paired_effect([1.0, 2.0], 2)


def test_common_points_are_those_of_all_tables_in_the_order_of_each():
    table = synthetic(0.02)
    few, rest = table[table["seed"] > 1].iloc[::-1], table[table["value"] != 8.0]
    found = trends.common_points([table, few, rest])
    every = {tuple(row) for row in few[few["value"] != 8.0][["seed", "knob", "value", "n"]].itertuples(index=False)}
    assert len(every) == 12
    for one, given in zip(found, (table, few, rest), strict=True):
        assert {tuple(row) for row in one[["seed", "knob", "value", "n"]].itertuples(index=False)} == every
        assert one.equals(given.loc[one.index]) and one.index.tolist() == [i for i in given.index if i in one.index]
    assert trends.common_points([table, table[table["seed"] == 0]], ["knob", "value"])[0].equals(table)
    assert [len(one) for one in trends.common_points([few, table[table["seed"] == 0]])] == [0, 0]


def test_differences_over_sizes_are_those_of_the_seeds_that_have_all_sizes():
    table = pd.concat([synthetic(0.02), synthetic(0.03).assign(n=20)])
    for value in (0.5, 2.0, 8.0):
        each = [trends.differences(table, "c", value, n) for n in (10, 20)]
        np.testing.assert_allclose(trends.differences_over_sizes(table, "c", value), np.mean(each, axis=0))
    lost = table[~((table["seed"] == 2) & (table["n"] == 20) & (table["value"] == 2.0))].iloc[::-1]
    every = trends.differences_over_sizes(table, "c", 2.0)
    np.testing.assert_allclose(trends.differences_over_sizes(lost, "c", 2.0), np.delete(every, 2))
    with pytest.raises(ValueError, match="knob, value, n = 'c', 3, 10 is not allowed"):
        trends.differences_over_sizes(table, "c", 3.0)


def test_mean_differences_are_over_the_values_on_one_side_and_all_sizes():
    table = pd.concat([synthetic(0.02), synthetic(0.03).assign(n=20)])
    per_doubling = np.array([0.025 + 0.001 * s for s in range(6)])
    np.testing.assert_allclose(trends.mean_differences(table, "c", "below"), per_doubling)
    np.testing.assert_allclose(trends.mean_differences(table, "c", "above"), -2 * per_doubling)
    each = [trends.differences(table, "c", v, n) for v in (2.0, 8.0) for n in (10, 20)]
    np.testing.assert_allclose(trends.mean_differences(table, "c", "above"), np.mean(each, axis=0))
    with pytest.raises(ValueError, match=r"side = 'above' is not allowed: it must be one on which c has values"):
        trends.mean_differences(table[table["value"] <= 1], "c", "above")


def test_the_pooled_slope_is_the_mean_over_sizes_of_the_seeds_that_have_all():
    table = pd.concat([synthetic(0.02), synthetic(0.04).assign(n=20)])
    np.testing.assert_allclose(trends.pooled_slopes(table, "c"), [-0.03 - 0.001 * s for s in range(6)])
    holes = table[~((table["seed"] == 2) & (table["n"] == 20) & (table["value"] == 8.0))]
    np.testing.assert_allclose(trends.pooled_slopes(holes, "c"), [-0.03 - 0.001 * s for s in (0, 1, 3, 4, 5)])


def test_what_is_not_pretrained_is_no_baseline_whatever_its_value():
    rows = [(s, k, 1.0, 10, x) for s in range(2) for k, x in (("baseline", 0.5), ("untrained", 0.3), ("c", 0.1))]
    table = pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "accuracy"])
    assert trends.by_seed(table, "untrained", 1.0, 10) == {0: 0.3, 1: 0.3}
    assert trends.by_seed(table, "c", 1.0, 10) == {0: 0.5, 1: 0.5}


def test_the_p_value_is_that_of_the_t_test():
    x = np.random.default_rng(0).normal(0.3, 1, 8)
    assert trends.paired_effect(x, 1).p_value == pytest.approx(stats.ttest_1samp(x, 0).pvalue)
    assert trends.paired_effect([1.0, 1.0], 1).p_value == 0 and trends.paired_effect([0.0, 0.0], 1).p_value == 1


def test_holm_tells_from_zero_what_its_procedure_does_and_nothing_else():
    """Against the adjusted p-values by their definition: the largest (m - rank) p of those up to each."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        effects = [trends.paired_effect(rng.normal(mean, 1, 6), 1) for mean in rng.uniform(-2, 2, 7)]
        p = np.array([effect.p_value for effect in effects])
        order = np.argsort(p)
        adjusted = np.empty(7)
        adjusted[order] = np.maximum.accumulate(p[order] * (7 - np.arange(7)))
        told = [effect.verdict != "undecided" for effect in trends.holm(effects)]
        assert told == (adjusted <= 0.05).tolist()
        assert [one.low > 0 or one.high < 0 for one in trends.simultaneous(effects)] == told
        assert all(a.mean == b.mean and b.verdict in (a.verdict, "undecided")
                   for a, b in zip(effects, trends.holm(effects), strict=True))  # fmt: skip


def test_holm_keeps_its_level_where_nothing_has_an_effect():
    draws = np.random.default_rng(2).normal(size=(1000, 5, 6))
    wrong = [any(one.verdict != "undecided" for one in trends.holm(trends.paired_effect(x, 1) for x in family))
             for family in draws]  # fmt: skip
    assert np.mean(wrong) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_signs_are_told_where_the_weaker_of_both_effects_is():
    up, down = (trends.paired_effect(sign * np.array([1.0, 1.1, 0.9, 1.05]), 1) for sign in (1, -1))
    weak = trends.paired_effect([0.2, 0.9, 0.1, 0.5], 1)  # p between 0.05 and 0.15
    assert 0.05 < weak.p_value < 0.15
    pairs = [(up, down), (down, up), (down, down), (up, weak), (weak, down)]
    found = trends.opposed(pairs)
    assert [one.verdict for one in found] == ["agree", "agree", "disagree", "undecided", "undecided"]
    assert [one.mean > 0 for one in found] == [True, True, False, False, True]
    assert [one.p_value for one in found] == pytest.approx([max(a.p_value, b.p_value) for a, b in pairs])
    assert all(one.low < one.mean < one.high for one in found)
    surer = trends.paired_effect([0.4, 0.6, 0.5, 0.5], 1)
    assert [one.verdict for one in trends.opposed([(up, surer)])] == ["disagree"]


def test_signs_of_pairs_of_which_one_is_zero_are_seldom_told():
    rng = np.random.default_rng(3)

    def pair():
        return tuple(trends.paired_effect(rng.normal(mean, 1, 6), 1) for mean in (0, 5))

    families = [trends.holm(trends.opposed(pair() for _ in range(4))) for _ in range(400)]
    wrong = [any(one.verdict != "undecided" for one in family) for family in families]
    assert np.mean(wrong) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_a_single_seed_has_a_trend_and_no_verdict():
    table = synthetic(-0.03)
    table = table[table["seed"] == 0]
    found = trends.trend(table, "c")
    assert {one.verdict for one in found.values()} == {"undecided"} == {trends.pooled_trend(table, "c").verdict}
    assert trends.pooled_trend(table, "c").mean == pytest.approx(np.mean([one.mean for one in found.values()]))


def test_a_difference_is_that_of_the_seeds_that_both_have():
    found = trends.difference({0: 1.0, 1: 3.0, 5: 9.0}, {1: 1.0, 0: 0.0, 2: 7.0}, -1)
    assert (found.mean, found.seeds) == (1.5, 2)
    with pytest.raises(ValueError, match="samples"):
        trends.difference({0: 1.0}, {1: 1.0})
