"""The range of every parameter of a chapter, which the comment of its assignment states: read, checked and drawn from.

A line of the cell tagged `parameters` is ``name = default  # RANGE  description``, with two spaces before the
description; a default on several lines has its comment on the last, where papermill looks for it. A bound is a number,
``inf``, or an expression of the parameters above (arithmetic, ``len``, ``sum``, ``min``, ``max``, ``abs``, and
``x if y is z else w``). A closed end ``[ ]`` belongs to the range, an open one ``( )`` does not.

=============================================  ==================================================================
``(0, 1]``, ``[0, 1 - rho_pt]``                a number between two bounds; a whole one where the default is
``even in [2, 64]``                            an even number
``{"", "all"}``, ``{True, False}``             one of these values
``text``                                       1 to 80 printable characters
``3 in [0, 1)``, ``1 to 4 in {1, 2}``          a list of so many values; the numbers may be expressions as well
``1 to 4 distinct even in [2, 64]``            a list whose values differ; ``increasing`` instead also orders them
``2 in [0, 1] adding up to 1``                 a list with a given sum
``2 in [0, 1] not all 0``                      a list that is not all zero
``1 to 4 distinct texts``                      a list of texts
``1 to 4 rows of a in [0, 1], b in (a, 2)``    a list of lists with a value for each named column
=============================================  ==================================================================

A text has no dollar, bar, backtick or backslash, and does not begin with an underscore. The bound of a column may also
name columns to its left.
"""

from __future__ import annotations

import ast
import io
import itertools
import linecache
import math
import numbers
import operator
import re
import reprlib
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Values = Mapping[str, Any]


class Unfit(ValueError):
    """A value outside the range of its parameter; a notebook shows its message and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


# ---------------------------------------------------------------------------------------------------- expressions

ROUNDING = 1e-12  # a closed end that is computed belongs to its interval up to it
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: math.pow,  # which says at once that a number is too large
    ast.USub: operator.neg,
    ast.Is: operator.eq,  # papermill takes a comment with an equals sign for an assignment
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs, "len": len, "sum": sum}
_RESERVED = {"inf", *_FUNCTIONS}


@dataclass(frozen=True)
class Expression:
    """A bound: its text and how it is computed."""

    text: str

    def __post_init__(self) -> None:
        _supported(self._body())

    def _body(self) -> ast.expr:
        try:
            return ast.parse(self.text, mode="eval").body
        except (SyntaxError, RecursionError, MemoryError):  # the last two from deep nesting
            raise ValueError(f"{shown(self.text)} is not an expression") from None

    @property
    def names(self) -> set[str]:
        """The parameters on which it depends."""
        found = {node.id for node in ast.walk(self._body()) if isinstance(node, ast.Name)}
        return found - _RESERVED

    def value(self, known: Values) -> Any:
        """Its value, given those of the parameters."""
        return _computed(self._body(), known)

    def is_at(self, value: float, bound: float) -> bool:
        """Whether a number is that which came out, up to rounding where it was computed."""
        if self.names and not self.text.isidentifier():
            return math.isclose(value, bound, rel_tol=ROUNDING, abs_tol=ROUNDING)
        return value == bound


def _supported(node: ast.expr) -> None:
    """Raise a ValueError at the first thing in an expression that a bound may not contain."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str()) | ast.Name():
            return
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            parts = [inner]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            parts = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            parts = [left, right]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            parts = [test, body, orelse]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS and arguments:
            parts = arguments
        case _:
            raise ValueError(f"`{ast.unparse(node)}` is not allowed in a bound")
    for part in parts:
        _supported(part)


def _computed(node: ast.expr, known: Values) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="inf"):
            return math.inf
        case ast.Name(id=name):
            return known[name]
        case ast.UnaryOp(operand=inner):
            return -_computed(inner, known)
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            return _OPERATORS[type(op)](_computed(left, known), _computed(right, known))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _computed(body if _computed(test, known) else orelse, known)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _FUNCTIONS[name](*(_computed(argument, known) for argument in arguments))
    raise AssertionError(ast.dump(node))


# --------------------------------------------------------------------------------------------------------- ranges

CORNER = 0.15  # probability that a draw is at an end of its interval, or close to one that does not belong to it
DECADES = 100.0  # ratio of the bounds from which on a draw is uniform in the logarithm
LARGEST = 10**6  # drawn where a range has no upper bound
UNFIT = r"$|`" + "\\"


