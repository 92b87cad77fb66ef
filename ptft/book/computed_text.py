"""Words and numbers that a chapter computes for its prose and captions, where ``{glue:text}`name``` puts them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import Markdown

import numpy as np
from numpy.typing import ArrayLike

from ptft.extras import needs_extra
from ptft.validation import checked, real_array

# an escaped character, a formula, or the beginning of a tag
_TAGS = re.compile(r"\\.|\$(?:\\.|[^$\\])*\$|<(?=[A-Za-z/!?])")
# a formula, code, or a number with what a program puts before or after its digits
_NUMBERS = re.compile(
    r"\$[^$]*\$|`[^`]*`|(?<![\w.$-])(?P<sign>[-+]?)(?P<digits>\d+(?:\.\d+)?)(?:e(?P<power>[-+]\d{2,3})(?!\w))?"
)
_MARKS = r"[\\`*_{}\[\]<>$|&^~]"  # what may mean something to Markdown
_SIGNED_ZERO = re.compile(r"(?<![^$(\[,; ])[-+](?=0(?:\.0+)?(?![\d.]))")  # in a formula
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def literal(text: object) -> str:
    """Text that Markdown shows as it is, whatever is in it: names and labels that come from a file or a parameter.

    Examples
    --------
    >>> print(literal("<b>*a*|b"))
    \\<b\\>\\*a\\*\\|b
    """
    return re.sub(_MARKS, r"\\\g<0>", " ".join(str(text).split()))


def in_print(text: str) -> str:
    """Markdown with numbers as print has them: with a minus, where a program puts a hyphen, and with powers of ten.

    What rounds to zero has no sign. Code is kept, formulas but for signs of zero, and so is an exponent of one digit,
    which a program would have written with two.

    Examples
    --------
    >>> print(in_print("-2 % [-3.1, -0.9], **6.4e-05**, -1e-06, 1.7e+04, $-2$, `-p d=-2e-06`, 1e-3 and prop-2"))
    −2 % [−3.1, −0.9], **6.4·10⁻⁵**, −10⁻⁶, 1.7·10⁴, $-2$, `-p d=-2e-06`, 1e-3 and prop-2
    >>> print(in_print("+0.3, -0.0, +0.0 %, $-0.0 \\\\pm 0.1$"))
    +0.3, 0.0, 0.0 %, $0.0 \\pm 0.1$
    """

    def number(found: re.Match[str]) -> str:
        if not found["digits"]:
            return _SIGNED_ZERO.sub("", found[0]) if found[0].startswith("$") else found[0]
        if not float(found["digits"]):
            return found["digits"]
        mantissa = "" if found["digits"] == "1" and found["power"] else found["digits"]
        power = "10" + str(int(found["power"])).translate(_RAISED) if found["power"] else ""
        return found["sign"].replace("-", "−") + mantissa + ("·" if mantissa and power else "") + power

    return _NUMBERS.sub(number, text)


def inline(text: object) -> str:
    """One line of Markdown in which no HTML is live, numbers `in_print`; formulas, references and emphasis are kept.

    Examples
    --------
    >>> print(inline("an *error* <script> below $a<b$"))
    an *error* &lt;script> below $a< b$
    """

    def tame(found: re.Match[str]) -> str:
        part = found[0]
        if part.startswith("$"):
            return re.sub(r"<(?=[A-Za-z/!?])", "< ", part)
        return part if part.startswith("\\") else "&lt;"

    return _TAGS.sub(tame, in_print(" ".join(str(text).splitlines())))


def state(**texts: object) -> None:
    """Make texts known by their names to the page: ``{glue:text}`name``` in Markdown or in a caption shows one.

    Nothing is displayed in the notebook itself. Each text is kept as it is given, with its numbers `in_print`, which
    should come rounded. The page shows it as it is and not as Markdown, so that what is `literal` loses its escapes.

    Raises
    ------
    ValueError
        If a text is empty or runs over more than one line, which a sentence cannot show, or if it has the marks of
        emphasis, code or formulas, which would be shown.

    Examples
    --------
    >>> state(best="")
    Traceback (most recent call last):
        ...
    ValueError: best = '' is not allowed: it must be one line of text
    """
    with needs_extra("book", "state"):
        from myst_nb import glue

    for name, value in texts.items():
        text = str(value)
        if not text or "\n" in text:
            raise ValueError(f"{name} = {text!r} is not allowed: it must be one line of text")
        if re.search(r"(?<!\\)[`*$]", text):
            raise ValueError(f"{name} = {text!r} is not allowed: its marks of Markdown would be shown as they are")
        text = re.sub(rf"\\({_MARKS})", r"\1", text)
        glue(name, in_print(text), display=False)


@checked
def listed(words: Sequence[str], none: str = "none") -> str:
    """Words as a list in a sentence.

    Parameters
    ----------
    words : sequence of str
    none : str, default "none"
        What stands for an empty list.

    Examples
    --------
    >>> listed(["I", "II", "IV"]), listed(["I", "II"]), listed(["I"]), listed([])
    ('I, II and IV', 'I and II', 'I', 'none')
    """
    if len(words) < 2:
        return words[0] if words else none
    return ", ".join(words[:-1]) + " and " + words[-1]


@checked
def stretches(holds: ArrayLike, at: ArrayLike) -> str:
    """Where a statement holds on a grid, as ranges with three digits, or with as many as show each place of the grid.

    Parameters
    ----------
    holds : array_like of bool, shape (m,)
    at : array_like, shape (m,)
        The grid.

    Raises
    ------
    ValueError
        If `at` is not a grid of numbers.

    Examples
    --------
    >>> stretches([True, True, False, True], [0.1, 0.2, 0.3, 0.4]), stretches([False], [0.1])
    ('0.1 to 0.2, 0.4', 'nowhere')
    >>> stretches([False, True, True, False], [0.99, 0.999, 1.001, 1.01])
    '0.999 to 1.001'
    """
    at = real_array(at, "at", ndim=1)
    apart = np.concatenate([[np.inf], np.abs(np.diff(at)), [np.inf]])
    near = 0.1 * np.minimum(apart[1:], apart[:-1])  # a tenth of the way to the nearest other place

    def said(i: int) -> str:
        written = (f"{at[i]:.{digits}g}" for digits in range(3, 18))
        return next(text for text in written if abs(float(text) - at[i]) <= near[i])

    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(holds, dtype=bool), [False]]).astype(int)))
    ranges = edges.reshape(-1, 2).tolist()
    return ", ".join(said(a) + (f" to {said(b - 1)}" if b - 1 > a else "") for a, b in ranges) or "nowhere"


@checked
def either(holds: bool, yes: str, no: str) -> str:
    """One of two phrases of a sentence, by a truth value.

    Examples
    --------
    >>> either(0.1 < 0.2, "is below", "is not below")
    'is below'
    """
    return yes if holds else no


@checked
def paragraph(holds: bool, text: str) -> Markdown | None:
    """A paragraph that reads results: what the last line of a cell shows where all that it says holds, else nothing.

    Parameters
    ----------
    holds : bool
    text : str
        Markdown; the cell needs ``mystnb: {markdown_format: myst}``.

    Examples
    --------
    >>> paragraph(0.1 < 0.2, "The first loss is *smaller*.").data
    'The first loss is *smaller*.'
    >>> paragraph(0.3 < 0.2, "The first loss is *smaller*.")
    """
    with needs_extra("book", "paragraph"):
        from IPython.display import Markdown

    return Markdown(inline(text)) if holds else None  # type: ignore[no-untyped-call]
