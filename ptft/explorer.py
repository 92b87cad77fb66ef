"""Tables from which a page can show the theory for any position of its sliders, by interpolation and nothing else.

A page has no solver, and the formulas are not to be written twice. What depends on several sliders is therefore
composed of tables with few arguments, each computed here by the rest of the package:

    (c, lambda/c, beta_pt) -> sqrt(k) at gamma = 0 and its elasticity kappa;    with gamma: -> sqrt(k), ell-order and PD
    (rho_ft, overlap, both sqrt(k), tau^2) -> alpha.

The last is a curve of error against data read sideways. Against alpha, the error falls off a cliff whose place moves
with every parameter; but each tau^2 = MSE/alpha of Proposition 4.2 belongs to one alpha, and that function is smooth.
It takes two minutes to compute and is stored: ``python -m ptft.explorer --out book/results/explorer.parquet``.
"""

from __future__ import annotations

import argparse
import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptft.initialization import Initialization
from ptft.regimes import CORNERS, Measures, measures
from ptft.replica import scalar_moments
from ptft.teachers import GaussianMixture, SpikeSlab
from ptft.validation import positive_array

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Axis:
    """Nodes of one argument: panels of `degree` + 1 nodes, in each of which a polynomial goes through them."""

    nodes: np.ndarray  # (panels * degree + 1,), increasing; the last node of a panel is the first of the next
    degree: int = 1

    @classmethod
    def smooth(cls, ends: Sequence[float], degree: int) -> Axis:
        """Panels between neighbouring `ends`, each with Chebyshev's nodes, which make polynomials converge fastest."""
        unit = (1 - np.cos(np.pi * np.arange(1, degree + 1) / degree)) / 2
        panels = [low + (high - low) * unit for low, high in itertools.pairwise(ends)]
        return cls(np.concatenate([[ends[0]], *panels]), degree)

    def weights(self, x: float) -> tuple[int, np.ndarray]:
        """First node of the panel that holds `x` (the nearest, if none does), and Lagrange's weights of its nodes."""
        panel = np.clip(np.searchsorted(self.nodes[:: self.degree], x, side="right") - 1, 0, self.panels - 1)
        first = int(panel) * self.degree
        own = self.nodes[first : first + self.degree + 1]
        others = ~np.eye(own.size, dtype=bool)
        return first, np.prod(np.where(others, (x - own) / np.where(others, own[:, None] - own, 1.0), 1.0), axis=1)

    @property
    def panels(self) -> int:
        return (self.nodes.size - 1) // self.degree


@dataclass(frozen=True, eq=False)
class Table:
    """Values on the product of axes; `book/_static/explorer.js` reads them with the same few lines as `fix`."""

    axes: tuple[Axis, ...]
    values: np.ndarray  # one dimension for each axis

    def fix(self, *x: float) -> np.ndarray:
        """Interpolated values with the first len(x) arguments fixed, an array over the axes that are left."""
        values = self.values
        for axis, at in zip(self.axes, x, strict=False):
            first, weights = axis.weights(at)
            values = np.tensordot(weights, values[first : first + weights.size], 1)
        return values

    def encode(self) -> dict[str, Any]:
        """The table as JSON types: 16 bits a value, from the least to the largest, little-endian in base 64."""
        low, high = float(self.values.min()), float(self.values.max())
        steps = np.round((self.values - low) * (65535 / (high - low))).astype("<u2")
        axes = [{"nodes": axis.nodes.tolist(), "degree": axis.degree} for axis in self.axes]
        return {"axes": axes, "low": low, "high": high, "data": base64.b64encode(steps.tobytes()).decode()}


# --------------------------------------------------------------------------------------------------------- the sliders


@dataclass(frozen=True)
class Slider:
    """Positions of one slider: what each shows, an exact number or sum of two, and where it lies on a table's axis."""

    texts: tuple[str, ...]
    coordinates: tuple[float, ...]
    start: int  # the position at first

    @property
    def axis(self) -> Axis:
        """An axis with a node at each position, where interpolation is exact."""
        return Axis(np.array(self.coordinates))


