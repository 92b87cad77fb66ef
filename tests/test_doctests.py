"""Every example in a public docstring runs."""

import doctest
import importlib
import pkgutil

import pytest

import ptft

MODULES = [m.name for m in pkgutil.iter_modules(ptft.__path__, "ptft.") if not m.ispkg]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_public_functions_have_examples():
    finder = doctest.DocTestFinder(recurse=False)
    without = [
        name
        for name in ptft.__all__
        if callable(getattr(ptft, name))
        and not isinstance(getattr(ptft, name), type)
        and not any(test.examples for test in finder.find(getattr(ptft, name)))
    ]
    assert without == []
