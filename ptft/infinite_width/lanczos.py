"""A step of a linear flow whose matrix is too large for eigenvectors: phi_1 of a symmetric matrix times a vector.

The Lanczos process projects the matrix to the Krylov space of the vector, in which the function is taken exactly. The
basis is orthogonalized in full, so that after as many steps as there are rows nothing is left out.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal

from ptft.validation import checked, nonnegative_number, real_array, require

EVERY = 5  # steps from one test of convergence to the next


@checked
def mean_decay(K: np.ndarray, v: np.ndarray, t: float) -> tuple[np.ndarray, float]:
    """The mean of exp(-s K) v over the times s from 0 to t, which is phi_1(-t K) v with phi_1(x) = (e^x - 1)/x.

    Parameters
    ----------
    K : ndarray (P, P), float32 or float64
        Symmetric, which is not checked, and positive semidefinite; only what rounding makes of an eigenvalue 0 may be
        negative. Products are taken in its precision, with a unit roundoff eps: what the mean has along eigenvectors
        of eigenvalues below eps |K| is off by up to t eps |K|.
    v : ndarray (P,)
    t : float, at least 0

    Returns
    -------
    mean : ndarray (P,)
        In the precision of K.
    change : float
        By how much the last steps changed it, relative to its norm: below eps^(2/3), and 0 once the Krylov space is
        exhausted, so that the process always ends. It does not contain the rounding of K, see there.

    Raises
    ------
    ValueError
        If an argument is not finite or outside its range, or shapes do not match.

    Examples
    --------
    >>> mean, change = mean_decay(np.diag([0.0, 1.0]), np.ones(2), t=2.0)
    >>> mean.round(4), change  # 1, and (1 - e^-2)/2
    (array([1.    , 0.4323]), 0.0)
    """
    v, t = real_array(v, "v", ndim=1), nonnegative_number(t, "t")
    require(np.shape(K) == 2 * v.shape, "the shape of K", np.shape(K), f"{2 * v.shape}, for the {v.size} entries of v")
    require(K.dtype in (np.float32, np.float64), "the type of K", K.dtype, "float32 or float64")
    eps, length = float(np.finfo(K.dtype).eps), float(np.linalg.norm(v))
    if length == 0:
        return np.zeros_like(v, dtype=K.dtype), 0.0
    basis = np.empty((0, v.size), dtype=K.dtype)
    diagonal: list[float] = []
    beside: list[float] = []
    found, next_vector = np.zeros(0), (v / length).astype(K.dtype)
    while True:
        if len(diagonal) == len(basis):
            basis = np.concatenate([basis, np.empty((min(32, v.size), v.size), dtype=K.dtype)])
        basis[len(diagonal)] = next_vector
        image = K @ next_vector
        diagonal.append(float(next_vector @ image))
        known = basis[: len(diagonal)]
        for _ in range(2):  # twice is enough
            image -= (known @ image) @ known
        left = float(np.linalg.norm(image))
        require(np.isfinite(left), "K", K, "finite")
        exhausted = len(diagonal) == v.size or left <= 10 * eps * max(map(abs, diagonal))
        if exhausted or len(diagonal) % EVERY == 0:
            before = found
            values, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside))
            decay = np.maximum(t * values, np.finfo(float).tiny)
            found = vectors @ (-np.expm1(-decay) / decay * vectors[0])
            change = float(np.linalg.norm(found - np.pad(before, (0, found.size - before.size))))
            change = 0.0 if exhausted else change / float(np.linalg.norm(found))
            if change < eps ** (2 / 3):
                return np.asarray(length * found.astype(K.dtype) @ known), change
        beside.append(left)
        next_vector = image / left