def _numbers(low: int, high: int) -> list[str]:
    """Ten numbers of two digits to each decade, from 10^low to 10^high."""
    digits = (10, 13, 16, 20, 25, 32, 40, 50, 63, 79)
    numbers = [Decimal(digit).scaleb(power - 1) for power in range(low, high) for digit in digits]
    return [f"{number.normalize():f}" for number in [*numbers, Decimal(10) ** high]]


def _slider(texts: Sequence[str], start: str, logarithmic: bool = False, shown: Sequence[str] | None = None) -> Slider:
    values = np.array([float(text) for text in texts])
    shown = texts if shown is None else shown
    return Slider(tuple(shown), tuple((np.log10(values) if logarithmic else values).tolist()), list(shown).index(start))


_ABOVE = [*_numbers(-6, 0), "1.3", "1.6", "2"]  # lambda_pt/c_pt + 1
_RELATIVE = [f"-1 + {x}" if float(x) < 0.01 else f"{Decimal(x) - 1:f}" for x in _ABOVE]

RHO_PT = 0.1  # of the teachers behind the error curves, whose pretrained coefficients are 1
BETA_FT = 1.0  # the coefficient at which the measures are taken
FLOOR = 1e-6  # smaller errors are not shown
SLIDERS = {
    "c_pt": _slider(_numbers(-6, 1), "0.001", logarithmic=True),
    "relative": _slider(_ABOVE, "-0.9", logarithmic=True, shown=_RELATIVE),
    "gamma_ft": _slider(["0", *_numbers(-3, 1)], "0"),
    "beta_pt": _slider(["0", *_numbers(-3, 1)], "1"),
    "rho_ft": _slider([*_numbers(-2, 0)[:-1], "0.9"], "0.1", logarithmic=True),
    "overlap": _slider([f"{i / 20:g}" for i in range(21)], "1"),  # as a share of the largest
    "alpha": _slider([f"{i / 100:g}" for i in range(1, 51)], "0.1", logarithmic=True),
}
BEST_OF = {  # the initialisations among which the best is sought
    "c_pt": ("0.000001", "0.00001", "0.0001", "0.001", "0.01", "0.1", "1", "10"),
    "relative": ("-1 + 0.000001", "-1 + 0.001", "-0.99", "-0.9", "0", "1"),
    "gamma_ft": ("0", "0.1", "1", "10"),
}


def overlaps() -> list[list[str]]:
    """The overlap omega at each position of the sliders rho_ft and overlap, to four decimals.

    Examples
    --------
    >>> found = overlaps()
    >>> found[0][10], found[-1][-1]  # half of all for a sparse task, and the largest for a dense one
    ('0.5', '0.1111')
    """
    rho, share = ([Decimal(text) for text in SLIDERS[name].texts] for name in ("rho_ft", "overlap"))
    largest = [min(Decimal(1), Decimal(str(RHO_PT)) / r) for r in rho]

    def rounded(largest: Decimal, share: Decimal) -> str:
        possible = largest.quantize(Decimal("0.0001"), ROUND_DOWN)
        return f"{min((largest * share).quantize(Decimal('0.0001')), possible).normalize():f}"

    return [[rounded(most, s) for s in share] for most in largest]


# ---------------------------------------------------------------------------------------------------------- the tables

LOG_SCALE = Axis.smooth(np.linspace(-11.5, 2, 10).tolist(), 9)  # log10 sqrt(k) at gamma_ft = 0
ERROR_AXES = (
    Axis.smooth((-2.0, -1.0, -0.75, np.log10(0.9)), 3),  # log10 rho_ft; above rho_pt, some features must be new
    Axis.smooth((0.0, 0.8, 1.0), 3),  # omega as a share of the largest, near which new features become rare
    Axis.smooth((-5.7, -2.5, -0.7, 0.7, 2.2), 5),  # log10 sqrt(k) where beta_pt = 1
    Axis.smooth((0.0, 2.0, 5.8), 5),  # log10 of its ratio to sqrt(k) where beta_pt = 0
    Axis.smooth((-6.5, -1.0, 1.0, 1.7, 2.5), 8),  # log10 tau^2
)


