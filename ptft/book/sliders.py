"""The sliders of the live figures: their positions, what each shows, and with which a view begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal


@dataclass(frozen=True)
class Slider:
    """Positions of one slider: what each shows, an exact number or sum of two, and its value in the formulas."""

    texts: tuple[str, ...]
    values: tuple[float, ...]


def _numbers(low: int, high: int) -> list[str]:
    """Ten numbers of two digits to each decade, from 10^low to 10^high."""
    digits = (10, 13, 16, 20, 25, 32, 40, 50, 63, 79)
    numbers = [Decimal(digit).scaleb(power - 1) for power in range(low, high) for digit in digits]
    return [f"{number.normalize():f}" for number in [*numbers, Decimal(10) ** high]]


def _slider(values: Sequence[str], texts: Sequence[str] | None = None) -> Slider:
    return Slider(tuple(values if texts is None else texts), tuple(map(float, values)))


_DISTANCES = [*_numbers(-6, 0), "1.3", "1.6", "2"]  # 1 + lambda_pt/c_pt
_RELATIVE = [f"-1 + {x}" if float(x) < 0.01 else f"{Decimal(x) - 1:f}" for x in _DISTANCES]

RHO_PT = 0.1  # of the teachers, whose pretrained coefficients are 1
FLOOR = 1e-6  # smaller errors are not shown
FEATURES, LAZY = 100_000, 1e3  # of tasks with power laws; a scale with which they are learned lazily
LONGEST = 4.5  # log10 of the most examples for which the learning curve of the single task is solved
SLIDERS = {
    "c_pt": _slider(_numbers(-6, 1)),
    "relative": _slider(_DISTANCES, _RELATIVE),
    "gamma_ft": _slider(["0", *_numbers(-3, 1)]),
    "beta_pt": _slider(["0", *_numbers(-3, 1)]),
    "beta_ft": _slider(["0", *_numbers(-3, 1)]),
    "rho_ft": _slider([*_numbers(-2, 0)[:-1], "0.9"]),
    "overlap": _slider([f"{i / 20:g}" for i in range(21)]),  # as a share of the largest
    "noise_var": _slider(["0", *_numbers(-3, 0)]),
    "alpha_pt": _slider([f"{i / 20:g}" for i in range(21)]),
    "alpha": _slider([f"{i / 100:g}" for i in range(1, 51)]),
    "a": _slider([f"{i / 4:g}" for i in range(2, 17)]),
    "b": _slider([f"{i / 4:g}" for i in range(5, 13)]),
    "examples": _slider(_numbers(1, 4)),
}
_BASE = {"c_pt": "0.001", "relative": "-0.9", "gamma_ft": "0"}
VIEWS = {  # the sliders of each live figure, and what they show at first
    "plane": {**_BASE, "beta_pt": "1", "beta_ft": "1"},
    "error": {**_BASE, "rho_ft": "0.1", "overlap": "1", "noise_var": "0", "alpha_pt": "1", "alpha": "0.1"},
    "best": {"rho_ft": "0.1", "overlap": "0.5", "noise_var": "0", "alpha": "0.1"},
    "scaling": {"a": "1", "b": "1.5", "overlap": "1", **_BASE, "relative": "0", "examples": "100"},
}
BEST_OF = {  # the initializations among which the second view seeks the best
    "c_pt": ("0.000001", "0.00001", "0.0001", "0.001", "0.01", "0.1", "1", "10"),
    "relative": ("-1 + 0.000001", "-1 + 0.001", "-0.99", "-0.9", "0", "1"),
    "gamma_ft": ("0", "0.1", "1", "10"),
}


def value(name: str, text: str) -> float:
    """The value in the formulas of what a slider shows, which for lambda_pt/c_pt is its distance from -1.

    Examples
    --------
    >>> value("relative", "-0.9"), value("relative", "-1 + 0.001")
    (0.1, 0.001)
    """
    return SLIDERS[name].values[SLIDERS[name].texts.index(text)]


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
