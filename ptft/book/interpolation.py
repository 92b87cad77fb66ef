"""Tables that a page reads by interpolation: axes of nodes, and values on their product."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptft.validation import check_fields, real_array, require, whole_number


@dataclass(frozen=True, eq=False)
class Axis:
    """Nodes of one argument: panels of `degree` + 1 nodes, in each of which a polynomial goes through them."""

    nodes: np.ndarray  # (panels * degree + 1,), increasing; the last node of a panel is the first of the next
    degree: int = 1

    def __post_init__(self) -> None:
        real_array(self.nodes, "nodes", ndim=1)
        whole_number(self.degree, "degree", at_least=1)
        whole = (self.nodes.size - 1) % self.degree == 0
        require(whole, "the number of nodes", self.nodes.size, "1 more than a multiple of the degree")
        require(np.all(np.diff(self.nodes) > 0), "nodes", self.nodes, "increasing")

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
class InterpolationTable:
    """Values on the product of axes; `book/_static/live_figures.js` reads them with the same few lines as `fix`."""

    axes: tuple[Axis, ...]
    values: np.ndarray  # one dimension for each axis

    def __post_init__(self) -> None:
        check_fields(self)
        real_array(self.values, "values")
        shape = tuple(axis.nodes.size for axis in self.axes)
        require(self.values.shape == shape, "the shape of values", self.values.shape, f"{shape}, that of the axes")

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