def scale_tables(beta_pt: Axis) -> dict[str, Table]:
    """log10 sqrt(k) and kappa at gamma_ft = 0 over (c_pt, lambda_pt, beta_pt), and log10 sqrt(k) with gamma_ft.

    Examples
    --------
    >>> tables = scale_tables(SLIDERS["beta_pt"].axis)
    >>> root = 10 ** tables["scale"].fix(-3.0, 0.0, 1.0)  # c_pt = 10^-3, lambda_pt = 0, beta_pt = 1
    >>> bool(np.isclose(root, Initialization(1e-3).sqrt_k(1.0)))
    True
    """
    c, above, gamma = SLIDERS["c_pt"].axis, SLIDERS["relative"].axis.nodes[[0, -1]], SLIDERS["gamma_ft"].axis
    c_pt = 10 ** c.nodes[:, None, None]
    init = Initialization(c_pt, np.array([-1 + 1e-6, 1.0])[:, None] * c_pt)
    with_gamma = Initialization(10 ** LOG_SCALE.nodes[:, None] / 4, 0.0, gamma.nodes)
    return {
        "scale": Table((c, Axis(above), beta_pt), np.log10(init.sqrt_k(beta_pt.nodes))),
        "kappa": Table((c, beta_pt), init.kappa(beta_pt.nodes)[:, 0]),
        "with_gamma": Table((LOG_SCALE, gamma), np.log10(with_gamma.sqrt_k(0.0))),
    }


def plane_tables() -> dict[str, Table]:
    """Tables behind the triangle: those of the scale, both measures, and the shares of the corners in them.

    Two nodes suffice where a value is linear in an argument: log10 sqrt(k) in log10(1 + lambda_pt/c_pt), the
    pretraining dependence in kappa, and the shares in both measures.

    Examples
    --------
    >>> tables = plane_tables()
    >>> round(float(tables["share_II"].fix(2.0, -1.0)), 6)  # the lazy corner that depends on pretraining
    1.0
    """
    gamma = SLIDERS["gamma_ft"].axis
    root = 10 ** LOG_SCALE.nodes[:, None]
    c_pt = 1e-20 * root  # then kappa = 1 at gamma_ft = 0, and 2 |beta_pt| is sqrt(k)
    at = measures(BETA_FT, root / 2, Initialization(c_pt, 0.0, gamma.nodes))
    dependence = np.stack([0 * at.ell_order, at.pretraining_dependence], axis=-1)
    ell, pd = Axis(np.array([1.0, 2.0])), Axis(np.array([-1.0, 0.0]))
    shares = Measures(*np.meshgrid(ell.nodes, pd.nodes, indexing="ij")).shares
    return {
        **scale_tables(SLIDERS["beta_pt"].axis),
        "ell_order": Table((LOG_SCALE, gamma), at.ell_order),
        "pretraining_dependence": Table((LOG_SCALE, gamma, Axis(np.array([0.0, 1.0]))), dependence),
        **{f"share_{name}": Table((ell, pd), share) for name, share in zip(CORNERS, shares, strict=True)},
    }


def error_tables(log_alpha: Table) -> dict[str, Table]:
    """Tables behind the error curves: those of the scales, also of a single task, and that of `error_table`.

    Examples
    --------
    >>> list(error_tables(error_table(tuple(Axis(axis.nodes[:2]) for axis in ERROR_AXES))))
    ['scale', 'with_gamma', 'single_task', 'log_alpha']
    """
    tables = scale_tables(Axis(np.array([0.0, 1.0])))
    c = SLIDERS["c_pt"].axis
    single = np.log10(np.sqrt(Initialization(10**c.nodes).k_single_task))
    del tables["kappa"]
    return {**tables, "single_task": Table((c,), single), "log_alpha": log_alpha}


def error_table(axes: tuple[Axis, ...] = ERROR_AXES) -> Table:
    """log10 alpha over the axes of `ERROR_AXES`, or some of their panels.

    Examples
    --------
    >>> table = error_table(tuple(Axis(axis.nodes[:2]) for axis in ERROR_AXES))  # two nodes of each argument
    >>> table.values.shape
    (2, 2, 2, 2, 2)
    """
    *outer, log_tau2 = (axis.nodes for axis in axes)
    values = np.empty([axis.nodes.size for axis in axes])
    for index in np.ndindex(values.shape[:-1]):
        mixture = task(*(nodes[i] for nodes, i in zip(outer, index, strict=True)))
        values[index] = np.log10(data_scale(10**log_tau2, mixture))
    return Table(axes, values)


