"""The diagnostics of the Monte-Carlo solver (Appendix E.2.4)."""

import numpy as np
import pandas as pd
import pytest

from ptft.monte_carlo import DIAGNOSED, diagnostics
from ptft.sweeps.monte_carlo import COLUMNS


def test_diagnostics_summarise_the_rows_of_a_range():
    columns = {"alpha": 0.1, "residual": 1e-11, "mismatch_db": 0.0, "reliability_db": 1.0, "iterations": 5}
    rows = [
        {**columns, "exact": 1.0, "mse": 1.25, "mse_se": 0.1, "converged": True},
        {**columns, "exact": 0.5, "mse": 1.0, "mse_se": 0.1, "converged": False, "residual": 1e-3},
        {**columns, "exact": 1e-3, "mse": 1e-3, "mse_se": 1e-4, "converged": True},
    ]
    one = diagnostics(pd.DataFrame(rows), low=0.1)
    assert (one.points, one.not_converged, one.residual, one.within) == (2, 1, 1e-3, 0.5)
    assert one.distance_db == pytest.approx((10 * np.log10(np.sqrt(1.25 * 2)), 10 * np.log10(2)), rel=1e-9)
    assert one.se_db[1] == pytest.approx(10 / np.log(10) * 0.1)
    with pytest.raises(ValueError, match=r"\(low, high\)"):
        diagnostics(pd.DataFrame(rows), 2.0, 3.0)


def test_what_the_sweep_stores_can_be_diagnosed():
    assert set(DIAGNOSED) <= set(COLUMNS)
