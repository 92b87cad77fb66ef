"""Every figure of the book, in one style. Each function takes results of `ptft` and returns a matplotlib Figure."""

from ptft.figures.style import COLORS, figure, ordered_colors, save, style

__all__ = ["COLORS", "figure", "ordered_colors", "save", "style"]
