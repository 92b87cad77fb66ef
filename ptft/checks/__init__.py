"""Identities of the theory with both sides: what is derived beside what is measured by other means.

Every function returns a `Check`, or several: a test asserts that it holds, a chapter prints it, a figure draws it.
"""

from ptft.checks.identities import Check

__all__ = ["Check"]
