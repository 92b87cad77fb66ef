"""The sliders of the live figures: their positions, what each shows, and where it lies on an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

import numpy as np

from ptft.book.interpolation import Axis


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
BEST_OF = {  # the initializations among which the best is sought
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
