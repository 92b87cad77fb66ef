"""The reference: every public function of the package is on its pages, with parameters, shapes and errors."""

import importlib
import inspect
import re
import sys

import numpy as np
import pytest
from conftest import ROOT, modules, public

import ptft
from ptft.experiments import FiniteSetting
from ptft.regimes import Measures

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from api_reference import signature_of

PAGES = sorted((ROOT / "book" / "api").glob("*.md"))


def test_every_module_is_on_one_page():
    listed = [name for page in PAGES for name in re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))]
    assert sorted(listed) == sorted(name for name in modules() if public(name))


def test_every_name_that_ptft_exports_is_in_the_table():
    listed = re.findall(r"~(ptft\.\S+)`", (ROOT / "book" / "api.md").read_text(encoding="utf-8"))
    exported = [f"{getattr(ptft, name).__module__}.{name}" for name in (*ptft.__all__, *ptft.NEED_LEARN)]
    assert sorted(listed) == sorted(exported)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_rendered_page_has_every_public_name_and_is_not_huge(html, page):
    rendered = (html / "book" / "api" / f"{page.stem}.html").read_text(encoding="utf-8")
    names = re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))
    wanted = {f"{module}.{name}" for module in names for name in public(module)}
    assert wanted - set(re.findall(r'id="(ptft\.[^"]+)"', rendered)) == set()
    assert len(rendered) < 1.5e6


# ------------------------------------------------------------------------------------------------------ the docstrings

SECTIONS = ("Parameters", "Returns", "Yields", "Raises", "Warns", "Examples")
CHECKS = tuple(public("ptft.validation"))


def faults(function, about=""):
    """What the docstring of a function lacks, given that of its module: sections, parameters, shapes and errors."""
    doc, code = inspect.getdoc(function) or "", inspect.getsource(function)
    body = code.replace(function.__doc__ or "", "")
    parts = re.split(r"^(\w[\w, ]*)\n-{3,}$", doc, flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    found = [f"section {name!r}" for name in sections if name not in SECTIONS]
    parameters = inspect.signature(function).parameters
    if "Parameters" in sections:
        entries = [line for line in sections["Parameters"].splitlines() if line and not line.startswith(" ")]
        found += [f"entry {entry!r}" for entry in entries if not re.fullmatch(r"\**\w+(, \**\w+)*( : .+)?", entry)]
        named = {name.strip(" *") for entry in entries for name in entry.split(" : ")[0].split(",")}
        found += [f"parameter {name}" for name in parameters if name not in named]
    takes_arrays = any(re.search("ndarray|ArrayLike|Tensor", str(p.annotation)) for p in parameters.values())
    if takes_arrays and not re.search(r"shape|broadcast|[Aa]s in|as of|\(\w+,( \w+)*\)", doc + about):
        found.append("shapes")
    checks = re.search(rf"^ +raise |\b({'|'.join(CHECKS)})\(", body.split('"""')[-1], flags=re.M)
    if checks and not re.search(r"(?i)\braises?\b|errors (are|.*as in)|as are the errors|exit status", doc + about):
        found.append("errors")
    return found


@pytest.mark.parametrize("module", modules())
def test_docstrings_state_parameters_shapes_and_errors(module):
    about = importlib.import_module(module).__doc__ or ""
    functions = {name: thing for name, thing in public(module).items() if inspect.isfunction(thing)}
    assert {name: found for name, thing in functions.items() if (found := faults(thing, about))} == {}


def is_split(doc):
    """Whether the page would show what the first line of a property says up to a colon as its type."""
    return re.match(r"(`[^`]*`|[^`:])+:\s", doc.splitlines()[0]) is not None


@pytest.mark.parametrize("module", modules())
def test_no_property_is_described_by_what_looks_like_its_type(module):
    classes = [thing for thing in public(module).values() if inspect.isclass(thing)]
    properties = [(one.__name__, name, thing) for one in classes for name, thing in vars(one).items()]
    docs = {f"{of}.{name}": thing.__doc__ for of, name, thing in properties if isinstance(thing, property)}
    assert [name for name, doc in docs.items() if doc and is_split(doc)] == []


def test_a_colon_in_code_splits_nothing():
    assert is_split("Hash of `x`: two never mix.") and not is_split("Of `a: b`, twice.") and not is_split("At 1:2.")


def test_what_a_docstring_lacks_is_reported():
    def bare(x: "np.ndarray"):  # type: ignore[name-defined]
        """Something.

        Parameters
        ----------
        The parameter is an array.

        Result
        ------
        """
        raise ValueError

    assert faults(bare) == ["section 'Result'", "entry 'The parameter is an array.'", "parameter x", "shapes", "errors"]


# ------------------------------------------------------------------------------------------------------ the signatures


class StandIn:
    """What a page puts in the place of a base from a package that is missing."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)


class Estimator(StandIn):
    """A class of the package with such a base."""

    def __init__(self, ridge=0.5, fit_intercept=True):
        self.ridge, self.fit_intercept = ridge, fit_intercept


GRID = np.linspace(0, 1, 50)


def of_arrays(x, at=GRID, kind=np.float32, *, ridge=0.5):
    """Defaults that are long or have no text of their own, and one that is neither."""


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (Estimator, "(ridge=0.5, fit_intercept=True)"),
        (of_arrays, "(x, at=GRID, kind=np.float32, *, ridge=0.5)"),
        (Measures, "(ell_order, pretraining_dependence, cost_ratio=np.ones(()))"),
        (FiniteSetting, "(base=Setting(), alpha_pt=1.0, noise_pt=0.0, noise_ft=0.0)"),
        (ptft.teachers.Teacher, "()"),
    ],
)
def test_a_signature_has_names_and_short_defaults(thing, expected):
    found = signature_of(thing)
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in found.parameters.values()]
    assert str(inspect.Signature(bare)) == expected


@pytest.mark.parametrize("module", modules())
def test_no_signature_shows_the_address_or_the_inside_of_a_default(module):
    found = {name: signature_of(thing) for name, thing in public(module).items()}
    defaults = [repr(p.default) for one in found.values() if one for p in one.parameters.values()]
    assert [
        text for text in defaults if ("<" in text or len(text) > 40) and text != repr(inspect.Parameter.empty)
    ] == []
