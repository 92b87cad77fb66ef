"""Inputs of unequal variance: the replica prediction in whitened coordinates, its limits and the exact end points."""

import numpy as np
import pytest
from scipy import linalg
from scipy.optimize import linprog

import ptft
from ptft.agreement import given_teachers
from ptft.limits import basis_pursuit_error, minimum_norm_error, recovery_threshold
from ptft.monte_carlo import solve_by_monte_carlo
from ptft.replica import MixtureRows, errors_by_rows, scalar_moments, solve_by_quadrature, solve_nearby
from ptft.simulation import simulate_many
from ptft.teachers import draw_tasks
from ptft.two_stages import peak_harms_from

ALPHA = np.array([0.1, 0.3, 0.6])
MIXED = ptft.GaussianMixture([0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [5.0, 0.3, 0.0], [1e-2, 1e-4, 1e-1], [0.2, 3.0, 1.0])

# Learnt from one fixed teacher with rho_pt = rho_ft = 0.3, independent, at d = 600 with v_j ~ j^-b of mean 1: the
# exponent b, the initialization (c_pt, lambda_pt/c_pt, gamma_ft), the data scale, and the error that is known for it.
D = 600
KNOWN = [
    (1.0, (1e-3, 0.0, 0.0), {0.1: 0.7526, 0.3: 0.4728}),
    (1.0, (1.0, 0.0, 0.0), {0.1: 0.4728, 0.3: 0.2992}),
    (1.5, (1e-3, -0.9, 0.0), {0.1: 0.1341, 0.3: 0.0561}),
    (1.5, (1e-3, 0.0, 1.0), {0.1: 0.1349, 0.3: 0.0566}),
]


def power_law(b, d=D):
    v = np.arange(1.0, d + 1) ** -b
    return v / v.mean()


def known_problems():
    """The four rows: variances, penalty scales and coefficients, from one stream, and the known errors."""
    rng = np.random.default_rng(1)
    for b, (c, share, gamma), errors in KNOWN:
        active_pt, active_ft = rng.random(D) < 0.3, rng.random(D) < 0.3
        beta = active_ft * rng.standard_normal(D) / np.sqrt(0.3)
        k = ptft.Initialization(c, share * c, gamma).k(1.0 * active_pt)
        yield power_law(b), k, beta, errors


def of_coordinates(beta, k, v):
    """The law that is uniform over given coordinates."""
    return ptft.GaussianMixture(np.full(beta.size, 1 / beta.size), beta, 0.0, k, v)


# --- the prediction ---------------------------------------------------------------------------------------------------


def test_the_known_errors_of_power_laws():
    for v, k, beta, errors in known_problems():
        curve = ptft.replica_curve(list(errors), of_coordinates(beta, k, v))
        assert curve.converged.all() and curve.mse == pytest.approx(list(errors.values()), abs=1e-4)


@pytest.mark.slow  # 96 end points with 600 coordinates by Newton's method: half a minute
def test_the_known_errors_are_those_of_exact_end_points():
    for v, k, beta, errors in known_problems():
        for alpha, theory in errors.items():
            risk = [risk_of_end_point(beta, k, v, alpha, seed) for seed in range(12)]
            error = np.std(risk, ddof=1) / np.sqrt(12)
            assert abs(np.mean(risk) - theory) < 3 * error + 0.01 * theory and error < 0.06 * theory


def risk_of_end_point(beta, k, v, alpha, seed):
    X = np.random.default_rng(seed).standard_normal((round(alpha * beta.size), beta.size)) * np.sqrt(v / beta.size)
    end = ptft.min_penalty(X, X @ beta, k)
    assert end.converged
    return np.mean(v * (end.beta - beta) ** 2)


def moments_in_coefficients(tau2, theta, mixture):
    """Both errors and the response from the scalar problem as it reads in beta, where z/sqrt(v) is observed."""
    mse = of_coefficients = response = 0.0
    at, share = np.polynomial.legendre.leggauss(40)
    for weight, m, variance, k, v in zip(*vars(mixture).values(), strict=True):
        V = variance + tau2 / v
        knots = m + np.sqrt(V) * np.linspace(-9, 9, 181)
        half = np.diff(knots)[:, None] / 2
        seen, share_of = (knots[:-1, None] + half * (1 + at)).ravel(), (half * share).ravel()
        low, high = np.minimum(seen, 0), np.maximum(seen, 0)
        for _ in range(200):  # v (beta - seen)/theta + q'(beta) = 0 by halving
            middle = (low + high) / 2
            below = v * (middle - seen) / theta + np.arcsinh(2 * middle / np.sqrt(k)) / 2 < 0
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        density = share_of * np.exp(-((seen - m) ** 2) / (2 * V)) / np.sqrt(2 * np.pi * V)
        error = density @ (low - m - variance / V * (seen - m)) ** 2 + variance * tau2 / v / V
        mse, of_coefficients = mse + weight * v * error, of_coefficients + weight * error
        response += weight * (density @ (1 / (1 + theta / v / np.sqrt(k + 4 * low**2))))
    return mse, of_coefficients, response


@pytest.mark.parametrize(("noise_var", "ridge"), [(0.0, 0.0), (0.2, 0.0), (0.1, 0.05)])
def test_solutions_satisfy_the_equations_as_they_read_in_the_coefficients(noise_var, ridge):
    curve = ptft.replica_curve(ALPHA, MIXED, noise_var=noise_var, ridge=ridge)
    assert curve.converged.all()
    for i, alpha in enumerate(ALPHA):
        mse, of_coefficients, response = moments_in_coefficients(curve.tau2[i], curve.theta[i], MIXED)
        assert (noise_var + mse) / alpha == pytest.approx(curve.tau2[i], rel=1e-7)
        assert ridge / curve.theta[i] + response / alpha == pytest.approx(1, rel=1e-7)
        assert (curve.mse[i], curve.coefficient_mse[i]) == pytest.approx((mse, of_coefficients), rel=1e-7)


@pytest.mark.parametrize("tau2", [1e-3, 1.0])
def test_derivatives_of_the_moments(tau2):
    h, theta = 1e-5, 0.2
    moments = scalar_moments(np.array([tau2]), np.array([theta]), MIXED)
    for name, step in (("tau2", np.array([h * tau2, 0])), ("theta", np.array([0, h * theta]))):
        up, down = (scalar_moments(*np.array([tau2, theta] + e * step)[:, None], MIXED) for e in (1, -1))
        for moment in ("mse", "response"):
            difference = (getattr(up, moment)[0] - getattr(down, moment)[0]) / (2 * step.sum())
            assert getattr(moments, f"{moment}_{name}")[0] == pytest.approx(difference, rel=1e-6)


def test_next_to_one_the_equations_hold_too():
    away = 10.0 ** -np.array([3.0, 6.0, 8.0])
    curve = ptft.replica_curve(1 - away, MIXED)
    assert curve.converged.all() and np.all(curve.mismatch_db < 1e-9)
    assert curve.mse[1:] / away[1:] == pytest.approx(np.full(2, curve.mse[2] / away[2]), rel=1e-3)
    noisy = ptft.replica_curve(1 - away, MIXED, noise_var=0.3)
    assert noisy.tau2[1:] * away[1:] == pytest.approx(np.full(2, 0.3), rel=1e-2)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_the_unit_of_the_inputs_may_be_changed(ridge):
    """(v, beta, k) -> (s^2 v, beta/s, k/s^2) leaves the prediction risk, with s times the ridge and theta."""
    s = 7.0
    weight, mean, variance, k, v = vars(MIXED).values()
    changed = ptft.GaussianMixture(weight, mean / s, variance / s**2, k / s**2, s**2 * v)
    one = ptft.replica_curve(ALPHA, MIXED, noise_var=0.1, ridge=ridge)
    other = ptft.replica_curve(ALPHA, changed, noise_var=0.1, ridge=s * ridge)
    for name, factor in (("mse", 1.0), ("tau2", 1.0), ("theta", s), ("coefficient_mse", s**-2)):
        assert getattr(other, name) == pytest.approx(factor * getattr(one, name), rel=1e-10)


def test_the_unit_of_one_feature_may_not():
    """The same by group leaves b = sqrt(v) beta and k v, but not the weight 1/sqrt(v) of the penalty: each group's
    factor s is one on its theta, which a factor of 1/s on its penalty would undo."""
    s = np.array([1.0, 3.0, 1.0])
    weight, mean, variance, k, v = vars(MIXED).values()
    changed = ptft.GaussianMixture(weight, mean / s, variance / s**2, k / s**2, s**2 * v)
    assert np.all(np.abs(ptft.replica_curve(ALPHA, changed).mse / ptft.replica_curve(ALPHA, MIXED).mse - 1) > 1e-3)
    # exact end points know it as well: by Theorem 4.1 with an input scaled by s and its coefficient and sqrt(k) by 1/s
    X, beta = np.random.default_rng(0).standard_normal((2, 3)), np.array([1.0, 0.5, 0.0])
    end = ptft.min_penalty(X, X @ beta, [1e-2, 1e-4, 1e-1]).beta
    scaled = ptft.min_penalty(X * s, X @ beta, np.array([1e-2, 1e-4, 1e-1]) / s**2).beta
    common = ptft.min_penalty(X * 3, X @ beta, np.array([1e-2, 1e-4, 1e-1]) / 9).beta
    assert 3 * common == pytest.approx(end, abs=1e-8) and np.max(np.abs(s * scaled - end)) > 1e-2


def test_equal_variances_are_those_not_said():
    one = ptft.SpikeSlab().mixture(ptft.Initialization(1e-2))
    same = ptft.GaussianMixture(one.weight, one.mean, one.variance, one.k, 1.0)
    assert one.input_variance.tolist() == [1.0] * len(one.k)
    assert np.array_equal(ptft.replica_curve(ALPHA, one).mse, ptft.replica_curve(ALPHA, same).mse)
    curve = ptft.replica_curve([0.3, 1.5], one, noise_var=0.1)
    assert np.array_equal(curve.mse, curve.coefficient_mse)


def test_all_ways_to_the_error_agree():
    exact = solve_by_quadrature(ALPHA, MIXED, 0.1, 0.0)
    rows = MixtureRows(*(a[None] for a in vars(MIXED).values()))
    assert rows.power == pytest.approx([MIXED.power]) and MIXED.power == pytest.approx(0.2 + 0.9 * 1.3)
    assert errors_by_rows(ALPHA, rows, 0.1, refine=1.0) == pytest.approx(exact.mse, rel=1e-9)
    near = solve_nearby(solve_by_quadrature(ALPHA, MIXED, 0.11, 0.0), MIXED, 0.1)
    assert near.mse == pytest.approx(exact.mse, rel=1e-9)
    assert near.coefficient_mse == pytest.approx(exact.coefficient_mse, rel=1e-9)
    rng = np.random.default_rng(0)
    group = rng.choice(3, size=10_000, p=MIXED.weight)
    beta = MIXED.mean[group] + np.sqrt(MIXED.variance[group]) * rng.standard_normal(group.size)
    sampled = solve_by_monte_carlo(
        ALPHA[:2], beta, MIXED.k[group], rng.standard_normal(group.size), 0.1, 0.0, MIXED.input_variance[group]
    )
    assert sampled.converged.all() and sampled.mse == pytest.approx(exact.mse[:2], rel=0.05)
    assert sampled.coefficient_mse == pytest.approx(exact.coefficient_mse[:2], rel=0.05)
    evolved = ptft.state_evolution(0.3, MIXED, steps=200, noise_var=0.1)
    assert evolved.mse[0] > 1.02 * evolved.mse[-1] and evolved.mse[-1] == pytest.approx(exact.mse[1], rel=1e-9)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_the_lazy_limit_is_weighted_least_squares():
    weight, mean, variance, k, v = vars(MIXED).values()
    lazy = ptft.GaussianMixture(weight, mean, variance, 1e14 * k, v)
    for noise_var in (0.0, 0.2):
        curve = ptft.replica_curve(ALPHA, lazy, noise_var=noise_var)
        assert curve.mse == pytest.approx(minimum_norm_error(ALPHA, lazy, noise_var), rel=1e-9)


def test_weighted_least_squares_as_the_data_have_it():
    rng, d = np.random.default_rng(0), 2000
    group = np.repeat(np.arange(3), np.round(d * MIXED.weight).astype(int))
    k, v = MIXED.k[group], MIXED.input_variance[group]
    risk = []
    for _ in range(6):
        beta = MIXED.mean[group] + np.sqrt(MIXED.variance[group]) * rng.standard_normal(d)
        X = rng.standard_normal((600, d)) * np.sqrt(v / d)
        inverse = X * np.sqrt(k)  # of the weights 1/sqrt(k)
        solved = inverse.T @ linalg.solve(inverse @ X.T, X @ beta, assume_a="pos")
        risk.append(np.mean(v * (solved - beta) ** 2))
    assert np.mean(risk) == pytest.approx(float(minimum_norm_error(0.3, MIXED)), rel=0.05)


def test_the_rich_limit_is_weighted_basis_pursuit():
    law = ptft.GaussianMixture([0.1, 0.05, 0.25, 0.6], 0.0, [5.0, 10.0, 0.0, 0.0], 1e-160, [2.0, 0.1, 2.0, 0.1])
    threshold = recovery_threshold(law)
    alpha = threshold * np.array([0.5, 0.9, 1.1])
    curve, limit = ptft.replica_curve(alpha, law), basis_pursuit_error(alpha, law)
    assert curve.mse[:2] == pytest.approx(limit[:2], rel=0.1) and curve.mse[2] < 1e-15 and limit[2] == 0
    white = ptft.GaussianMixture(law.weight, law.mean, law.variance, law.k)
    undone = recovery_threshold(law, np.sqrt(law.input_variance))
    assert undone == pytest.approx(recovery_threshold(white), rel=1e-9) and undone < 0.98 * threshold


def test_weighted_basis_pursuit_as_the_data_have_it():
    rng, d = np.random.default_rng(0), 300
    law = ptft.GaussianMixture([0.15, 0.15, 0.7], 0.0, [5.0, 5.0, 0.0], 1.0, [4.0, 0.25, 1.0])
    group = np.repeat(np.arange(3), np.round(d * law.weight).astype(int))
    weights, risk = np.array([1.0, 2.0, 0.5]), []
    for _ in range(6):
        beta = np.sqrt(law.variance[group]) * rng.standard_normal(d)
        X = rng.standard_normal((105, d)) * np.sqrt(law.input_variance[group] / d)
        solved = linprog(np.tile(weights[group], 2), A_eq=np.hstack([X, -X]), b_eq=X @ beta).x
        risk.append(np.mean(law.input_variance[group] * (solved[:d] - solved[d:] - beta) ** 2))
    expected = float(basis_pursuit_error(0.35, law, weights))
    assert abs(np.mean(risk) - expected) < 3 * np.std(risk, ddof=1) / np.sqrt(6) + 0.02 * expected
    assert np.std(risk) < 0.4 * expected


def test_with_more_examples_than_coordinates_the_error_is_that_of_least_squares():
    curve = ptft.replica_curve(1.5, MIXED, noise_var=0.2)
    assert curve.mse == pytest.approx(0.2 / 0.5)  # sigma^2 d/(n - d), as the inputs' covariance cancels
    assert curve.coefficient_mse == pytest.approx(0.2 / 0.5 * np.sum(MIXED.weight / MIXED.input_variance))


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("v", [0.0, -1.0, np.nan, np.inf, [1.0, 0.0]])
def test_variances_that_are_none_are_named(v):
    with pytest.raises(ValueError, match=r"input_variance = .* is not allowed: it must be"):
        ptft.GaussianMixture([0.5, 0.5], 0.0, 1.0, 1.0, v)


def test_variances_of_another_length_are_named():
    with pytest.raises(ValueError, match="do not broadcast"):
        ptft.GaussianMixture([0.5, 0.5], 0.0, 1.0, 1.0, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="the shape of input_variance"):
        solve_by_monte_carlo(0.3, np.ones(40), np.ones(40), np.ones(40), 0.0, 0.0, np.ones(3))


# --- teachers that say it ---------------------------------------------------------------------------------------------

LAW = (2.0, 0.5, 0.1)  # of the inputs: three variances, equally likely
SPARSE = ptft.SpikeSlab(0.3, 0.3, 0.5, input_variance=LAW)
GROUPS = ptft.TeacherGroups([0.2, 0.1, 0.7], [1.0, 0.0, 0.0], 0.0, [3.0, 4.0, 0.0], [3.0, 0.5, 1.0])
INIT = ptft.Initialization(1e-2)


@pytest.mark.parametrize("teacher", [SPARSE, GROUPS, ptft.SingleTask(0.3, "signs", LAW)], ids=["law", "groups", "one"])
def test_all_teachers_are_mixtures_with_variances(teacher):
    mixture = teacher.mixture(INIT)
    exact = ptft.replica_curve([0.3], teacher, INIT)
    assert exact.mse == ptft.replica_curve([0.3], mixture).mse
    assert exact.mse != pytest.approx(exact.coefficient_mse, rel=0.03)
    sampled = ptft.replica_curve([0.3], teacher, INIT, method="monte-carlo", samples=9000)
    assert sampled.mse == pytest.approx(exact.mse, rel=0.15)
    assert sampled.coefficient_mse == pytest.approx(exact.coefficient_mse, rel=0.15)
    points = [
        ptft.simulate(one, init, 0.3, 600, s) for one, init in ((teacher, INIT), (mixture, None)) for s in (0, 1, 2)
    ]
    assert all(point.converged for point in points)
    assert np.mean([p.mse for p in points]) == pytest.approx(float(exact.mse[0]), rel=0.2)
    assert np.mean([p.coefficient_mse for p in points]) == pytest.approx(float(exact.coefficient_mse[0]), rel=0.2)


def test_a_vector_of_variances_goes_along_the_coordinates():
    v = power_law(1.0, 6)
    teacher = ptft.SpikeSlab(0.3, 0.3, 0.5, input_variance=v)
    assert hash(teacher) == hash(ptft.SpikeSlab(0.3, 0.3, 0.5, input_variance=list(v)))
    beta_pt, beta_ft, along = draw_tasks(teacher, 12, 0)
    assert np.array_equal(along, np.tile(v, 2))
    assert np.array_equal(teacher.sample(12, 0), (beta_pt, beta_ft))
    assert np.array_equal(teacher.sample(12, 0), ptft.SpikeSlab(0.3, 0.3, 0.5).sample(12, 0))
    mixture = teacher.mixture(INIT)
    assert sorted(set(mixture.input_variance)) == pytest.approx(sorted(v)) and mixture.power == pytest.approx(1)
    for takes in (lambda: draw_tasks(teacher, 10, 0), lambda: ptft.simulate(teacher, INIT, 0.5, 10, 0)):
        with pytest.raises(ValueError, match="d = 10 is not allowed: it must be a multiple of 6, the number of input"):
            takes()


def test_groups_have_the_variance_of_their_coordinates():
    beta_pt, beta_ft, v = GROUPS.sample_with_variance(2000, 0)
    assert (
        set(v[beta_pt != 0]) == {3.0}
        and set(v[beta_ft == 0]) == {1.0}
        and np.array_equal((beta_pt, beta_ft), GROUPS.sample(2000, 0))
    )


def test_settings_of_other_variances_are_simulated_together():
    settings = [(one, INIT) for one in (SPARSE, ptft.SpikeSlab(0.3, 0.3, 0.5), GROUPS, SPARSE)]
    together = simulate_many(settings, 0.4, 60, 3, noise_var=0.01)
    for point, setting in zip(together, settings, strict=True):
        assert point.mse == pytest.approx(ptft.simulate(*setting, 0.4, 60, 3, noise_var=0.01).mse, rel=1e-6)
    assert together[1].mse == together[1].coefficient_mse and together[0].mse != together[0].coefficient_mse


class Wrong:
    """A teacher whose variances are none."""

    penalty_scale = SPARSE.penalty_scale

    def sample(self, d, seed):
        return SPARSE.sample(d, seed)

    def sample_with_variance(self, d, seed):
        return *self.sample(d, seed), np.zeros(d)


@pytest.mark.parametrize("v", [0.0, -1.0, np.nan, [1.0, np.inf], "one", [], [[1.0]]])
def test_teachers_of_other_variances_are_refused(v):
    for takes in (
        lambda: ptft.SpikeSlab(input_variance=v),
        lambda: ptft.SingleTask(input_variance=v),
        lambda: ptft.TeacherGroups([0.5, 0.5], 1.0, 0.0, [1.0, 0.0], v if v != [[1.0]] else [1.0, 2.0, 3.0]),
    ):
        with pytest.raises(ValueError, match="input_variance"):
            takes()
    with pytest.raises(ValueError, match="input_variance = 0"):
        ptft.simulate(Wrong(), INIT, 0.3, 30, 0)


# --- both stages, and the best initialization -------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha_pt", "noise_pt"), [(0.4, 0.05), (1.5, 0.1)])
def test_both_stages_agree_with_exact_end_points(alpha_pt, noise_pt):
    curve = ptft.two_stage_curve([0.3], GROUPS, INIT, alpha_pt, noise_pt, 0.01)
    assert curve.converged.all() and np.array_equal(curve.input_variance, GROUPS.input_variance)
    assert curve.mse == pytest.approx(curve.error @ GROUPS.weight, rel=1e-9)
    assert curve.coefficient_mse == pytest.approx(curve.coefficient_error @ GROUPS.weight, rel=1e-9)
    points = [ptft.simulate_two_stages(GROUPS, INIT, [0.3], alpha_pt, 600, s, noise_pt, 0.01)[0] for s in range(4)]
    for name, theory in (
        ("mse", curve.mse[0]),
        ("coefficient_mse", curve.coefficient_mse[0]),
        ("mse_pt", float(curve.pretraining.mse)),
    ):
        assert np.mean([getattr(p, name) for p in points]) == pytest.approx(theory, rel=0.15), name
    for name in ("error", "forgetting"):  # of the simulated groups, the shared, the new and no other have coordinates
        found = np.mean([getattr(p, name)[[0, 1, 3]] for p in points], axis=0)
        assert found == pytest.approx(getattr(curve, name)[0], rel=0.35), name
    assert curve.coefficient_forgetting == pytest.approx(curve.forgetting / GROUPS.input_variance)


def test_perfect_pretraining_gives_both_stages_the_error_of_one():
    one = ptft.replica_curve([0.2, 0.5], SPARSE, INIT, noise_var=0.02)
    both = ptft.two_stage_curve([0.2, 0.5], SPARSE, INIT, 2.0, noise_ft=0.02)
    assert both.mse == pytest.approx(one.mse, rel=1e-9)
    assert both.coefficient_mse == pytest.approx(one.coefficient_mse, rel=1e-9)
    assert both.error.shape == (2, 4 * len(LAW))


def test_the_peak_of_noisy_pretraining_is_asked_for_one_variance():
    with pytest.raises(ValueError, match=r"teacher\.input_variance = .* is not allowed: it must be one number"):
        peak_harms_from(SPARSE, INIT)


def test_the_best_initialization_knows_the_variances():
    best = ptft.best_initialization(SPARSE, 0.3, usual={"small": ptft.Initialization(1e-6)})
    assert best.converged and best.mse == pytest.approx(float(ptft.replica_curve(0.3, SPARSE, best.init).mse))
    white = ptft.best_initialization(ptft.SpikeSlab(0.3, 0.3, 0.5), 0.3, usual={})
    assert best.mse < float(ptft.replica_curve(0.3, SPARSE, white.init).mse)
    assert best.mse < best.usual["small"].mse and best.mse < best.single_task.mse
    alone = ptft.SingleTask(0.3, input_variance=LAW)
    assert best.single_task.mse == pytest.approx(float(ptft.replica_curve(0.3, alone, best.single_task.init).mse))
    errors = [float(ptft.replica_curve(0.3, SPARSE, one).mse) for one in neighbours(best.init)]
    assert min(errors) > best.mse * (1 - 1e-6)


def neighbours(init):
    c, share, gamma = float(init.c_pt), float(init.lambda_pt / init.c_pt), float(init.gamma_ft)
    for factor in (0.5, 2.0):
        yield ptft.Initialization(factor * c, min(share, 1.0) * factor * c, gamma)
        yield ptft.Initialization(c, (factor * (1 + share) - 1) * c if factor * (1 + share) < 2 else c, gamma)
        yield ptft.Initialization(c, share * c, factor * (gamma + 1e-3))


def test_the_prediction_for_a_sampled_teacher_knows_the_variances_of_its_inputs():
    """At d = 300 the sampled active coordinates matter, and so do the variances they happen to have."""
    teacher, init = ptft.SpikeSlab(0.1, 0.1, 0.5, input_variance=[3.0, 0.3, 0.1]), ptft.Initialization(1e-2)
    simulated = np.array([ptft.simulate(teacher, init, 0.2, 300, seed).mse for seed in range(12)])
    given = given_teachers(teacher, init, [0.2], 300, range(12))[0]
    law = float(ptft.replica_curve(0.2, teacher, init).mse)
    assert np.log(simulated / given).mean() == pytest.approx(0, abs=0.1)
    assert np.corrcoef(simulated, given)[0, 1] > 0.9
    assert np.std(np.log(simulated / given)) < 0.7 * np.std(np.log(simulated / law))
    plain = ptft.SpikeSlab(0.1, 0.1, 0.5)
    beta_pt, beta_ft, v = draw_tasks(plain, 300, 0)
    one = ptft.GaussianMixture.of_sample(beta_ft, init.k(beta_pt), v)
    assert np.array_equal(one.variance, ptft.GaussianMixture.of_sample(beta_ft, init.k(beta_pt)).variance)
