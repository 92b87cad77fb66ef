"""Tables of checks: the error beside its bound, and what of it is compared between machines."""

import configparser
import re

from conftest import ROOT

from ptft.book import tables
from ptft.checks import Check


def rows(*measured):
    return str(tables.checks(list(measured), "tab-x", "Checks.")).splitlines()[5:-1]


def test_the_error_stands_beside_its_bound():
    shares = ("share", 0.034, 0.05), ("ratio", 2.1e-5, 0.1)
    assert rows(Check("off", 1.0, [1.0 + 3e-7], 1e-6), ("lost", 3, 0), *shares) == [
        r"| off | $3 \cdot 10^{-7}$ | $10^{-6}$ | yes |",
        "| lost | 3 | 0 | **no** |",
        "| share | 0.034 | 0.05 | yes |",
        r"| ratio | $2 \cdot 10^{-5}$ | 0.1 | yes |",
    ]
    assert rows(("none", 0.0, 1e-9), Check("missing", 0.0, [float("nan")], 1e-9), ("wide", 7e-3, 5e-3)) == [
        "| none | 0 | $10^{-9}$ | yes |",
        "| missing | nan | $10^{-9}$ | **no** |",
        r"| wide | $7 \cdot 10^{-3}$ | $5 \cdot 10^{-3}$ | **no** |",
    ]


def test_chapters_are_compared_but_for_errors_of_rounding_within_their_bounds():
    rules = configparser.RawConfigParser()
    rules.read(ROOT / "tests" / "nbval_sanitize.cfg")
    rule = rules["errors within the bound beside them"]

    def compared(value, bound):
        return re.sub(rule["regex"], rule["replace"], "\n".join(rows(("a", value, bound))))

    assert compared(3e-14, 1e-12) == "| a | ERROR | $10^{-12}$ | yes |"
    assert compared(2e-13, 1e-12) == compared(0.0, 1e-12) == compared(3e-14, 1e-12)
    assert compared(3e-12, 1e-12) != compared(4e-12, 1e-12)  # an error that breaks its bound
    assert compared(0.03, 0.05) != compared(0.04, 0.05) and compared(0, 0) != compared(1, 3)
