"""Every public function has an example in its docstring, every example runs, and its figures can be read as data."""

import doctest
import importlib
import inspect

import matplotlib
import matplotlib.pyplot as plt
import pytest
from conftest import modules, public

from ptft.figures import data_of

matplotlib.use("agg")


@pytest.mark.parametrize("name", modules())
def test_examples(name):
    with matplotlib.rc_context():
        assert doctest.testmod(importlib.import_module(name)).failed == 0
        for number in plt.get_fignums():
            data_of(plt.figure(number))
    plt.close("all")


def without_example(things):
    """The functions, and the classes that readers make by themselves, whose docstrings show no call."""
    return [
        name
        for name, thing in things.items()
        if (inspect.isfunction(thing) or "\nParameters\n" in (inspect.getdoc(thing) or ""))
        and not doctest.DocTestParser().get_examples(thing.__doc__ or "")
    ]


@pytest.mark.parametrize("module", modules())
def test_every_public_function_has_an_example(module):
    assert without_example(public(module)) == []


def test_a_missing_example_is_reported():
    def bare():
        """Nothing to see."""

    def shown():
        """Something.

        >>> 1 + 1
        2
        """

    assert without_example({"bare": bare, "shown": shown, "str": str}) == ["bare"]
