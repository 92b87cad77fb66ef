"""Designs of simulated inputs: their covariance, and on which of them the theory of Gaussian inputs holds."""

import numpy as np
import pytest
from scipy import stats

import ptft
from ptft.designs import BLOCK, DESIGNS, Design, design_of
from ptft.simulation import sampled_inputs, simulate_many

D = 40
TEACHER, INIT = ptft.SpikeSlab(0.1, 0.1, 0.5), ptft.Initialization(1e-2)
UNEQUAL = ptft.SpikeSlab(0.1, 0.1, 0.5, input_variance=[2.0, 0.5])
CORRELATED = ("ar1", "blocks", "spiked")


def correlation(design, d):
    """C as its description says."""
    apart = np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    if design.name == "ar1":
        return design.strength**apart
    together = {"blocks": np.equal.outer(np.arange(d) // BLOCK, np.arange(d) // BLOCK), "spiked": True}
    return np.where(apart == 0, 1.0, design.strength * together.get(design.name, False) if design.strength else 0.0)


@pytest.mark.parametrize("name", DESIGNS)
def test_inputs_have_their_covariance(name):
    design, rows = Design(name, 8.0) if name == "student" else Design(name), 40_000
    rng, d = np.random.default_rng(1), 23  # no whole number of blocks
    n = d if name == "orthogonal" else rows
    X = np.concatenate([design.sample(n, d, rng) for _ in range(rows // n)])
    found, expected = d * X.T @ X / len(X), correlation(design, d)
    assert np.max(np.abs(found - expected)) < 6 * np.sqrt(4 / len(X))
    error = rng.standard_normal(d)
    assert design.mean_square(error) == pytest.approx(error @ expected @ error / d, rel=1e-12)


@pytest.mark.parametrize("name", DESIGNS)
def test_more_rows_are_of_the_same_kind(name):
    few, many = (Design(name).sample(n, D, seed=3) for n in (5, 30))
    assert few == pytest.approx(many[:5], abs=1e-12)
    assert np.array_equal(Design(name).sample(5, D, 3), few) and Design(name).sample(0, D, 3).shape == (0, D)


def test_entries_are_what_they_are_called():
    assert np.array_equal(Design("gaussian").sample(4, D, 0), np.random.default_rng(0).standard_normal((4, D)) / D**0.5)
    assert set(np.unique(Design("rademacher").sample(9, D, 0) * np.sqrt(D)).round(12)) == {-1.0, 1.0}
    tails = Design("student", 5.0).sample(200, 200, 0).ravel() * np.sqrt(200 / (1 - 2 / 5))
    assert stats.kstest(tails, stats.t(5).cdf).pvalue > 0.01 > stats.kstest(tails, stats.norm.cdf).pvalue
    ortho = Design("orthogonal").sample(30, D, 0)
    assert np.eye(30) == pytest.approx(ortho @ ortho.T, abs=1e-12)
    gauss = Design("gaussian").sample(30, D, 0)
    root = np.linalg.cholesky(gauss @ gauss.T)  # of Gram and Schmidt, where no sign is a processor's choice
    assert ortho == pytest.approx(np.linalg.solve(root, gauss), abs=1e-9)
    assert ortho @ np.linalg.lstsq(gauss, gauss @ ortho.T, rcond=None)[0] == pytest.approx(np.eye(30), abs=1e-9)


# --- on which designs the prediction holds ----------------------------------------------------------------------------


@pytest.mark.parametrize("teacher", [TEACHER, UNEQUAL], ids=["equal", "unequal"])
def test_only_the_row_space_matters_to_an_interpolator(teacher):
    """Orthonormal rows with the row space of a Gaussian design have its end point: the same data, mixed."""
    points = [
        ptft.simulate(teacher, INIT, 0.4, 80, 5, design=name) for name in ("gaussian", "orthogonal", "rademacher")
    ]
    assert points[0].mse > 1e-3 and points[0].mse == pytest.approx(points[1].mse, rel=1e-6)
    assert points[2].mse != pytest.approx(points[0].mse, rel=1e-2)
    rng = np.random.default_rng(0)
    X, beta, k = (
        rng.standard_normal((20, 50)),
        rng.standard_normal(50) * (rng.random(50) < 0.2),
        10.0 ** -rng.integers(0, 6, 50),
    )
    ends = [ptft.min_penalty(A, A @ beta, k).beta for A in (X, rng.standard_normal((20, 20)) @ X)]
    assert ends[0] == pytest.approx(ends[1], abs=1e-7)


def test_noise_enters_through_the_mean_inverse_square_of_singular_values():
    """Orthonormal rows amplify noise by 1, Gaussian ones by 1/(1 - alpha)."""
    alpha, noise_var, seeds = 0.6, 0.3, range(16)
    dense = [(ptft.SingleTask(0.5, "signs"), ptft.Initialization(0.3))]
    mse = np.array([simulate_many(dense, alpha, 300, s, noise_var, design="orthogonal")[0].mse for s in seeds])
    theory, plain = (
        float(ptft.replica_curve(alpha, *dense[0], noise_var=noise).mse)
        for noise in (noise_var * (1 - alpha), noise_var)
    )
    error = mse.std(ddof=1) / np.sqrt(len(mse))
    assert abs(mse.mean() - theory) < 3 * error + 0.01 * theory and plain > 1.2 * theory and error < 0.03 * theory


@pytest.mark.parametrize("name", DESIGNS)
def test_the_prediction_holds_for_independent_entries_and_not_for_correlated_coordinates(name):
    setting, alpha = (ptft.SpikeSlab(0.2, 0.3, 0.5), ptft.Initialization(0.1)), 0.4
    design = Design(name, 0.9) if name in CORRELATED else Design(name)
    mse = np.array([ptft.simulate(*setting, alpha, 300, s, design=design).mse for s in range(8)])
    theory = float(ptft.replica_curve(alpha, *setting).mse)
    error = mse.std(ddof=1) / np.sqrt(len(mse))
    if name in CORRELATED:
        assert abs(mse.mean() - theory) > 0.2 * theory + 3 * error
    else:
        assert abs(mse.mean() - theory) < 3 * error + 0.05 * theory and error < 0.1 * theory


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("laplace",), "name = 'laplace' is not allowed: it must be one of gaussian"),
        (("gaussian", 0.5), r"strength = 0\.5 is not allowed: it must be None"),
        (("student", 2.0), r"strength = 2\. is not allowed: it must be above 2"),
        (("ar1", 1.0), r"strength = 1\. is not allowed: it must be between -1 and 1"),
        (("ar1", np.nan), "strength = nan is not allowed"),
        (("blocks", -0.1), r"strength = -0\.1 is not allowed: it must be from 0 to below 1"),
        (("spiked", 1.0), r"strength = 1\. is not allowed"),
        (("ar1", "strong"), "strength = 'strong' is not allowed"),
    ],
)
def test_designs_that_do_not_exist_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Design(*arguments)


@pytest.mark.parametrize("design", ["laplace", 3, None, Design])
def test_what_is_no_design_is_refused_by_all(design):
    for takes in (
        lambda: design_of(design),
        lambda: sampled_inputs(0.5, 10, 0, design),
        lambda: ptft.simulate(TEACHER, INIT, 0.5, 10, 0, design=design),
    ):
        with pytest.raises(ValueError, match=r"design = .* is not allowed: it must be"):
            takes()


def test_there_are_no_more_orthogonal_rows_than_coordinates():
    with pytest.raises(ValueError, match="n = 5 is not allowed: it must be at most d = 4"):
        Design("orthogonal").sample(5, 4, 0)