@dataclass(frozen=True)
class Interval:
    """Numbers between two bounds."""

    low: Expression
    high: Expression
    closed_low: bool
    closed_high: bool
    even: bool = False

    @property
    def names(self) -> set[str]:
        """The parameters on which the bounds depend."""
        return self.low.names | self.high.names

    def holds(self, value: Any, known: Values) -> bool:
        """Whether a number belongs to it."""
        low, high = self.low.value(known), self.high.value(known)
        inside = (low < value or (self.closed_low and self.low.is_at(value, low))) and (
            value < high or (self.closed_high and self.high.is_at(value, high))
        )
        return bool(inside and not (self.even and value % 2))

    def here(self, known: Values) -> str:
        """The bounds as numbers."""
        low, high = self.low.value(known), self.high.value(known)
        return f"{'(['[self.closed_low]}{low:g}, {high:g}{')]'[self.closed_high]}"

    def draw(self, rng: np.random.Generator, known: Values, example: Any) -> Any:
        """A number that lies in it, or nearly; None where there is none."""
        low, high = self.low.value(known), self.high.value(known)
        if high == math.inf:
            high = max(low, 1) * LARGEST
        if low > high:
            return high if self.low.is_at(high, low) else None
        if isinstance(example, int):
            step = 2 if self.even else 1
            first, last = math.ceil(low / step), math.floor(high / step)
            return step * round(_spread(rng, first, last)) if first <= last else None
        corner = rng.random()
        inset = (high - low) * 10.0 ** -rng.uniform(1, 6)
        if corner < CORNER:
            value = low if self.closed_low else low + inset
        elif corner < 2 * CORNER:
            value = high if self.closed_high else high - inset
        else:
            value = float(f"{_spread(rng, low, high):.4g}")
        return float(value)


