"""Chapter 10: the limit in which fine-tuning of a diagonal network is kernel regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ptft.end_point import min_penalty
from ptft.infinite_width.linear import kernel_end_point
from ptft.initialization import Initialization
from ptft.validation import checked, positive_array, real_array


@checked
def lazy_distances(X: ArrayLike, y: ArrayLike, c_pt: ArrayLike, source: ArrayLike, M: ArrayLike) -> np.ndarray:
    """How far the end point of a diagonal network is from that of kernel regression, as its weights become large.

    The limit is kernel regression with M = diag(sqrt(k)), up to a factor (gamma_ft = lambda_pt = 0).

    Parameters
    ----------
    X : array_like, shape (n, d)
    y : array_like, shape (n,)
    c_pt : array_like, positive, shape (m,)
    source : array_like, shape (d,)
        beta_pt/c_pt, which is the same at every scale.
    M : array_like, shape (d, d), positive definite

    Returns
    -------
    ndarray, shape (m,)
        Distance of the two, relative to the size of the diagonal network's end point.

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.

    Examples
    --------
    >>> X, y, source = [[1.0, 2.0]], [1.0], [4.0, 0.0]
    >>> M = np.diag(Initialization(1.0).sqrt_k(source))
    >>> lazy_distances(X, y, [0.01, 1e3], source, M).round(3), lazy_distances(X, y, [1e3], source, np.eye(2)).round(3)
    (array([0.569, 0.   ]), array([0.43]))
    """
    limit, source = kernel_end_point(X, y, M), real_array(source, "source", ndim=1)
    distances = []
    for scale in positive_array(c_pt, "c_pt", ndim=1):
        end = min_penalty(X, y, Initialization(float(scale)).k(scale * source)).beta
        distances.append(np.linalg.norm(end - limit) / np.linalg.norm(end))
    return np.array(distances)