def read_errors(curves: Table, alpha: np.ndarray, log_scales: tuple[float, float]) -> np.ndarray:
    """The errors at `alpha`, from the part of the error table that belongs to one task, as the page reads them.

    Parameters
    ----------
    curves : Table
        log10 alpha over the last three of `ERROR_AXES`.
    alpha : ndarray, shape (m,)
    log_scales : pair of floats
        log10 sqrt(k) where pretraining was active, and elsewhere.

    Returns
    -------
    ndarray, shape (m,); an error below those of the table, about `FLOOR` / 10, is 0.

    Examples
    --------
    >>> from ptft import replica_curve
    >>> from ptft.files import results_file
    >>> table, init = read_error_table(results_file("explorer.parquet")), Initialization(1e-3)
    >>> curves = Table(ERROR_AXES[2:], table.fix(np.log10(0.1), 1.0))  # rho_ft = 0.1, complete overlap
    >>> shown = read_errors(curves, np.array([0.1]), tuple(np.log10(init.sqrt_k([1.0, 0.0]))))
    >>> bool(np.isclose(shown, replica_curve([0.1], SpikeSlab(omega=1.0), init).mse, rtol=0.05)[0])
    True
    """
    active, inactive = log_scales
    line = Table(curves.axes[-1:], curves.fix(active, active - inactive))
    ends = line.axes[0].nodes[[0, -1]]
    log_tau2 = np.linspace(ends[0], ends[1], 361)
    known = np.array([line.fix(x) for x in log_tau2])
    log_alpha = np.log10(alpha)
    return np.where(log_alpha > known[0], 0.0, alpha * 10 ** np.interp(-log_alpha, -known, log_tau2))


def task(log_rho: float, share: float, log_scale: float, log_ratio: float) -> GaussianMixture:
    """The teacher and penalty scales at a point of the first four of `ERROR_AXES`.

    Examples
    --------
    >>> mixture = task(log_rho=-1.0, share=1.0, log_scale=0.0, log_ratio=2.0)
    >>> mixture.weight.round(2), np.sqrt(mixture.k)  # in both tasks, and in neither
    (array([0.1, 0.9]), array([1.  , 0.01]))
    """
    rho = 10**log_rho
    groups = SpikeSlab(RHO_PT, rho, share * min(1.0, RHO_PT / rho)).group_probabilities
    active, inactive = 10 ** (2 * log_scale), 10 ** (2 * (log_scale - log_ratio))
    variance, k = np.array([1 / rho, 1 / rho, 0.0, 0.0]), np.array([active, inactive, active, inactive])
    return GaussianMixture(groups, np.zeros(4), variance, k)


def data_scale(tau2: np.ndarray, mixture: GaussianMixture) -> np.ndarray:
    """The data scale alpha at which Proposition 4.2, without noise or ridge, has the effective noise variance tau2.

    Then alpha is the response R, and theta the solution of MSE = tau2 R other than 0: the left-hand side is smaller
    where theta is small, and larger where it is large.

    Parameters
    ----------
    tau2 : ndarray, shape (m,), positive
    mixture : GaussianMixture

    Returns
    -------
    ndarray, shape (m,), between 0 and 1.

    Raises
    ------
    ValueError
        If tau2 is not positive.
    ArithmeticError
        If the solution was not found.

    Examples
    --------
    >>> mixture = SpikeSlab(rho_ft=0.1, omega=0.5).mixture(Initialization(c_pt=1e-3))
    >>> data_scale(np.array([1.0]), mixture).round(4)
    array([0.2382])
    """
    tau2 = positive_array(tau2, "tau2", ndim=1)
    s, deviation = np.sqrt(mixture.k), 6 * np.sqrt(tau2)
    lazy, rich = np.sum(mixture.weight * s) * tau2 / mixture.power, deviation / (1 + np.arcsinh(deviation / s.min()))
    w = np.log(lazy + rich)
    low, high = np.full(tau2.size, -80.0), np.full(tau2.size, 80.0)
    alpha, todo = np.empty(tau2.size), np.arange(tau2.size)
    for _ in range(100):
        at, theta = w[todo], np.exp(w[todo])
        moments = scalar_moments(tau2[todo], theta, mixture)
        gap = np.log(moments.mse / (tau2[todo] * moments.response))
        slope = theta * (moments.mse_theta / moments.mse - moments.response_theta / moments.response)
        left = (gap < 0) | ((gap < 1e-9) & (slope <= 0))  # next to theta = 0 rounding decides the sign
        low[todo], high[todo] = np.where(left, at, low[todo]), np.where(left, high[todo], at)
        step = -gap / slope
        inside = (slope > 0) & (at + step >= low[todo]) & (at + step <= high[todo])
        step = np.where(inside, step, np.clip((low[todo] + high[todo]) / 2 - at, -4, 4))
        alpha[todo] = moments.response + moments.response_theta * theta * step
        w[todo] += step
        todo = todo[np.abs(step) > 1e-5]  # quadratic convergence: the next step would be below rounding
        if not todo.size:
            return alpha
    raise ArithmeticError(f"no data scale was found for tau2 = {tau2[todo]}")