def _spread(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform between two numbers, in the logarithm where they are decades apart."""
    if low >= 0 and high > DECADES * low:
        bottom = low if low > 0 else high / LARGEST
        return float(np.exp(rng.uniform(np.log(bottom), np.log(high))))
    return float(rng.uniform(low, high))


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    values: tuple[Any, ...]
    names: frozenset[str] = frozenset()

    def holds(self, value: Any, known: Values) -> bool:
        """Whether a value is among them."""
        return value in self.values

    def here(self, known: Values) -> str:
        """Nothing that its text does not say."""
        return ""

    def draw(self, rng: np.random.Generator, known: Values, example: Any) -> Any:
        """One of them."""
        return self.values[rng.integers(len(self.values))]


@dataclass(frozen=True)
class Text:
    """Text that can stand in a figure and in a table."""

    names: frozenset[str] = frozenset()

    def holds(self, value: Any, known: Values) -> bool:
        """Whether a text is fit to be shown."""
        fit = value.isprintable() and bool(value.strip()) and not set(value) & set(UNFIT)
        return 1 <= len(value) <= 80 and fit and not value.startswith("_")  # matplotlib leaves such out of a legend

    def here(self, known: Values) -> str:
        """Nothing that its text does not say."""
        return ""

    def draw(self, rng: np.random.Generator, known: Values, example: Any) -> Any:
        """A word or two."""
        return " ".join("".join(rng.choice(list("abcdefg%&'"), 6)) for _ in range(rng.integers(1, 3)))


@dataclass(frozen=True)
class Several:
    """A list of values from one range."""

    fewest: Expression
    most: Expression
    element: Interval | OneOf | Text | Rows
    order: str = ""  # "distinct", "increasing" or neither
    total: Expression | None = None
    not_all_zero: bool = False

    @property
    def names(self) -> set[str]:
        """The parameters on which its length, its values or their sum depend."""
        return self.fewest.names | self.most.names | self.element.names | (self.total.names if self.total else set())

    def holds(self, value: Any, known: Values) -> bool:
        """Whether a list has the right length, and right values in it."""
        if not self.fewest.value(known) <= len(value) <= self.most.value(known):
            return False
        if not all(self.element.holds(one, known) for one in value):
            return False
        if self.total and not math.isclose(sum(value), self.total.value(known), rel_tol=ROUNDING):
            return False
        if self.not_all_zero and not any(value):
            return False
        if self.order == "distinct":
            return all(a != b for a, b in itertools.combinations(value, 2))
        return self.order == "" or all(a < b for a, b in itertools.pairwise(value))

    def here(self, known: Values) -> str:
        """The length and the bounds as numbers."""
        length = " to ".join(f"{n:g}" for n in dict.fromkeys((self.fewest.value(known), self.most.value(known))))
        return f"{length} in {self.element.here(known)}" if self.names else ""

    def draw(self, rng: np.random.Generator, known: Values, example: Any) -> Any:
        """A list of values, drawn one by one; None where none was found."""
        fewest, most = self.fewest.value(known), self.most.value(known)
        size = int(rng.integers(fewest, min(most, fewest + 10) + 1))
        found = [self.element.draw(rng, known, example[0]) for _ in range(size)]
        if self.order == "increasing":
            found.sort()
        if self.total:
            target, raw = self.total.value(known), sum(found)
            found = [one * target / raw for one in found] if raw else found
        return found


@dataclass(frozen=True)
class Rows:
    """A list with one value for each of the named columns."""

    columns: dict[str, Interval]

    @property
    def names(self) -> set[str]:
        """The parameters on which the bounds of the columns depend."""
        return set().union(*(column.names for column in self.columns.values())) - set(self.columns)

    def holds(self, value: Any, known: Values) -> bool:
        """Whether a row has the right length, and a right value in each column."""
        if len(value) != len(self.columns):
            return False
        row = dict(zip(self.columns, value, strict=True))
        return all(column.holds(row[name], {**known, **row}) for name, column in self.columns.items())

    def here(self, known: Values) -> str:
        """Nothing: the bounds of a column depend on the row."""
        return "rows"

    def draw(self, rng: np.random.Generator, known: Values, example: Any) -> Any:
        """A row."""
        row: dict[str, Any] = {}
        for (name, column), one in zip(self.columns.items(), example, strict=True):
            row[name] = column.draw(rng, {**known, **row}, one)
        return list(row.values())


Range = Interval | OneOf | Text | Several

_LIST = re.compile(
    r"(?P<fewest>.+?)(?: to (?P<most>.+?))?(?: (?P<order>distinct|increasing))?"
    r"(?: texts|(?P<even> even)? in (?P<element>[\[({].+?)(?: adding up to (?P<total>.+?))?(?P<nonzero> not all 0)?"
    r"| rows of (?P<columns>.+))"
)


def parsed(text: str) -> Range:
    """The range that a text states.

    Raises
    ------
    ValueError
        If the text is none.

    Examples
    --------
    >>> parsed("(0, 1]").holds(0.5, {}), parsed("{1, 2}").holds(3, {})
    (True, False)
    >>> parsed("len(names) in [0, inf)").holds([0.1, 0.2], {"names": ["a", "b"]})
    True
    """
    if text == "text":
        return Text()
    if text[:1] in ("[", "(", "{") or text.startswith("even in "):
        found, rest = _element(text)
        if not rest:
            return found
    elif match := _LIST.fullmatch(text):
        fewest = Expression(match["fewest"])
        most = Expression(match["most"] or match["fewest"])
        inner: Interval | OneOf | Text | Rows = Text()
        rest = ""
        if match["columns"]:
            inner = _rows(match["columns"])
        elif match["element"]:
            inner, rest = _element((match["even"] or "").strip() + " in " * bool(match["even"]) + match["element"])
        if not rest:
            total = Expression(match["total"]) if match["total"] else None
            return Several(fewest, most, inner, match["order"] or "", total, bool(match["nonzero"]))
    raise ValueError(f"{text!r} is not a range")


def _element(text: str) -> tuple[Interval | OneOf, str]:
    """The interval or the choice with which a text begins, and what follows it."""
    even = text.startswith("even in ")
    body = text.removeprefix("even in ")
    depth, comma = 0, 0
    for i, character in enumerate(body):
        depth += (character in "[({") - (character in "])}")
        if character == "," and depth == 1 and not comma:
            comma = i
        if depth == 0:
            break
    inside, rest = body[: i + 1], body[i + 1 :]
    if inside[0] == "{" and inside[-1] == "}" and not even:
        try:
            return OneOf(tuple(ast.literal_eval(f"[{inside[1:-1]}]"))), rest
        except (ValueError, SyntaxError):
            raise ValueError(f"{text!r} is not a range") from None
    if inside[0] not in "[(" or inside[-1] not in "])" or not comma:
        raise ValueError(f"{text!r} is not a range")
    low, high = Expression(inside[1:comma].strip()), Expression(inside[comma + 1 : -1].strip())
    return Interval(low, high, inside[0] == "[", inside[-1] == "]", even), rest


def _rows(text: str) -> Rows:
    columns: dict[str, Interval] = {}
    while text:
        name, separator, text = text.partition(" in ")
        if not separator or not name.isidentifier():
            raise ValueError(f"{name!r} is not a column")
        column, text = _element(text)
        if not isinstance(column, Interval):
            raise ValueError(f"{name}: the range of a column must be an interval")
        columns[name] = column
        text = text.removeprefix(", ")
    return Rows(columns)


# ----------------------------------------------------------------------------------------------------- parameters


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chapter: its default, and its range with the text that states it."""

    default: Any
    text: str
    range: Range

    def require(self, name: str, value: Any, known: Values) -> Any:
        """`value` as the kind of the default; `Unfit` where it is of another kind or outside the range."""
        refusal = f"{name} = {shown(value)} is not allowed"
        try:
            found = conform(value, self.default)
        except TypeError:
            raise Unfit(f"{refusal}: it must be {kind(self.default)} in the range {self.text}") from None
        try:
            if self.range.holds(found, known):
                return found
            here = f", here {self.range.here(known)}" if self.range.names else ""
        except ArithmeticError as error:  # of a bound, or of a number that is too large for it
            raise Unfit(f"{refusal}: its range {self.text} cannot be computed ({error})") from None
        raise Unfit(f"{refusal}: its range is {self.text}{here}")


class _Shown(reprlib.Repr):
    """Values in messages: of no more than a few hundred characters."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, 100, 100
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 10

    def repr_int(self, value: int, level: int) -> str:
        """Its digits, or how many binary digits they are."""
        return repr(value) if value.bit_length() <= 200 else f"a whole number of {value.bit_length()} bits"


def shown(value: object) -> str:
    """A value as Python writes it, in short where it is long.

    Examples
    --------
    >>> shown([0.5, "a"]), shown(10**9999)
    ("[0.5, 'a']", 'a whole number of 33216 bits')
    """
    return _Shown().repr(value)


def kind(default: object) -> str:
    """What may stand in place of `default`, in words.

    Examples
    --------
    >>> kind(0.5), kind([1, 2])
    ('a number', 'a list, each element a whole number')
    """
    if isinstance(default, (list, tuple)):
        return "a list, each element " + " or ".join(sorted({kind(element) for element in default}))
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names[type(default)]


def conform(value: Any, default: Any) -> Any:
    """`value` as the kind of its default (a whole number passes for a float).

    Raises
    ------
    TypeError
        If it is of another kind.

    Examples
    --------
    >>> conform(1, 0.5), conform((1, 2), [0.5])
    (1.0, [1.0, 2.0])
    """
    if isinstance(default, (list, tuple)):
        if not isinstance(value, (list, tuple)):
            raise TypeError
        return [_conform_to_any(element, default) for element in value]
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if isinstance(default, float) and number:
        try:
            return float(value)
        except OverflowError:
            raise TypeError from None
    if type(default) is int and number and isinstance(value, numbers.Integral):
        return int(value)
    if type(value) is not type(default):
        raise TypeError
    return value


def _conform_to_any(value: Any, allowed: Sequence[Any]) -> Any:
    for default in allowed:
        try:
            return conform(value, default)
        except TypeError:
            continue
    raise TypeError


def read(source: str) -> dict[str, Parameter]:
    """The parameters that a cell assigns, in its order.

    Parameters
    ----------
    source : str
        Text of the cell: lines ``name = literal  # RANGE  description``, and comments.

    Raises
    ------
    ValueError
        If a line is anything else, a range is missing or cannot be read or depends on what does not stand above it or
        is not one of such values, or a default is not in its range.

    Examples
    --------
    >>> found = read("rho = 0.5  # (0, 1]  a share\\nomega = 1.0  # [0, min(1, 1 / rho)]  an overlap")
    >>> found["rho"].default, found["omega"].text
    (0.5, '[0, min(1, 1 / rho)]')
    """
    try:
        statements, comments = ast.parse(source).body, _comments(source)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:  # the last two from deep nesting
        raise ValueError(f"the cell is not Python: {error}") from None
    found: dict[str, Parameter] = {}
    values: dict[str, Any] = {}
    for statement in statements:
        line = ast.get_source_segment(source, statement)
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                default = _literal(value)
            case _:
                default = None
        if default is None:
            raise ValueError(f"`{line}` is not allowed: only `name = literal` is, with numbers, texts or lists")
        if name in found:
            raise ValueError(f"{name} is assigned twice")
        if name in _RESERVED:
            raise ValueError(f"{name} is not allowed as a name: in a range it means something else")
        text = comments.get(statement.end_lineno or 0, "").removeprefix("#").strip().split("  ")[0]
        if not text:
            raise ValueError(f"{name} has no range: its line must end in `# RANGE  description`")
        try:
            allowed = parsed(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{name}: {error}") from None
        if strange := allowed.names - set(found):
            raise ValueError(f"{name}: its range depends on {', '.join(sorted(strange))}, which must stand above it")
        if not _fits(allowed, default):
            raise ValueError(f"{name}: {text} is not a range of what stands there, {kind(default)}")
        found[name] = Parameter(default, text, allowed)
        try:
            values[name] = found[name].require(name, default, values)
        except (AttributeError, TypeError) as error:  # of a bound that calculates with a text or a list
            raise ValueError(f"{name}: its range {text} cannot be computed ({error})") from None
    return found


def _literal(node: ast.expr) -> Any:
    """The default that an expression states; None where it states none of which `kind` knows the kind."""
    try:
        default = ast.literal_eval(node)
        kind(default)
    except (ValueError, TypeError, KeyError, RecursionError, MemoryError):
        return None
    return None if default in ([], ()) else default  # an empty list does not show the kind of its elements


def _fits(allowed: Range | Rows, default: Any) -> bool:
    """Whether a range is one of the kind of a default."""
    if isinstance(allowed, (Several, Rows)):
        if not isinstance(default, (list, tuple)):
            return False
        if isinstance(allowed, Several):
            return all(_fits(allowed.element, one) for one in default)
        return all(_fits(column, one) for column, one in zip(allowed.columns.values(), default, strict=False))
    if isinstance(allowed, OneOf):
        return all(_conforms(value, default) for value in allowed.values)
    if isinstance(allowed, Text):
        return isinstance(default, str)
    return type(default) is int or (type(default) is float and not allowed.even)


def _conforms(value: Any, default: Any) -> bool:
    try:
        conform(value, default)
    except TypeError:
        return False
    return True


def _comments(source: str) -> dict[int, str]:
    """The comment of each line that has one, by its number."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def check(known: Mapping[str, Parameter], given: Values) -> dict[str, Any]:
    """All parameters, those of `given` in place of their defaults, each of the kind and in the range of its own.

    Parameters
    ----------
    known : mapping of str to Parameter
        As `read` gives them.
    given : mapping of str to value
        Some of them; names that are not known are left out.

    Raises
    ------
    Unfit
        If a value is of another kind or outside its range.

    Examples
    --------
    >>> check(read("rho = 0.5  # (0, 1]  a share"), {"rho": 2})
    Traceback (most recent call last):
        ...
    ptft.book.parameters.Unfit: rho = 2 is not allowed: its range is (0, 1]
    """
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        values[name] = parameter.require(name, given.get(name, parameter.default), values)
    return values


def require(namespace: Values) -> None:
    """In a notebook, raise unless the parameters are as the comments of their cell demand.

    Parameters
    ----------
    namespace : mapping
        ``globals()`` of the notebook: it has the parameters, and as ``In`` the cells that were run. The last that
        `read` can read is that of the parameters; one that papermill adds with other values states no ranges.

    Raises
    ------
    Unfit
        If one is not: the notebook shows the message alone.
    ValueError
        If no cell with parameters has been run.

    Examples
    --------
    >>> require({"In": ["", "rho = 0.5  # (0, 1]  a share"], "rho": 0.1})
    """
    for source in reversed([*_cached_cells(), *namespace.get("In", [])]):
        try:
            known = read(source)
        except Unfit:
            raise
        except ValueError:
            continue
        if known:
            check(known, namespace)
            return
    raise ValueError("no cell with parameters and their ranges has been run: run the first cell of the notebook")


def _cached_cells() -> list[str]:
    """The cells that IPython keeps for its tracebacks: all there is where a runner, such as nbval, keeps no history."""
    return ["".join(entry[2]) for entry in linecache.cache.values() if len(entry) == 4 and entry[1] is None]


def draw(
    known: Mapping[str, Parameter], rng: np.random.Generator, within: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Random values of all parameters, each in its range, and often at an end of it.

    Parameters
    ----------
    known : mapping of str to Parameter
        As `read` gives them.
    rng : numpy.random.Generator
    within : mapping of str to str, optional
        Narrower ranges from which to draw instead, such as ``{"d": "[10, 50]"}``.

    Raises
    ------
    ValueError
        If no value was found in a range.

    Examples
    --------
    >>> known = read("rho = 0.5  # (0, 1]  a share\\nd = 100  # [1, inf)  coordinates")
    >>> found = draw(known, np.random.default_rng(0), within={"d": "[3, 5]"})
    >>> 0 < found["rho"] <= 1, found["d"] in (3, 4, 5)
    (True, True)
    """
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        drawn_from = parsed(within[name]) if within and name in within else parameter.range
        for _ in range(1000):
            value = drawn_from.draw(rng, values, parameter.default)
            try:
                values[name] = parameter.require(name, value, values)
            except (Unfit, TypeError):
                continue
            break
        else:
            raise ValueError(f"{name}: no value was found in the range {within[name] if within else parameter.text}")
    return values
