"""The mean of decaying misfits against eigenvectors, and against scipy's exponential of a matrix."""

import numpy as np
import pytest
from scipy.linalg import expm

from ptft.infinite_width.lanczos import mean_decay

P = 120


def kernel(rank=P, seed=0):
    """A symmetric matrix whose eigenvalues fall from 1 over ten decades, as those of kernels do, and its vectors."""
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((P, P)))[0]
    values = np.where(np.arange(P) < rank, np.geomspace(1, 1e-10, P), 0.0)
    return (vectors * values) @ vectors.T, values, vectors


def by_eigenvectors(values, vectors, v, t):
    decay = np.maximum(values * t, np.finfo(float).tiny)
    return vectors @ (-np.expm1(-decay) / decay * (vectors.T @ v))


@pytest.mark.parametrize("rank", [1, 20, P])
@pytest.mark.parametrize("t", [0.0, 1e-3, 1.0, 1e4, 1e9])
def test_the_mean_is_that_of_eigenvectors(rank, t):
    K, values, vectors = kernel(rank)
    v = np.random.default_rng(1).standard_normal(P)
    mean, change = mean_decay(K, v, t)
    off = np.linalg.norm(mean - by_eigenvectors(values, vectors, v, t))
    assert off < (1e-9 + 1e-15 * t) * np.linalg.norm(v)  # eigenvalues are known to rounding, times which the time acts
    assert 0 <= change < 1e-10


def test_the_mean_is_what_the_exponential_of_a_larger_matrix_holds():
    """exp of [[-t K, v], [0, 0]] has phi_1(-t K) v in its last column."""
    K, _, _ = kernel()
    v, t = np.random.default_rng(1).standard_normal(P), 30.0
    larger = np.zeros((P + 1, P + 1))
    larger[:P, :P], larger[:P, P] = -t * K, v
    assert mean_decay(K, v, t)[0] == pytest.approx(expm(larger)[:P, P], abs=1e-9)


def test_single_precision_is_kept_and_enough():
    K, values, vectors = kernel()
    v = np.random.default_rng(1).standard_normal(P)
    mean, change = mean_decay(K.astype(np.float32), v, 100.0)
    exact = by_eigenvectors(values, vectors, v, 100.0)
    assert mean.dtype == np.float32 and 0 <= change < 1e-4
    assert np.linalg.norm(mean - exact) < 1e-4 * np.linalg.norm(exact)


def test_few_products_are_enough_where_few_directions_matter():
    class Counted(np.ndarray):
        products = 0

        def __matmul__(self, other):
            Counted.products += 1
            return np.asarray(self) @ other

    K, _, _ = kernel()
    v = np.random.default_rng(1).standard_normal(P)
    mean_decay(K.view(Counted), v, 1.0)
    assert Counted.products <= 25 < P


@pytest.mark.parametrize("v", [np.zeros(4), np.array([1.0, 0.0, 0.0, 0.0]), np.ones(4)])
def test_spaces_that_end_early(v):
    """Nothing moves without misfits, and a combination of few eigenvectors spans a space of as few dimensions."""
    values = np.array([2.0, 2.0, 0.0, 0.0])
    mean, change = mean_decay(np.diag(values), v, 3.0)
    assert change == 0
    assert mean == pytest.approx(by_eigenvectors(values, np.eye(4), v, 3.0), abs=1e-14)


def test_what_rounding_makes_of_a_zero_matrix_decays_nothing():
    mean, change = mean_decay(-1e-12 * np.eye(40), np.ones(40), 1.0)
    assert mean == pytest.approx(np.ones(40), abs=1e-11) and change == 0


@pytest.mark.parametrize(
    ("K", "v", "t", "message"),
    [
        (np.eye(3), np.ones(2), 1.0, "the shape of K"),
        (np.eye(2), np.ones(2), -1.0, "t = -1. is not allowed"),
        (np.eye(2), np.array([np.nan, 1.0]), 1.0, "(?s)v = .* finite"),
        (np.diag([np.nan, 1.0]), np.ones(2), 1.0, "(?s)K = .* finite"),
        (np.eye(2, dtype=int), np.ones(2), 1.0, "the type of K"),
    ],
)
def test_bad_input_is_named(K, v, t, message):
    with pytest.raises(ValueError, match=message):
        mean_decay(K, v, t)
