"""Whatever stands behind an option of a sweep's command is planned, or refused in one sentence before anything runs."""

import argparse

import pytest
from sweep_cases import CASES, module_of

from ptft.sweeps import engine
from ptft.sweeps.__main__ import main
from ptft.sweeps.options import add_common

NUMBERS = [
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "3",
    "1.5",
    "-1e-300",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "9" * 400,
    "1_0",
    "٣",
    "0x10",
]
WORDS = [
    "",
    " ",
    "x",
    "None",
    "True",
    "a b",
    "c=",
    "=2",
    "c=nan",
    "c=1e400",
    "kappa=0.5,",
    "<script>",
    "'",
    "$HOME",
    "☃",
]
LISTS = ["1,2", "1 2", "[1]", "(1,)", "1;2", "1:30"]


class Asked(Exception):
    """The command would run: its plan is legal."""


def options_of(case):
    parser = argparse.ArgumentParser()
    module_of(case).add_arguments(parser)
    add_common(parser, case.name, "")
    kept = (argparse._HelpAction, argparse._StoreTrueAction)
    return [(action.option_strings[-1:], action.dest) for action in parser._actions if not isinstance(action, kept)]


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])  # of the values, others for each option
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_option_is_planned_or_refused_in_one_sentence(case, every, tmp_path, monkeypatch, capsys):
    if case.torch:
        pytest.importorskip("torch")

    def run(*_):
        raise Asked

    monkeypatch.setattr(engine, "run", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tables").mkdir()
    wrong, answers = [], {"planned": 0, "refused": 0}
    for i, (option, name) in enumerate(options_of(case)):
        for value in [*NUMBERS, *WORDS, *LISTS][i % every :: every]:
            given = [*case.options, "--out", "tables" if len(case.stored) > 1 else "table.parquet"]
            given = [*given, *option, value] if option else [value, *given[1:]]
            try:
                code = main([case.name, *given])
            except Asked:
                answers["planned"] += 1
                continue
            except SystemExit as ended:  # of argparse, which says which option it is
                code = ended.code
            except Exception as error:
                wrong.append(f"{option or name} {value!r} raises {type(error).__name__}: {error}")
                continue
            answers["refused"] += 1
            said = capsys.readouterr().err.strip().splitlines()
            if code != 2 or not said or "Traceback" in "".join(said):
                wrong.append(f"{option or name} {value!r} ends with {code}: {said}")
    assert wrong == []
    assert answers["planned"] > 10 / every and answers["refused"] > 100 / every
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
