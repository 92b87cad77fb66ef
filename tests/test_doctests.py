"""Every public function has an example in its docstring, every example runs, and its figures can be read as data.

An example runs by itself, with nothing but the imports that the reference shows at its beginning.
"""

import doctest
import importlib
import inspect
import re
import sys

import matplotlib
import matplotlib.pyplot as plt
import pytest
from conftest import ROOT, modules, public

from ptft.figures import data_of

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from api_reference import imports_of_examples, names_needed, readable, with_imports

matplotlib.use("agg")


@pytest.mark.parametrize("name", modules())
def test_examples(name):
    module, runner = importlib.import_module(name), doctest.DocTestRunner()
    with matplotlib.rc_context():
        for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
            test.globs = {}
            exec("\n".join(imports_of_examples(test.docstring or "", module)), test.globs)
            runner.run(test)
        assert runner.failures == 0
        for number in plt.get_fignums():
            data_of(plt.figure(number))
            texts = [text.get_text() for text in plt.figure(number).findobj(matplotlib.text.Text)]
            assert [text for text in texts if re.search(r"\$[^$]*\de[-+]\d[^$]*\$", text)] == []  # a difference
    plt.close("all")


def test_an_example_begins_with_its_imports():
    module = importlib.import_module("ptft.penalties")
    lines = ["Text.", "", "    >>> z = np.array([1.0])", "    >>> [f(z) for f in (penalty, _absent, len)]"]
    assert with_imports(lines, module)[2:4] == ["    >>> import numpy as np", "    >>> from ptft import penalty"]
    assert with_imports(["Text."], module) == ["Text."]


def test_bars_and_stars_are_text_beside_an_example_and_themselves_in_what_it_prints():
    lines = ["Of |beta*| or `|x|`.", "", ">>> print(text)  # |", "| **a** |", "", "A star *."]
    assert readable(lines) == [r"Of \|beta\*\| or `|x|`.", "", *lines[2:5], r"A star \*."]


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("x = f(y)\nx + z", {"f", "y", "z"}),
        ("[x for x in range(3)]", {"range"}),
        ("import numpy as np\nnp.pi", set()),
        ("def f(x):\n    return x + y\nf(1)", {"y"}),
        ("with open(a) as b:\n    b", {"open", "a"}),
    ],
)
def test_names_that_a_program_needs(code, needed):
    assert names_needed(code) == needed


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
