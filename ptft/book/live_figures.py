"""Tables from which a page can show the theory for any position of its sliders, by interpolation and nothing else.

A page has no solver, and the formulas are not to be written twice. What depends on several sliders is therefore
composed of tables with few arguments, each computed here by the rest of the package:

    (c, lambda/c, beta_pt) -> sqrt(k) at gamma = 0 and its elasticity kappa;    with gamma: -> sqrt(k), ell-order and PD
    (rho_ft, overlap, both sqrt(k), tau^2) -> alpha.

The last is a curve of error against data read sideways (`ptft.replica.data_scale`), which has no cliffs. It takes two
minutes to compute and is stored: ``python -m ptft.book.live_figures --out book/results/explorer.parquet``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptft.book.interpolation import Axis, InterpolationTable
from ptft.book.sliders import BETA_FT, RHO_PT, SLIDERS
from ptft.extras import needs_extra
from ptft.initialization import Initialization
from ptft.regimes import CORNERS, Measures, measures
from ptft.replica import data_scale
from ptft.teachers import GaussianMixture, SpikeSlab
from ptft.validation import checked

if TYPE_CHECKING:
    import pandas as pd

LOG_SCALE = Axis.smooth(np.linspace(-11.5, 2, 10).tolist(), 9)  # log10 sqrt(k) at gamma_ft = 0
ERROR_AXES = (
    Axis.smooth((-2.0, -1.0, -0.75, np.log10(0.9)), 3),  # log10 rho_ft; above rho_pt, some features must be new
    Axis.smooth((0.0, 0.8, 1.0), 3),  # omega as a share of the largest, near which new features become rare
    Axis.smooth((-5.7, -2.5, -0.7, 0.7, 2.2), 5),  # log10 sqrt(k) where beta_pt = 1
    Axis.smooth((0.0, 2.0, 5.8), 5),  # log10 of its ratio to sqrt(k) where beta_pt = 0
    Axis.smooth((-6.5, -1.0, 1.0, 1.7, 2.5), 8),  # log10 tau^2
)


@checked
def scale_tables(beta_pt: Axis) -> dict[str, InterpolationTable]:
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
    init = Initialization.at_distance(c_pt, np.array([1e-6, 2.0])[:, None])
    with_gamma = Initialization(10 ** LOG_SCALE.nodes[:, None] / 4, 0.0, gamma.nodes)
    return {
        "scale": InterpolationTable((c, Axis(above), beta_pt), np.log10(init.sqrt_k(beta_pt.nodes))),
        "kappa": InterpolationTable((c, beta_pt), init.kappa(beta_pt.nodes)[:, 0]),
        "with_gamma": InterpolationTable((LOG_SCALE, gamma), np.log10(with_gamma.sqrt_k(0.0))),
    }


def plane_tables() -> dict[str, InterpolationTable]:
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
        "ell_order": InterpolationTable((LOG_SCALE, gamma), at.ell_order),
        "pretraining_dependence": InterpolationTable((LOG_SCALE, gamma, Axis(np.array([0.0, 1.0]))), dependence),
        **{f"share_{name}": InterpolationTable((ell, pd), share) for name, share in zip(CORNERS, shares, strict=True)},
    }


@checked
def error_tables(log_alpha: InterpolationTable) -> dict[str, InterpolationTable]:
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
    return {**tables, "single_task": InterpolationTable((c,), single), "log_alpha": log_alpha}


@checked
def error_table(axes: tuple[Axis, ...] = ERROR_AXES) -> InterpolationTable:
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
    return InterpolationTable(axes, values)


@checked
def read_errors(curves: InterpolationTable, alpha: np.ndarray, log_scales: tuple[float, float]) -> np.ndarray:
    """The errors at `alpha`, from the part of the error table that belongs to one task, as the page reads them.

    Parameters
    ----------
    curves : InterpolationTable
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
    >>> from ptft.book.results import results_file
    >>> table, init = read_error_table(results_file("explorer.parquet")), Initialization(1e-3)
    >>> curves = InterpolationTable(ERROR_AXES[2:], table.fix(np.log10(0.1), 1.0))  # rho_ft = 0.1, complete overlap
    >>> shown = read_errors(curves, np.array([0.1]), tuple(np.log10(init.sqrt_k([1.0, 0.0]))))
    >>> bool(np.isclose(shown, replica_curve([0.1], SpikeSlab(omega=1.0), init).mse, rtol=0.05)[0])
    True
    """
    active, inactive = log_scales
    line = InterpolationTable(curves.axes[-1:], curves.fix(active, active - inactive))
    ends = line.axes[0].nodes[[0, -1]]
    log_tau2 = np.linspace(ends[0], ends[1], 361)
    known = np.array([line.fix(x) for x in log_tau2])
    log_alpha = np.log10(alpha)
    return np.where(log_alpha > known[0], 0.0, alpha * 10 ** np.interp(-log_alpha, -known, log_tau2))


@checked
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


# --- the stored table -------------------------------------------------------------------------------------------------

FORMAT = 1  # of the stored table, and of the way in which it is computed: raise it when either changes
MADE_BY = "python -m ptft.book.live_figures"
FORMERLY = ("python -m ptft.explorer",)  # in tables of version 0.1
COORDINATES = ("log10_rho_ft", "overlap_share", "log10_sqrt_k", "log10_ratio", "log10_tau2")


def _nodes() -> pd.DataFrame:
    """Coordinates of the nodes of `ERROR_AXES`, one row each, the last axis fastest."""
    with needs_extra("sweep", __name__):
        import pandas as pd

    grid = np.meshgrid(*(axis.nodes for axis in ERROR_AXES), indexing="ij")
    return pd.DataFrame({name: one.ravel() for name, one in zip(COORDINATES, grid, strict=True)})


def _key() -> str:
    from ptft.sweeps import table as stored

    return stored.digest([FORMAT, RHO_PT, [[axis.nodes.round(9).tolist(), axis.degree] for axis in ERROR_AXES]])


def write_error_table(path: Path, table: InterpolationTable) -> None:
    """Write a table over `ERROR_AXES` with its provenance, log10 alpha to four decimals.

    Raises
    ------
    ValueError, OSError
        As `ptft.sweeps.table.check_out`.

    Examples
    --------
    >>> import tempfile
    >>> from ptft.book.results import results_file
    >>> table = read_error_table(results_file("explorer.parquet"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_error_table(Path(folder, "explorer.parquet"), table)
    """
    from ptft.sweeps import table as stored

    nodes = _nodes()
    frame = nodes.assign(log10_alpha=table.values.ravel().round(4))
    stored.write_table(path, frame, nodes, _made(), FORMERLY)


def _made() -> dict[str, Any]:
    from ptft.sweeps import table as stored

    return stored.provenance(MADE_BY, FORMAT, _key())


def read_error_table(path: Path) -> InterpolationTable:
    """The stored table over `ERROR_AXES`.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is another table, or one over other axes.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = read_error_table(results_file("explorer.parquet"))
    >>> table.values.ndim, bool(np.all(table.values <= 0))  # log10 alpha
    (5, True)
    """
    from ptft.sweeps import table as stored

    frame, provenance = stored.read_table(path, MADE_BY, FORMAT, FORMERLY)
    if provenance["key"] != _key():
        raise ValueError(f"{path} has other nodes than ptft.book.live_figures: make it again with {MADE_BY}")
    shape = [axis.nodes.size for axis in ERROR_AXES]
    return InterpolationTable(ERROR_AXES, frame["log10_alpha"].to_numpy().reshape(shape))


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
    out = parser.parse_args(arguments).out
    try:
        from ptft.sweeps import table as stored

        stored.check_out(out, _nodes(), _made(), FORMERLY)  # before the minutes that the table takes
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))
    write_error_table(out, error_table())


if __name__ == "__main__":
    main()
