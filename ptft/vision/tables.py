"""The two tables of the experiment: accuracies, one row per fine-tuning run, and dimensions, one per run and stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ptft.sweeps import table as stored_table

FORMAT = 1  # of the points and tables, and of the way in which a point is computed: raise it when either changes
MADE_BY = "python -m ptft.vision"
KEYS = ("dataset", "seed", "knob", "value", "n")
ACCURACY_COLUMNS = (
    *KEYS,
    "accuracy",
    "accuracy_recalibrated",
    "loss",
    "stopped_by",
    "pretraining_images",
    "epochs",
    "seconds",
)
REPRESENTATION_COLUMNS = (*KEYS, "stage", "pr_before", "pr_after", "ensd")


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A stored table and its provenance.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a table of ``python -m ptft.vision``, or one of another format.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table, made = read_table(results_file("vision.parquet"))
    >>> list(table) == list(ACCURACY_COLUMNS), made["protocol"]["dataset"]
    (True, 'fashion-mnist')
    """
    return stored_table.read_table(path, MADE_BY, FORMAT)
