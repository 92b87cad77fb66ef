"""Tasks from real tables: standardised, without a row in both, and as they are described."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ptft.real_tasks import CHANNELS, TABLES, load_tasks


@pytest.mark.parametrize("name", TABLES)
def test_both_tasks_have_the_same_columns_and_labels_of_one_size(name):
    tasks = load_tasks(name)
    assert tasks.X.shape[1] == tasks.X_pt.shape[1] and tasks.X.shape[0] == tasks.y.size
    assert (tasks.y.mean(), tasks.y.std()) == pytest.approx((0, 1), abs=1e-12)
    first = tasks.X_pt if tasks.y_pt.size else tasks.X
    assert first.mean(axis=0) == pytest.approx(0, abs=1e-9)
    spread = first.std(axis=0)
    assert spread.mean() == pytest.approx(1) and spread.min() > 0
    assert (np.ptp(spread) < 1e-9) == (name not in ("digits", "spectra"))
    with pytest.raises(ValueError, match="read-only"):
        tasks.X[0, 0] = 1.0
    assert load_tasks(name) is tasks


@pytest.mark.parametrize("name", [name for name in TABLES if name != "diabetes-alone"])
def test_no_row_is_in_both_tasks(name):
    tasks = load_tasks(name)
    rows = [{row.tobytes() for row in np.round(X, 9)} for X in (tasks.X_pt, tasks.X)]
    assert not rows[0] & rows[1] and tasks.y_pt.size == len(tasks.X_pt)


def test_the_digits_are_dealt_out_and_the_spectra_are_wide():
    labels = load_digits().target
    tasks = load_tasks("digits")
    counts = [int(np.sum(labels == one)) for one in (3, 5, 8)]
    assert len(tasks.y_pt) + len(tasks.y) == sum(counts)
    assert np.sum(tasks.y > 0) == pytest.approx(counts[2] / 2, abs=1)
    assert load_tasks("spectra").X.shape[1] == CHANNELS and not load_tasks("diabetes-alone").y_pt.size


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="name = 'beer' is not allowed: it must be one of diabetes, wine"):
        load_tasks("beer")
