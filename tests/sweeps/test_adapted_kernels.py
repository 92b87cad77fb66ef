"""The sweep of Figures 2b and 2c: its plan, what is stored and read again, and its command line."""

import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from ptft.infinite_width import kernel_sweep
from ptft.infinite_width.kernel_transfer import solve_point
from ptft.sweeps import engine

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Two points for each width and draw, in milliseconds."""
    monkeypatch.setattr(kernel_sweep, "SETTING", {**kernel_sweep.SETTING, "P_2": (4,), "pool": 8, "draws": 2})
    monkeypatch.setattr(kernel_sweep, "P_1", (4,))
    monkeypatch.setattr(kernel_sweep, "GAMMA_1", (0.0, 1.0))


@pytest.fixture
def solved(monkeypatch):
    """The points that are computed in this process."""
    points, solve = [], kernel_sweep.solve

    def counted(task, key):
        points.append(task.point)
        return solve(task, key)

    monkeypatch.setattr(kernel_sweep, "solve", counted)
    return points


def command(folder, *options):
    return ["--draws", "1", "--work", str(folder / "work"), "--out", str(folder / "table.parquet"), *options]


def test_a_point_holds_what_the_function_returns(tmp_path):
    table, provenance = kernel_sweep.run(kernel_sweep.plan([20], [3]), tmp_path)
    given = {**kernel_sweep.SETTING, "S": 20, "N": 20, "seed": 3}
    with threadpool_limits(1):  # as in `run`: rounding chooses the signs of eigenvectors, and these the particles
        expected = [row for g in (0.0, 1.0) for row in solve_point("digits", P_1=4, gamma_1=g, **given)]
    pd.testing.assert_frame_equal(table[list(expected[0])], pd.DataFrame(expected), rtol=1e-6)
    assert set(table["width"]) == {20}
    assert set(provenance) == {"made by", "format", "ptft", "key", "date", "machine"}


def test_what_is_there_is_not_computed_again(tmp_path, solved):
    kernel_sweep.run(kernel_sweep.plan([20], [0]), tmp_path)
    kernel_sweep.run(kernel_sweep.plan([20], [0]), tmp_path)
    assert len(solved) == 2
    kernel_sweep.run(kernel_sweep.plan([20, 30], [0, 1]), tmp_path)
    assert len(solved) == len(set(solved)) == 8
    file = next(tmp_path.rglob("kernel_*.json"))
    file.write_text("{}")
    with pytest.warns(UserWarning, match="damaged"):
        kernel_sweep.run(kernel_sweep.plan([20, 30], [0, 1]), tmp_path)
    assert len(solved) == 9


def test_the_key_changes_with_the_setting(monkeypatch):
    before = kernel_sweep.key()
    monkeypatch.setitem(kernel_sweep.SETTING, "pool", 10)
    assert kernel_sweep.key() != before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel_sweep.plan([21], [0]), "width = 21 is not allowed: it must be even"),
        (lambda: kernel_sweep.plan([20], [-1]), "seed = -1 is not allowed"),
        (lambda: kernel_sweep.run([], "work", jobs=0), "jobs = 0 is not allowed"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_failure_names_its_point(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no luck")

    monkeypatch.setattr(kernel_sweep, "solve_point", fail)
    with pytest.raises(RuntimeError, match=r"Point\(dataset='digits', P_1=4.* failed: no luck"):
        kernel_sweep.run(kernel_sweep.plan([20], [0]), tmp_path)


def test_a_worker_without_the_folder_or_of_another_version_says_so(tmp_path):
    task = kernel_sweep.Task(kernel_sweep.plan([20], [0])[0], tmp_path / "absent", None)
    with pytest.raises(FileNotFoundError, match="does not see the work folder"):
        kernel_sweep.solve(task, kernel_sweep.key())
    with pytest.raises(ValueError, match="a worker runs"):
        kernel_sweep.solve(task, "another")


def test_the_command_writes_a_table_and_goes_on(tmp_path, capsys, solved):
    assert kernel_sweep.main(command(tmp_path, "--widths", "20")) == 0
    table, _ = kernel_sweep.read_table(tmp_path / "table.parquet")
    assert len(table) == 2 * 2 * 2 and "2 points in" in capsys.readouterr().out
    assert kernel_sweep.main(command(tmp_path, "--widths", "20", "30")) == 0
    assert len(solved) == 4
    assert kernel_sweep.main(command(tmp_path, "--widths", "30")) == 2  # the table there has more
    assert "rows that this sweep lacks" in capsys.readouterr().err
    assert kernel_sweep.main(command(tmp_path, "--widths", "20", "--dataset", "mnist-1d")) == 2


def test_an_interruption_is_reported(tmp_path, capsys, monkeypatch):
    def lost(*_, **__):
        raise engine.WorkersLost("gone")

    monkeypatch.setattr(engine, "solved", lost)
    assert kernel_sweep.main(command(tmp_path, "--widths", "20")) == 1
    assert "What was finished is kept" in capsys.readouterr().err
