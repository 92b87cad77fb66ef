"""Simulated experiments: repeatable, nested in alpha, and in agreement with the replica prediction."""

import numpy as np
import pytest

import ptft
from ptft.simulation import sampled_teacher, seeds_with_task, simulate_many, trained_alone

SETTINGS = [
    (ptft.SpikeSlab(0.1, 0.1, 0.5), ptft.Initialization(1e-3)),
    (ptft.SpikeSlab(0.1, 0.1, 1.0), ptft.Initialization(1e-3, 0.0, 1.0)),
    (ptft.SpikeSlab(0.1, 0.9, 0.0), ptft.Initialization(1.0)),
    (ptft.SpikeSlab(0.1, 0.1, 0.5, slab="signs"), ptft.Initialization(1e-3)),
    (ptft.SingleTask(0.1), ptft.Initialization(1e-3)),
]


@pytest.fixture(scope="module")
def simulated():
    """Points of all settings for 20 seeds, together because they share the products with X."""
    return [simulate_many(SETTINGS, 0.3, d=600, seed=seed) for seed in range(20)]


@pytest.mark.parametrize("i", range(len(SETTINGS)))
def test_simulation_agrees_with_the_replica_prediction(simulated, i):
    points = [together[i] for together in simulated]
    assert all(p.converged for p in points)
    mse = np.array([p.mse for p in points])
    error = mse.std(ddof=1) / np.sqrt(len(mse))
    theory = float(ptft.replica_curve(points[0].alpha, *SETTINGS[i]).mse)
    assert abs(mse.mean() - theory) < 4 * error + 0.03 * theory  # the second term for the finite dimension
    assert error < 0.2 * theory  # so that the comparison can fail


def test_label_noise_agrees_with_the_replica_prediction():
    teacher, init = ptft.SpikeSlab(0.1, 0.2, 0.5), ptft.Initialization(1e-2)
    mse = np.array([ptft.simulate(teacher, init, 0.4, d=500, seed=s, noise_var=0.05).mse for s in range(12)])
    theory = float(ptft.replica_curve(0.4, teacher, init, noise_var=0.05).mse)
    noiseless = float(ptft.replica_curve(0.4, teacher, init).mse)
    assert abs(mse.mean() - theory) < 4 * mse.std(ddof=1) / np.sqrt(12) + 0.03 * theory
    assert theory > 1.2 * noiseless


def test_a_seed_repeats_the_experiment():
    arguments = (ptft.SpikeSlab(), ptft.Initialization(1e-2), 0.3, 100)
    one, same, other = (ptft.simulate(*arguments, seed=s) for s in (4, 4, 5))
    assert one == same and one.mse != other.mse
    assert (one.n, one.d, one.seed, one.alpha) == (30, 100, 4, 0.3)


def test_settings_simulated_together_are_those_simulated_alone():
    settings = [
        (ptft.SpikeSlab(0.1, rho, omega), ptft.Initialization(c, share * c))
        for rho, omega, c, share in (
            (0.1, 1.0, 1e-3, 0.0),
            (0.1, 0.0, 1e-3, -0.99),
            (0.01, 1.0, 1e-6, 0.0),
            (0.9, 0.0, 1.0, 0.5),
        )
    ] + [(ptft.SingleTask(0.1), ptft.Initialization(1e-2))] * 9
    together = simulate_many(settings, 0.3, 150, seed=2)
    for point, setting in zip(together, settings, strict=True):
        alone = ptft.simulate(*setting, 0.3, 150, seed=2)
        assert point.converged and point.mse == pytest.approx(alone.mse, rel=1e-6)


def test_more_data_never_hurt_exact_recovery():
    """One seed is one teacher and one stream of examples: with n = d every seed recovers its teacher."""
    teacher, init = ptft.SpikeSlab(), ptft.Initialization(1e-2)
    assert ptft.simulate(teacher, init, 1.0, 60, seed=0).mse < 1e-18


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.001, "d": 100}, "alpha = 0.001 is not allowed: it must be such that n"),
        ({"alpha": 1.2, "d": 100}, "alpha = 1.2 is not allowed"),
        ({"alpha": -0.5, "d": 100}, "alpha = -0.5 is not allowed: it must be positive"),
        ({"alpha": 0.5, "d": 0}, "d = 0 is not allowed"),
        ({"alpha": 0.5, "d": 10.0}, "d = 10.0 is not allowed: it must be a whole number"),
        ({"alpha": 0.5, "d": 10, "seed": -1}, "seed = -1 is not allowed"),
        ({"alpha": 0.5, "d": 10, "noise_var": -1.0}, "noise_var = -1. is not allowed"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ptft.simulate(ptft.SpikeSlab(), ptft.Initialization(1e-2), **{"seed": 0, **arguments})


def test_the_degenerate_corner_is_refused():
    with pytest.raises(ValueError, match="fine-tuning starts on a saddle"):
        ptft.simulate(ptft.SpikeSlab(), ptft.Initialization(1.0, -1.0), 0.5, 20, seed=0)
    assert ptft.simulate(ptft.SingleTask(), ptft.Initialization(1.0, -1.0), 0.5, 20, seed=0).converged


def test_the_relative_scale_of_a_single_task_is_not_in_the_end_point():
    mse, distance = trained_alone(0.1, 1e-2, [-1.0, 0.0, 0.9], 0.4, 20, 3)
    assert distance < 1e-6 and np.ptp(mse) < 1e-6 * mse.max()
    _, early = trained_alone(0.1, 1e-2, [-1.0, 0.0, 0.9], 0.4, 20, 3, tolerance=0.5)  # before the end it matters
    assert early > 1e-3
    nothing = next(seed for seed in range(100) if not sampled_teacher(ptft.SingleTask(0.04), 20, seed)[1].any())
    assert trained_alone(0.04, 1e-2, [-0.5, 0.5], 0.4, 20, nothing)[1] == 0


def test_seeds_with_a_task_skip_teachers_without_one():
    few, many = ptft.SingleTask(0.02), ptft.SpikeSlab(0.1, 0.02, 1.0)
    seeds = seeds_with_task([few, many], 30, first=5, number=4)
    active = [all(sampled_teacher(one, 30, s)[1].any() for one in (few, many)) for s in range(5, seeds[-1] + 1)]
    assert [5 + i for i, learned in enumerate(active) if learned] == seeds
    with pytest.raises(ValueError, match="d = 1 is not allowed"):
        seeds_with_task([ptft.SingleTask(1e-9)], 1, first=0, number=1)
