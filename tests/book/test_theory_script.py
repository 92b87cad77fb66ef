"""The script that solves the theory in a page, compared with the package: function by function, at random settings."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from ptft import Initialization, SingleTask, SpikeSlab, best_initialization, replica_curve, two_stage_curve
from ptft.book import sliders
from ptft.optimal_initialization import Bounds
from ptft.regimes import measures
from ptft.replica import MixtureRows, errors_by_rows, scalar_moments
from ptft.scaling import PowerLawTasks, learning_curves, rank_rule
from ptft.teachers import GaussianMixture

STATES, OF_THEM_TWO_STAGES, TASKS = 600, 20, 6  # book/explorers.md says so
ONE_IN_A_MILLION = 1e-6
NOISES = ("0", "0.001", "0.01", "0.1", "1")
PAGE = (ROOT / "book" / "explorers.md").read_text(encoding="utf-8")
ALL_OF = "generator => { for (;;) { const {done, value} = generator.next(); if (done) return value; } }"


@pytest.fixture(scope="module")
def theory(browser):
    """Calls a function of JavaScript in an empty page that has loaded the script."""
    page = browser.new_page()
    page.add_script_tag(path=str(ROOT / "book" / "_static" / "theory.js"))
    yield lambda code, argument: page.evaluate(code, argument)
    page.close()


def drawn(rng, names, count):
    """Random positions of sliders: an array of values for each."""
    return {name: rng.choice(sliders.SLIDERS[name].values, size=count) for name in names}


def columns(values):
    """A dictionary of arrays as a list of dictionaries of numbers."""
    return [dict(zip(values, map(float, row), strict=True)) for row in zip(*values.values(), strict=True)]


def initialization(one):
    return Initialization.at_distance(one["c_pt"], one["relative"], one["gamma_ft"])


def states(rng, count):
    """Random positions of the sliders of the error curves, with half of the readouts at 0."""
    at = drawn(rng, ("c_pt", "relative", "gamma_ft", "alpha"), count)
    at["gamma_ft"][rng.random(count) < 0.5] = 0.0
    at["noise_var"] = rng.choice([float(text) for text in NOISES], size=count)
    rho, share = rng.integers([[20], [21]], size=(2, count))
    at["rho_ft"] = np.array(sliders.SLIDERS["rho_ft"].values)[rho]
    at["omega"] = np.array([float(sliders.overlaps()[i][j]) for i, j in zip(rho, share, strict=True)])
    return at | {"distance": at["relative"], "rho_pt": np.full(count, sliders.RHO_PT), "alpha_pt": np.ones(count)}


SOLVE = "all => all.map(one => theory.solve(one.alpha, theory.law(one, one), one.noise_var).mse)"


def test_the_page_states_what_is_measured_here():
    text = f"At {STATES} random positions of the sliders, {OF_THEM_TWO_STAGES} of them with imperfect pretraining"
    assert text in PAGE and "by less than one part in a million" in PAGE and ONE_IN_A_MILLION == 1e-6
    assert {6: "At six random tasks"}[TASKS] in PAGE


def test_the_measures_are_those_of_the_package(theory):
    rng = np.random.default_rng(1)
    at = columns(drawn(rng, ("c_pt", "relative", "gamma_ft", "beta_pt", "beta_ft"), 400))
    call = "all => all.map(one => theory.measures(one.beta_ft, one.beta_pt, {...one, distance: one.relative}))"
    for one, found in zip(at, theory(call, at), strict=True):
        expected = measures(one["beta_ft"], one["beta_pt"], initialization(one))
        assert found["ell_order"] == pytest.approx(float(expected.ell_order), rel=1e-9), one
        assert found["pretraining_dependence"] == pytest.approx(float(expected.pretraining_dependence), abs=1e-9), one
        assert found["shares"] == pytest.approx(expected.shares, abs=1e-9), one
        assert found["scale"] == pytest.approx(float(initialization(one).sqrt_k(one["beta_pt"])), rel=1e-12), one


def test_the_moments_and_their_slopes_are_those_of_the_package(theory):
    rng = np.random.default_rng(2)
    names = ("mse", "response", "mse_tau2", "mse_theta", "response_tau2", "response_theta")
    for _ in range(30):
        weight = rng.dirichlet(np.ones(3))
        mean, variance, s = np.array([0.0, 1.5, 0.3]), np.array([2.0, 0.0, 0.5]), 10 ** rng.uniform(-8, 2, size=3)
        tau2, theta = 10 ** rng.uniform(-3, 1, size=2)
        mixture = [dict(zip(("weight", "mean", "variance", "s"), row, strict=True))
                   for row in np.stack([weight, mean, variance, s], axis=1).tolist()]  # fmt: skip
        found = theory("([tau2, theta, mixture]) => theory.moments(tau2, theta, mixture)", [tau2, theta, mixture])
        law = GaussianMixture(weight, mean, variance, s**2)
        expected = scalar_moments(np.array([tau2]), np.array([theta]), law)
        for name in names:
            assert found[name] == pytest.approx(getattr(expected, name)[0], rel=1e-5, abs=1e-9), (name, tau2, theta, s)


def test_the_errors_are_those_of_the_package(theory):
    """Over the whole range of the sliders, and down to errors that no figure shows."""
    at = states(np.random.default_rng(77), STATES - OF_THEM_TWO_STAGES)
    every = columns(at)
    found, expected = np.array(theory(SOLVE, every)), np.empty(len(every))
    laws = [SpikeSlab(sliders.RHO_PT, one["rho_ft"], one["omega"]).groups for one in every]
    for noise in np.unique(at["noise_var"]):
        rows = np.flatnonzero(at["noise_var"] == noise)
        k = np.array([initialization(every[i]).k(laws[i].beta_pt) for i in rows])
        weight, variance = (np.array([getattr(laws[i], name) for i in rows]) for name in ("weight", "variance"))
        mixtures = MixtureRows(weight, 0 * weight, variance, k)
        expected[rows] = errors_by_rows(at["alpha"][rows], mixtures, float(noise), refine=1.0)
    assert np.max(np.abs(found / expected - 1)) < ONE_IN_A_MILLION
    assert np.mean((expected > sliders.FLOOR) & (expected < 10)) > 0.5  # most of them can be read


def test_the_errors_after_imperfect_pretraining_are_those_of_the_package(theory):
    rng = np.random.default_rng(78)
    at = states(rng, OF_THEM_TWO_STAGES)
    at["alpha_pt"] = rng.choice(sliders.SLIDERS["alpha_pt"].values[:-1], size=OF_THEM_TWO_STAGES)
    at["alpha_pt"][:4] = 0.0, 0.3, 0.35, 0.4  # next to where pretraining begins to recover its task
    for one, found in zip(columns(at), theory(SOLVE, columns(at)), strict=True):
        teacher = SpikeSlab(sliders.RHO_PT, one["rho_ft"], one["omega"])
        curve = two_stage_curve(one["alpha"], teacher, initialization(one), one["alpha_pt"], noise_ft=one["noise_var"])
        assert found == pytest.approx(float(curve.mse), rel=ONE_IN_A_MILLION), one


def test_a_single_task_is_learned_as_in_the_package(theory):
    at = columns(drawn(np.random.default_rng(3), ("c_pt", "rho_ft", "alpha", "noise_var"), 20))
    call = "all => all.map(one => theory.solve(one.alpha, theory.single_task(one.rho_ft, one.c_pt), one.noise_var).mse)"
    for one, found in zip(at, theory(call, at), strict=True):
        law = SingleTask(one["rho_ft"]).mixture(Initialization(one["c_pt"]))
        assert found == pytest.approx(float(replica_curve(one["alpha"], law, noise_var=one["noise_var"]).mse), rel=1e-6)


def test_the_moments_of_weighted_penalties_are_those_of_the_package(theory):
    rng = np.random.default_rng(6)
    for _ in range(10):
        weight, variance, v = rng.dirichlet(np.ones(3)), np.array([2.0, 0.0, 0.5]), 10 ** rng.uniform(-3, 2, size=3)
        s, (tau2, theta) = 10 ** rng.uniform(-4, 2, size=3), 10 ** rng.uniform(-3, 1, size=2)
        white = {"weight": weight, "mean": 0 * v, "variance": variance * v, "s": s * np.sqrt(v), "w": 1 / np.sqrt(v)}
        found = theory(
            "([tau2, theta, mixture]) => theory.moments(tau2, theta, mixture)", [tau2, theta, columns(white)]
        )
        expected = scalar_moments(np.array([tau2]), np.array([theta]), GaussianMixture(weight, 0.0, variance, s**2, v))
        for name in ("mse", "response", "mse_tau2", "mse_theta", "response_tau2", "response_theta"):
            assert found[name] == pytest.approx(getattr(expected, name)[0], rel=1e-5, abs=1e-9), (name, tau2, theta, s)


def test_the_learning_curves_of_power_laws_are_those_of_the_package(theory):
    rng = np.random.default_rng(79)
    at = drawn(rng, ("a", "b", "overlap", "c_pt", "relative", "gamma_ft", "examples"), 24)
    at["gamma_ft"][::2] = 0.0
    rank, count = (values.tolist() for values in rank_rule(sliders.FEATURES))
    more = {"rank": rank, "count": count, "rho": sliders.RHO_PT}
    every = columns(at | {"omega": at["overlap"], "distance": at["relative"]})
    call = (
        "([all, more]) => all.map(one => [one, {alone: one.c_pt}].map(init => "
        "theory.solve(one.examples / 1e5, theory.power_laws({...one, ...more}, init), 0).mse))"
    )
    for one, (found, alone) in zip(every, theory(call, [every, more]), strict=True):
        tasks = PowerLawTasks(sliders.FEATURES, one["a"], one["b"], *[sliders.RHO_PT] * 2, one["omega"])
        init, n = initialization(one), [one["examples"]]
        assert found == pytest.approx(learning_curves(tasks, [init], n).item(), rel=ONE_IN_A_MILLION, abs=0), one
        expected = learning_curves(replace(tasks, pretrained=False), [init], n).item()
        assert alone == pytest.approx(expected, rel=ONE_IN_A_MILLION, abs=0), one


def test_a_bad_start_does_not_keep_the_solver_from_the_solution(theory):
    at = columns(states(np.random.default_rng(4), 40))
    good = np.array(theory(SOLVE, at))
    starts = json.dumps([{"u": 300, "w": -300}, {"u": -600, "w": 100}])
    bad = theory(
        f"all => {starts}.map(near => all.map(one => "
        "theory.solve(one.alpha, theory.law(one, one), one.noise_var, near).mse))",
        at,
    )
    for found in bad:
        assert np.array(found) == pytest.approx(good, rel=1e-7)


def test_the_best_initialization_is_as_good_as_that_of_the_package(theory):
    """Its search takes half a second a task in the package, which is why they are few."""
    rng, bounds = np.random.default_rng(5), Bounds()
    allowed = {"c_pt": bounds.c_pt, "distance": [1 + one for one in bounds.relative], "gamma_ft": bounds.gamma_ft}
    allowed["single_task"] = bounds.single_task
    for one in columns(states(rng, TASKS)):
        given = [one, one["alpha"], one["noise_var"], allowed]
        found = theory(f"given => ({ALL_OF})(theory.best_initialization(...given))", given)
        init = Initialization.at_distance(*(found["init"][name] for name in ("c_pt", "distance", "gamma_ft")))
        for name, (low, high) in (("c_pt", bounds.c_pt), ("gamma_ft", bounds.gamma_ft)):
            assert low <= getattr(init, name) <= high
        teacher = SpikeSlab(sliders.RHO_PT, one["rho_ft"], one["omega"])
        expected = best_initialization(teacher, one["alpha"], one["noise_var"], usual={})
        there = float(replica_curve(one["alpha"], teacher, init, one["noise_var"]).mse)
        assert found["mse"] == pytest.approx(there, rel=1e-5), one  # the initialization has this error
        assert found["mse"] <= 1.01 * expected.mse, one
        alone = theory(f"given => ({ALL_OF})(theory.best_single_task(...given))", [one["rho_ft"], *given[1:]])
        assert alone == pytest.approx(expected.single_task.mse, rel=0.01), one
