"""Every chapter ends with exercises, whose solutions are folded, and one of which runs it with other parameters."""

import re
import shlex

import pytest
from conftest import ROOT, listed_chapters, load_runner

RUN = re.compile(r"^python book/execute\.py ((?:.*\\\n)*.*)$", re.M)


def exercises(stem):
    """The section of exercises of a chapter."""
    source = (ROOT / "notebooks" / f"{stem}.md").read_text(encoding="utf-8")
    return source.partition("\n## Exercises\n")[2]


@pytest.mark.parametrize("stem", listed_chapters())
def test_a_chapter_has_exercises_with_folded_solutions(stem):
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+)\.\*\*", exercises(stem), re.M)]
    assert numbers and numbers == list(range(1, len(numbers) + 1))
    assert exercises(stem).count(":::{dropdown} Solution") == len(numbers)


@pytest.mark.parametrize("stem", listed_chapters())
def test_an_exercise_runs_the_chapter_with_parameters_that_it_has(stem):
    runner, parsed = load_runner(), []
    for line in RUN.findall(exercises(stem)):
        given = runner._parser().parse_args(shlex.split(line.replace("\\\n", " ")))
        values = runner.assignments(given.parameters)
        known = runner.read_parameters(stem)
        assert given.chapters == [stem] and given.out and values
        assert runner.checked(runner.book_parameters()[stem] | values, known, stem)
        assert any(known[name].default != value for name, value in values.items())
        parsed.append(values)
    assert parsed
