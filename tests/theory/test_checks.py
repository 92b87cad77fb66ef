"""The checks of the chapters: both sides of each identity, and that a check fails where its sides differ."""

import numpy as np
import pytest

import ptft
from ptft import experiments
from ptft.checks import Check, penalty_shape, replica_equations, training
from ptft.checks.identities import relative

TEACHER, INIT = ptft.SpikeSlab(0.1, 0.1, 0.5), ptft.Initialization(1e-3)
ALPHA = np.array([0.1, 0.3])


def test_a_check_compares_both_sides_in_its_unit():
    check = Check("lengths", theory=[1.0, 2.0], measured=[[1.0, 2.5], [0.0, 2.0]], bound=0.3, unit=2.0)
    assert check.difference.tolist() == [[0.0, 0.5], [-1.0, 0.0]]
    assert check.largest == 0.5 and not check.holds
    assert relative("lengths", [1.0, 2.0], [1.1, 2.1], 0.11).holds
    assert not relative("lengths", [1.0, -2.0], [1.1, -2.3], 0.11).holds


def test_only_the_excess_over_an_upper_bound_counts():
    assert Check("residual", [1.0, 2.0], [0.1, 2.0], 0.0, at_most=True).holds
    assert Check("residual", [1.0, 2.0], [0.1, 2.5], 0.0, at_most=True).largest == 0.5


def test_a_check_that_measured_no_number_does_not_hold():
    assert not Check("lengths", 0.0, [1e-20, np.nan], 1.0).holds
    assert not Check("residual", 0.0, np.nan, 1.0, at_most=True).holds


@pytest.fixture(scope="module")
def trained():
    rng, d = np.random.default_rng(3), 8
    X_pt, X_ft = rng.standard_normal((10, d)), rng.standard_normal((3, d))
    beta_pt, beta_ft = rng.standard_normal((2, d))
    inits = [ptft.Initialization(0.1, share * 0.1, gamma) for share, gamma in ((0.5, 0.0), (-1.0, 0.3))]
    first = [ptft.train(X_pt, X_pt @ beta_pt, ptft.pretraining_weights(init, d), tolerance=1e-11) for init in inits]
    again = [ptft.fine_tuning_weights(run.weights, init.gamma_ft) for run, init in zip(first, inits, strict=True)]
    second = [ptft.train(X_ft, X_ft @ beta_ft, start, tolerance=1e-11) for start in again]
    ends = [
        ptft.min_penalty(X_ft, X_ft @ beta_ft, init.k(run.weights.beta)) for run, init in zip(first, inits, strict=True)
    ]
    return X_pt, inits, first, second, ends


def test_training_conserves_what_it_should_and_ends_where_it_should(trained):
    X_pt, inits, first, second, ends = trained
    labels = -X_pt @ first[0].weights.beta
    starts = [ptft.pretraining_weights(init, X_pt.shape[1]) for init in inits]
    mirrored = [ptft.train(X_pt, labels, start, tolerance=1e-11) for start in starts]
    checks = [
        training.conservation(first + second),
        training.weights_from_coefficients(first, inits),
        training.end_points(second, ends),
        training.certificates(ends),
        training.rate(first, X_pt, 0.1),
        training.forgotten_sign(first, mirrored),
    ]
    assert [check.statement for check in checks if not check.holds] == []
    assert checks[1].theory.shape == (2, 4, 8) and checks[2].error.shape == (2, 8)


def test_the_error_on_test_samples_is_that_of_the_coefficients(trained):
    ends = trained[-1]
    rng = np.random.default_rng(5)
    betas, teachers = np.array([end.beta for end in ends]), rng.standard_normal((2, 8))
    assert training.errors_on_samples(betas, teachers, seed=1).holds
    check = training.errors_on_samples(betas, teachers, seed=1)
    assert not Check(check.statement, 1.1 * check.theory, check.measured, check.bound, check.unit).holds  # it has power


@pytest.mark.filterwarnings("ignore:training stopped")
def test_labels_that_nothing_fits_lead_to_least_squares():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((12, 4)), rng.standard_normal(12)
    run = ptft.train(X, y, ptft.pretraining_weights(ptft.Initialization(0.5, 0.2), 4), max_steps=2000)
    assert not run.converged  # the residual does not vanish
    assert training.least_squares(run, X, y).holds
    early = ptft.train(X, y, ptft.pretraining_weights(ptft.Initialization(0.5, 0.2), 4), max_steps=50)
    assert not training.least_squares(early, X, y).holds


def test_checks_of_training_fail_where_the_sides_do_not_belong_together(trained):
    X_pt, inits, first, second, ends = trained
    assert not training.weights_from_coefficients(first, inits[::-1]).holds
    assert not training.end_points(second, ends[::-1]).holds
    assert not training.rate(first, X_pt, 1.0).holds
    other = ptft.train(X_pt, 2 * X_pt @ first[0].weights.beta, ptft.pretraining_weights(inits[0], X_pt.shape[1]))
    assert not training.forgotten_sign(first[:1], [other]).holds  # of another size
    assert not training.forgotten_sign(first, first).holds  # nothing was mirrored


