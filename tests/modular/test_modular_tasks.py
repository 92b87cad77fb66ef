"""Frequencies of the numbers modulo p, and tasks with chosen ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptft import modular
from ptft.modular.protocol import CLASSES, FIRST_CLASSES, PROTOCOLS

SEEDS = st.integers(0, 2**32 - 1)
SOME = settings(max_examples=25, deadline=None)


@SOME
@given(p=st.integers(2, 30), seed=SEEDS)
def test_characters_are_an_orthonormal_basis_and_power_obeys_parseval(p, seed):
    basis, frequencies = modular.characters(p)
    np.testing.assert_allclose(basis @ basis.T, np.eye(p), atol=1e-12)
    values = np.random.default_rng(seed).standard_normal((p, 3))
    power = modular.power_by_frequency(values)
    by_basis = [np.sum((basis @ values)[frequencies == k] ** 2) for k in range(p // 2 + 1)]
    np.testing.assert_allclose(power, by_basis, rtol=1e-10, atol=1e-12)
    assert power.sum() == pytest.approx(np.sum(values**2))


@SOME
@given(p=st.integers(2, 16), seed=SEEDS, shift=st.integers(0, 15))
def test_power_of_functions_of_pairs(p, seed, shift):
    rng = np.random.default_rng(seed)
    sums = np.add.outer(np.arange(p), np.arange(p)) % p
    table, by_sum = rng.standard_normal((p, p, 2)), rng.standard_normal(p)
    power, rest = modular.power_of_sums(table)
    assert power.sum() + rest == pytest.approx(np.sum(table**2)) and rest >= 0
    of_sums, none = modular.power_of_sums(by_sum[sums])
    np.testing.assert_allclose(of_sums, p * modular.power_by_frequency(by_sum), atol=1e-9)
    assert none == pytest.approx(0, abs=1e-9)
    moved = np.roll(table, (shift, 1), axis=(0, 1))  # of both numbers, by different shifts
    np.testing.assert_allclose(modular.power_of_sums(moved)[0], power, rtol=1e-9, atol=1e-12)


@SOME
@given(seed=SEEDS, shift=st.integers(1, 12), unit=st.integers(1, 12))
def test_shifts_keep_the_frequencies_and_units_permute_them(seed, shift, unit):
    p = 13
    values = np.random.default_rng(seed).standard_normal((p, 2))
    power = modular.power_by_frequency(values)
    np.testing.assert_allclose(modular.power_by_frequency(np.roll(values, shift, axis=0)), power, rtol=1e-9)
    times = modular.power_by_frequency(values[unit * np.arange(p) % p])
    np.testing.assert_allclose(times[[min(unit * k % p, -unit * k % p) for k in range(7)]], power, rtol=1e-9)
    assert modular.effective_frequencies(times) == pytest.approx(modular.effective_frequencies(power))
    assert modular.share(power, range(1, 7)) == pytest.approx(1)


@SOME
@given(seed=SEEDS, relation=st.sampled_from(modular.RELATIONS), pick=st.integers(0, 20))
def test_two_tasks_have_the_frequencies_of_their_relation(seed, relation, pick):
    sizes = modular.sizes_of(relation, 23, 5)
    size = sizes[pick % len(sizes)]
    first, second = modular.two_tasks(relation, size, seed=seed)
    pt, ft = set(first.frequencies), set(second.frequencies)
    assert (len(pt), len(ft)) == (5, size)
    shared = {"nested": size, "reuse": 5, "new": 0, "half": size / 2}.get(relation.removesuffix(" in phase"), 5)
    assert len(pt & ft) == shared
    assert first == modular.two_tasks("dense", 11, seed=seed)[0]  # the same for all
    for task in (first, second):
        power, rest = modular.power_of_sums(task.table)
        assert rest == pytest.approx(0, abs=1e-8) and power.sum() == pytest.approx(23**2)
        np.testing.assert_allclose(power[list(task.frequencies)], 23**2 / len(task.frequencies))
    if relation.endswith("in phase"):
        phases = dict(zip(first.frequencies, first.phases, strict=True))
        off = [(phase - phases[k]) / np.pi for k, phase in zip(second.frequencies, second.phases, strict=True)]
        np.testing.assert_allclose(off, np.rint(off), atol=1e-12)


def test_classes_have_the_multiples_of_their_step():
    for task in (*CLASSES.values(), FIRST_CLASSES, modular.ClassTask(24, 6, 5, 3)):
        indicators = (task.table[..., None] == np.arange(task.divisor)).astype(float)
        power, rest = modular.power_of_sums(indicators)
        assert rest == pytest.approx(0, abs=1e-8)
        assert set(np.flatnonzero(power[1:] > 1e-8) + 1) == set(task.frequencies)


def test_the_classifiers_tasks_are_nested_the_same_and_new():
    pt = set(FIRST_CLASSES.frequencies)
    assert set(CLASSES["nested"].frequencies) < pt and set(CLASSES["reuse"].frequencies) == pt
    assert not set(CLASSES["new"].frequencies) & pt
    assert [(name, len(task.frequencies)) for name, task in CLASSES.items()] == list(PROTOCOLS["classifier"].cells)
    assert {*map(len, map(np.unique, (CLASSES["reuse"].table, FIRST_CLASSES.table)))} == {6}


def test_an_affine_map_of_classes_permutes_them():
    plain, mapped = modular.ClassTask(30, 6).table, CLASSES["reuse"].table
    assert len({*zip(plain.ravel().tolist(), mapped.ravel().tolist(), strict=True)}) == 6


def test_the_control_has_the_same_outputs_and_no_frequency():
    table = modular.two_tasks("nested", 1, seed=0)[1].table
    control = modular.shuffled(table, 0)
    np.testing.assert_array_equal(np.sort(control.ravel()), np.sort(table.ravel()))
    power, rest = modular.power_of_sums(control)
    assert rest > 0.9 * np.sum(table**2) and power.max() < 0.1 * np.sum(table**2)


def test_fewer_pairs_are_the_first_of_more():
    few, many = (modular.drawn_pairs(5, n, seed=1)[0] for n in (6, 20))
    np.testing.assert_array_equal(few, many[:6])


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: modular.characters(1), "p = 1"),
        (lambda: modular.power_by_frequency(1.0), "values = 1"),
        (lambda: modular.power_of_sums(np.ones((2, 3))), "values has shape"),
        (lambda: modular.share([1.0, 0.0], [1]), "power"),
        (lambda: modular.share([1.0, 1.0], [2]), "frequency = 2"),
        (lambda: modular.effective_frequencies([1.0, 0.0]), "power"),
        (lambda: modular.ScalarTask(6, (1,), (0.0,)), "p = 6"),
        (lambda: modular.ScalarTask(7, (1, 1), (0.0, 0.0)), "distinct"),
        (lambda: modular.ScalarTask(7, (4,), (0.0,)), "frequencies = 4"),
        (lambda: modular.ScalarTask(7, (1,), ()), "phases"),
        (lambda: modular.ClassTask(10, 4), "divisor = 4"),
        (lambda: modular.ClassTask(10, 5, slope=5), "slope = 5"),
        (lambda: modular.two_tasks("nested", 5), "size = 5"),
        (lambda: modular.two_tasks("old", 5), "relation = 'old'"),
    ],
)
def test_what_is_no_task_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
