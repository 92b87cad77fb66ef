"""Every figure of the book, in one style. Each function takes results of `ptft` and returns a matplotlib Figure."""

from ptft.figures.data import csv_of, data_of
from ptft.figures.page_style import COLORS, figure, ordered_colors, save, style
from ptft.figures.penalties import (
    level_sets,
    measure_curves,
    penalty_scales,
    penalty_shapes,
    phase_portraits,
    training,
    triangle,
)

__all__ = [
    "COLORS",
    "csv_of",
    "data_of",
    "figure",
    "level_sets",
    "measure_curves",
    "ordered_colors",
    "penalty_scales",
    "penalty_shapes",
    "phase_portraits",
    "save",
    "style",
    "training",
    "triangle",
]