def test_the_shape_of_the_penalty():
    settings = penalty_shape.random_settings(3000, seed=2)
    few = penalty_shape.random_settings(30, seed=2)
    checks = [
        *penalty_shape.closed_forms(*few),
        *penalty_shape.bounds(*settings),
        penalty_shape.straight_line(0.2, np.linspace(0.001, 2, 50)),
        penalty_shape.lazier_with_scale(np.geomspace(1e-3, 1e2, 60), relative=-0.99),
        *(penalty_shape.first_step_of_scale(lam, beta_ft=beta_ft) for lam in (1e-3, 1.0) for beta_ft in (0.1, -2.0)),
    ]
    assert [check.statement for check in checks if not check.holds] == []
    assert not penalty_shape.lazier_with_scale([1.0, 0.5]).holds  # a scale that falls


def test_the_first_step_of_the_ell_order_tells_where_it_turns(monkeypatch):
    right = penalty_shape.measures
    monkeypatch.setattr(penalty_shape, "measures", lambda ft, pt, init: right(ft, 1.05 * pt, init))
    assert not penalty_shape.first_step_of_scale(0.1).holds  # a threshold that is 5 % lower
    monkeypatch.setattr(penalty_shape, "measures", lambda ft, pt, init: right(ft, pt / 1.05, init))
    assert not penalty_shape.first_step_of_scale(0.1).holds


def test_minimisers_tend_to_weighted_norms_where_the_scales_differ():
    rng = np.random.default_rng(0)
    X, beta_pt, spread = rng.standard_normal((10, 20)), np.linspace(0, 1, 20), np.geomspace(1, 10, 20)
    y = X @ rng.standard_normal(20)
    lazy = penalty_shape.lazy_minimiser(X, y, ptft.Initialization(1e6 * spread, 5e5, 1.0), beta_pt)
    least_2 = np.linalg.lstsq(X, y, rcond=None)[0]
    assert lazy.holds
    assert np.linalg.norm(lazy.measured - least_2) > 0.1 * np.linalg.norm(least_2)  # Proposition 2.4 needs one scale
    factors, powers = (
        ptft.Initialization.at_distance(1e-3, near) for near in (1e-30 * spread, 1e-30 ** np.linspace(0.5, 1, 20))
    )
    assert penalty_shape.rich_minimiser(X, y, factors, beta_pt).holds
    assert penalty_shape.rich_minimiser(X, y, factors, beta_pt, weights=1.0).holds  # a common rate: the plain norm
    assert penalty_shape.rich_minimiser(X, y, powers, beta_pt).holds
    assert not penalty_shape.rich_minimiser(X, y, powers, beta_pt, weights=1.0).holds  # different rates


def test_the_equations_of_chapter_3():
    mixture = TEACHER.mixture(INIT)
    curve = ptft.replica_curve(ALPHA, mixture)
    checks = [
        replica_equations.crossings(
            ALPHA, [(TEACHER, INIT), (ptft.SpikeSlab(0.1, 0.9, 0.1), ptft.Initialization(1.0))]
        ),
        replica_equations.quadrature(mixture),
        replica_equations.solved([curve]),
        replica_equations.one_solution([curve]),
        replica_equations.weighted_lazy_limit(ALPHA, mixture),
        *(replica_equations.lazy_limit(ALPHA, rho) for rho in (0.01, 0.9)),
        *(replica_equations.rich_limit(rho) for rho in (0.001, 0.01, 0.9)),
        *(replica_equations.exact_recovery(rho) for rho in (0.01, 0.3, 0.5)),
        replica_equations.perfect_pretraining(ALPHA, TEACHER, INIT),
        replica_equations.lazy_stages(ALPHA, ptft.SpikeSlab(0.3, 0.2, 0.5, a_pt=2.0)),
        replica_equations.peak(ALPHA, [TEACHER, ptft.SpikeSlab(omega=1.0)], INIT, [1e-3, 0.1]),
        replica_equations.end_of_messages(0.4, TEACHER, INIT, d=200, seed=1),
    ]
    assert [check.statement for check in checks if not check.holds] == []
    assert not replica_equations.quadrature(mixture, refinements=0.2).holds
    assert not replica_equations.exact_recovery(share=0.9).holds
    assert not replica_equations.end_of_messages(0.4, TEACHER, INIT, d=200, seed=1, steps=20).holds


def test_the_published_range_has_every_published_setting():
    def numbers(teacher, init):
        return teacher, float(init.c_pt), float(init.lambda_pt), float(init.gamma_ft)

    looked_at = {numbers(*pair) for pair in replica_equations.published_range()}
    settings = {s for group in experiments.settings_of("all").values() for s in group}
    assert len(settings) == 71 and {numbers(s.teacher, s.init) for s in settings} <= looked_at


def test_the_amplification_is_the_growth_of_the_error_with_label_noise_however_small_it_is():
    teacher, init = ptft.SpikeSlab(rho_ft=0.01, omega=1.0), ptft.Initialization(1e-6)
    mixture, alpha = teacher.mixture(init), np.array([0.01, 0.059, 0.5])
    for ridge in (0.0, 1e-6):
        exact = ptft.replica_curve(alpha, mixture, ridge=ridge).mse
        noisy = [
            ptft.replica_curve(a, mixture, noise_var=1e-4 * mse, ridge=ridge).mse
            for a, mse in zip(alpha, exact, strict=True)
        ]
        assert exact[-1] < 1e-8 * exact[0]
        growth = 1 + (np.array(noisy) / exact - 1) / 1e-4
        assert np.allclose(replica_equations.amplification(alpha, mixture, ridge), growth, rtol=1e-3)