# ----------------------------------------------------------------------------------------------------- the stored table

FORMAT = 1  # of the stored table, and of the way in which it is computed: raise it when either changes
MADE_BY = "python -m ptft.explorer"
COORDINATES = ("log10_rho_ft", "overlap_share", "log10_sqrt_k", "log10_ratio", "log10_tau2")


def _nodes() -> pd.DataFrame:
    """Coordinates of the nodes of `ERROR_AXES`, one row each, the last axis fastest."""
    from ptft import stored_table

    grid = np.meshgrid(*(axis.nodes for axis in ERROR_AXES), indexing="ij")
    return stored_table.pd.DataFrame({name: one.ravel() for name, one in zip(COORDINATES, grid, strict=True)})


def _key() -> str:
    from ptft import stored_table

    return stored_table.digest([FORMAT, RHO_PT, [[axis.nodes.round(9).tolist(), axis.degree] for axis in ERROR_AXES]])


def write_error_table(path: Path, table: Table) -> None:
    """Write a table over `ERROR_AXES` with its provenance, log10 alpha to four decimals.

    Raises
    ------
    ValueError, OSError
        As `ptft.stored_table.check_out`.

    Examples
    --------
    >>> import tempfile
    >>> from ptft.files import results_file
    >>> table = read_error_table(results_file("explorer.parquet"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_error_table(Path(folder, "explorer.parquet"), table)
    """
    from ptft import stored_table

    nodes = _nodes()
    frame = nodes.assign(log10_alpha=table.values.ravel().round(4))
    stored_table.write_table(path, frame, nodes, stored_table.provenance(MADE_BY, FORMAT, _key()))


def read_error_table(path: Path) -> Table:
    """The stored table over `ERROR_AXES`.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is another table, or one over other axes.

    Examples
    --------
    >>> from ptft.files import results_file
    >>> table = read_error_table(results_file("explorer.parquet"))
    >>> table.values.ndim, bool(np.all(table.values <= 0))  # log10 alpha
    (5, True)
    """
    from ptft import stored_table

    frame, provenance = stored_table.read_table(path, MADE_BY, FORMAT)
    if provenance["key"] != _key():
        raise ValueError(f"{path} has other nodes than ptft.explorer: make it again with {MADE_BY}")
    shape = [axis.nodes.size for axis in ERROR_AXES]
    return Table(ERROR_AXES, frame["log10_alpha"].to_numpy().reshape(shape))


def main(arguments: Sequence[str] | None = None) -> None:
    """Compute the table and store it.

    Examples
    --------
    >>> main([])  # where to?
    Traceback (most recent call last):
        ...
    SystemExit: 2
    """
    parser = argparse.ArgumentParser(prog=MADE_BY, description="Compute the table behind the error curves of the book.")
    parser.add_argument("--out", type=Path, required=True, help="a file that ends in .parquet")
    write_error_table(parser.parse_args(arguments).out, error_table())


if __name__ == "__main__":
    main()
