"""What every sweep promises: kills, resuming, damage, failures, bad input, and tables that are never overwritten."""

import errno
import importlib.util
import io
import itertools
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sweep_cases import CASES, elsewhere, module_of, planned, slow_command, tiny
from threadpoolctl import threadpool_info, threadpool_limits

import ptft
from ptft.book.results import results_file
from ptft.files import require_writable, write_sealed
from ptft.infinite_width.rich_transfer import GAUSSIAN
from ptft.sweeps import NAMES, adapted_kernels, engine, two_stages
from ptft.sweeps.__main__ import main
from ptft.sweeps.engine import WorkersLost
from ptft.sweeps.sweep import fits, machine
from ptft.sweeps.table import check_out, write_table


@pytest.fixture(scope="module", autouse=True)
def tiny_numbers():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GAUSSIAN, "3a", GAUSSIAN["3a"])
        for name in ("SETTING", "P_1", "GAMMA_1"):
            value = getattr(adapted_kernels, name)
            patch.setattr(adapted_kernels, name, dict(value) if name == "SETTING" else value)
        patch.setattr(two_stages, "experiments", two_stages.experiments)
        if importlib.util.find_spec("torch"):
            from ptft import vision
            from ptft.modular.protocol import PROTOCOLS

            patch.setattr(vision, "DIGITS", vision.DIGITS)
            patch.setitem(PROTOCOLS, "quadratic", PROTOCOLS["quadratic"])
        tiny()
        yield


class Whole:
    """A sweep with its tiny plan, and what it gives when nothing goes wrong."""

    def __init__(self, case, folder):
        self.case, self.folder = case, folder
        self.sweep, self.plan = planned(case)
        self.points = list(dict.fromkeys(map(self.sweep.point_of, self.plan)))
        self.units = engine.units(self.sweep, self.points)
        self.tables, self.provenance = engine.run(self.sweep, self.plan, folder)

    def copy(self, folder):
        """The finished work in another folder. The files are links: replace them, do not write into them."""
        shutil.copytree(self.folder, folder / "work", copy_function=os.link)
        return folder / "work"


def quickly(*names):
    """Over all sweeps, but other than these only where tests may take minutes."""
    cases = [pytest.param(c, id=c.name, marks=() if c.name in names else pytest.mark.slow) for c in CASES]
    return pytest.mark.parametrize("whole", cases, indirect=True)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def whole(request, tmp_path_factory):
    if request.param.torch:
        pytest.importorskip("torch")
    return Whole(request.param, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def computed(monkeypatch):
    """Collects what is computed: preparations by themselves, points with their file."""
    tasks, solved = [], engine.solved

    def counting(solve, given, *args):
        tasks.extend(task[0] if type(task) is tuple else task for task in given)
        return solved(solve, given, *args)

    monkeypatch.setattr(engine, "solved", counting)
    return tasks


def command(case, folder, *options, of=None):
    """The command line of a case whose tables and work folder lie in `folder`."""
    out = folder if len(case.stored) > 1 else folder / "table.parquet"
    given = case.options if of is None else of
    return [case.name, *given, "--out", str(out), "--work", str(folder / "work"), *options]


def outs(whole, folder):
    return list(whole.sweep.files(folder if len(whole.case.stored) > 1 else folder / "table.parquet").values())


def point_files(folder):
    return sorted(folder.rglob("points_*.json"))


def replaced(path, content):
    path.unlink()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def without_time(tables):
    """The tables without the wall time, which no two runs share."""
    kept = {}
    for name, table in tables.items():
        rows = table[table["quantity"] != "seconds"] if "quantity" in table else table
        kept[name] = rows.drop(columns="seconds", errors="ignore").reset_index(drop=True)
    return kept


def assert_same_results(one, other):
    one, other = without_time(one), without_time(other)
    assert one.keys() == other.keys()
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name], check_exact=True)


def read_tables(whole, folder):
    files = outs(whole, folder)
    found = [whole.sweep.read_table(file) for file in files]
    return dict(zip(whole.sweep.tables, (table for table, _ in found), strict=True)), found[0][1]


def until(condition, seconds=600):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_every_sweep_has_a_case():
    assert sorted(case.name for case in CASES) == sorted(NAMES)


# ------------------------------------------------------------------------------------------------------------ results


def test_tables_have_a_row_or_more_for_each_row_of_the_plan_in_its_order(whole):
    for name, columns in whole.sweep.tables.items():
        table = whole.tables[name]
        identity = whole.sweep.identity(whole.plan)
        assert list(table) == [*identity, *columns]
        pd.testing.assert_frame_equal(table[list(identity)].drop_duplicates(ignore_index=True), identity)
        assert not table.drop(columns=list(table.select_dtypes(float))).isna().any(axis=None)
    assert {"made by", "format", "ptft", "key", "date", "machine"} <= set(whole.provenance)
    assert whole.provenance["made by"] == f"python -m ptft.sweeps {whole.case.name}"
    assert whole.provenance["machine"] == [machine(whole.sweep.where.get("device"))]


def test_what_is_there_is_not_computed_again(whole, tmp_path, computed):
    work = whole.copy(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again, made = engine.run(whole.sweep, whole.plan, work)
    assert computed == []
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(again[name], table)
    assert made | {"date": None} == whole.provenance | {"date": None}
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    larger = planned(whole.case, (*whole.case.options, *whole.case.more))[1]
    new = {whole.sweep.point_of(row) for row in larger} - set(whole.points)
    tables, _ = engine.run(whole.sweep, larger, work)
    solved = [point for task in computed if isinstance(task[0], tuple) for point in task]
    assert sorted(solved, key=str) == sorted(new, key=str) and len(new) > 0
    assert all(path.read_bytes() == content for path, content in before.items())
    assert all(len(tables[name]) > len(table) for name, table in whole.tables.items())
    assert not list(tmp_path.rglob(".*"))  # no temporary file


def test_what_is_asked_for_twice_is_computed_and_told_once(whole, tmp_path, computed, capsys):
    plan = planned(whole.case, whole.case.twice)[1]
    assert len(plan) > len(set(plan)) and set(plan) == set(whole.plan)
    whole.copy(tmp_path)
    assert main(command(whole.case, tmp_path)) == 0
    contents = [out.read_bytes() for out in outs(whole, tmp_path)]
    assert main(command(whole.case, tmp_path, of=whole.case.twice)) == 0
    tables, _ = read_tables(whole, tmp_path)
    assert computed == [] and f"{len(whole.points)} points" in capsys.readouterr().out
    for name, table in whole.tables.items():
        same = table.merge(tables[name], how="outer", indicator=True)["_merge"] == "both"
        assert len(tables[name]) == len(table) == len(same) and same.all()
    # rows that are there twice do not stand for rows that are missing
    assert main(command(whole.case, tmp_path, *whole.case.more)) == 0
    contents = [out.read_bytes() for out in outs(whole, tmp_path)]
    assert main(command(whole.case, tmp_path, of=whole.case.twice)) == 2
    assert "rows that this sweep lacks: move it away" in capsys.readouterr().err
    assert [out.read_bytes() for out in outs(whole, tmp_path)] == contents


def test_a_unit_is_solved_on_one_thread_without_warnings_and_the_limit_is_lifted_after(whole, tmp_path):
    threads = []

    def looking(points, prepared, **where):
        threads.extend(pool["num_threads"] for pool in threadpool_info())
        warnings.warn("not certified", stacklevel=2)
        return whole.sweep.solve(points, prepared, **where)

    work = whole.copy(tmp_path)
    point_files(work)[0].unlink()
    with threadpool_limits(2), warnings.catch_warnings():
        warnings.simplefilter("error")
        before = threadpool_info()
        engine.run(replace(whole.sweep, solve=looking), whole.plan, work)
        assert threadpool_info() == before
    assert set(threads) == {1}


# -------------------------------------------------------------------------------------------------- kills and failures


@quickly("diagonal", "rich-transfer")
def test_a_killed_command_goes_on_and_gives_the_tables_of_one_that_was_not(whole, tmp_path, computed, capsys):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module_of(case).__name__ for case in CASES])  # imported once for all sweeps
    arguments = command(whole.case, tmp_path)
    process = context.Process(target=slow_command, args=(arguments,))
    process.start()
    until(lambda: len(point_files(tmp_path)) >= 2 or not process.is_alive())
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    kept = {path: path.read_bytes() for path in (tmp_path / "work").rglob("*_*") if path.name[0] != "."}
    finished = point_files(tmp_path)
    assert 2 <= len(finished) < len(whole.units) and not any(out.exists() for out in outs(whole, tmp_path))
    assert main(arguments) == 0
    assert len(computed) == len(whole.units) - len(finished)
    assert all(path.read_bytes() == content for path, content in kept.items())
    tables, provenance = read_tables(whole, tmp_path)
    assert_same_results(tables, whole.tables)
    assert {**provenance, "date": None}.keys() == whole.provenance.keys()
    capsys.readouterr()


def test_lost_workers_are_explained_with_a_way_to_go_on(whole, tmp_path, capsys, monkeypatch):
    def lost(*args, **kwargs):
        raise WorkersLost("a worker process was killed")

    monkeypatch.setattr(engine, "solved", lost)
    assert main(command(whole.case, tmp_path)) == 1
    assert "ptft.sweeps: a worker process was killed\nWhat was finished is kept" in capsys.readouterr().err


def test_a_point_that_fails_is_named_and_what_was_finished_is_kept(whole, tmp_path):
    work = whole.copy(tmp_path)
    first, victim = (
        next(f for f in point_files(work) if unit[0]._asdict() in points_in(f)) for unit in whole.units[:2]
    )
    first.unlink(), victim.unlink()
    for error in (np.linalg.LinAlgError("no such matrix"), RuntimeError("out of memory"), KeyError("x")):

        def failing(points, prepared, error=error, **where):
            if tuple(points) == whole.units[1]:
                raise error
            return whole.sweep.solve(points, prepared, **where)

        with pytest.raises(RuntimeError) as caught:
            engine.run(replace(whole.sweep, solve=failing), whole.plan, work)
        assert str(caught.value).startswith(f"{whole.case.name}: {whole.units[1][0]}")
        assert str(caught.value).endswith(f" failed: {type(error).__name__}: {error}")
        found = engine.read_points(whole.sweep, work / whole.sweep.key)
        assert whole.units[0][0] in found and whole.units[1][0] not in found


@pytest.fixture
def prepared(whole):
    if whole.sweep.preparation is None:
        pytest.skip("nothing is prepared")
    return whole.sweep.preparation


def test_a_preparation_that_fails_is_named(whole, prepared, tmp_path):
    def failing(piece, **where):
        raise FloatingPointError("too rich")

    broken = replace(whole.sweep, preparation=replace(prepared, make=failing))
    piece = next(piece for point in whole.points if (piece := prepared.needed_by(point)) is not None)
    with pytest.raises(RuntimeError) as caught:
        engine.run(broken, whole.plan, tmp_path)
    assert str(caught.value) == f"{whole.case.name}: {piece} failed: FloatingPointError: too rich"


class FullDisk:
    """Files of which a half is written before the disk is full."""

    def __init__(self, fdopen):
        self.fdopen = fdopen

    def __call__(self, handle, mode):
        file = self.fdopen(handle, mode)

        class Full(io.BytesIO):
            def write(self, data):
                file.write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            def close(self):
                file.close()

        return Full()


def test_a_full_disk_leaves_whole_files_or_none(whole, tmp_path, capsys, monkeypatch):
    whole.copy(tmp_path)
    missing = point_files(tmp_path)[0]
    missing.unlink()
    before = sorted(tmp_path.rglob("*"))

    def full():
        monkeypatch.setattr("ptft.files.os.fdopen", FullDisk(os.fdopen))
        assert main(command(whole.case, tmp_path)) == 2
        monkeypatch.undo()
        said = capsys.readouterr().err
        assert "ptft.sweeps: [Errno 28] No space left on device" in said and "Traceback" not in said

    full()
    assert sorted(tmp_path.rglob("*")) == before
    engine.run(whole.sweep, whole.plan, tmp_path / "work")
    assert len(point_files(tmp_path)) == len(whole.units)
    full()  # when the table is written
    assert not any(out.exists() for out in outs(whole, tmp_path)) and not list(tmp_path.rglob(".*"))


def test_a_full_disk_leaves_no_part_of_a_preparation(whole, prepared, tmp_path, monkeypatch):
    broken = replace(whole.sweep, preparation=replace(prepared, make=lambda piece, **where: b"all of it"))
    monkeypatch.setattr("ptft.files.os.fdopen", FullDisk(os.fdopen))
    with pytest.raises(OSError, match="No space left"):
        engine.run(broken, whole.plan, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# -------------------------------------------------------------------------------------------------------------- damage

OTHERS = (None, True, -1, 1.5, 10**400, float("nan"), float("inf"), "1", "", [], [1], {}, {"a": 1})


def damaged_units(rng, text, sweep):
    """Units that are JSON and not what they should be, each with what is wrong with it."""
    table = rng.choice(list(sweep.tables))
    places = {
        "unit": (lambda unit: unit, engine.UNIT),
        "entry": (lambda unit: rng.choice(unit["points"]), {"point": dict, "rows": dict}),
        "point": (lambda unit: rng.choice(unit["points"])["point"], get_type_hints(sweep.point)),
        "tables": (lambda unit: rng.choice(unit["points"])["rows"], dict.fromkeys(sweep.tables, list)),
        "row": (lambda unit: rng.choice(rng.choice(unit["points"])["rows"][table]), sweep.tables[table]),
    }
    for where, (of, kinds) in places.items():
        for name, kind in kinds.items():
            unfit = [value for value in OTHERS if not fits(value, kind)]
            for change, value in (("without", None), ("another", rng.choice(unfit)), ("another", rng.choice(unfit))):
                unit = json.loads(text)
                record = of(unit)
                if change == "without":
                    del record[name]
                else:
                    record[name] = value
                yield f"{where} {change} {name}: {value!r:.20}", json.dumps(unit)
        unit = json.loads(text)
        of(unit)["color"] = "red"
        yield f"{where} with more", json.dumps(unit)
    for where, holder, name in (
        ("no points", lambda unit: unit, "points"),
        ("no rows", lambda unit: unit["points"][0]["rows"], table),
    ):
        unit = json.loads(text)
        holder(unit)[name] = []
        yield where, json.dumps(unit)
        unit = json.loads(text)
        holder(unit)[name] = [None]
        yield f"{where} but null", json.dumps(unit)
    yield "another key", text.replace(sweep.key, "0" * 12)
    for value in OTHERS:
        yield f"only {value!r:.20}", json.dumps(value)
    yield "deep", "[" * 10**5


def damaged_contents(rng, content):
    """Contents that are not what was written."""
    yield "empty", b""
    yield "zeros", bytes(len(content))
    yield "twice", content * 2
    yield "random", rng.randbytes(len(content))
    for _ in range(10):
        yield "cut", content[: rng.randrange(len(content))]
        at = rng.randrange(len(content))
        yield "flipped", content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
    numbers = [match for match in re.finditer(rb"\d", content)]
    for _ in range(10 if numbers else 0):
        digit = rng.choice(numbers)
        yield "another digit", content[: digit.start()] + b"%d" % (9 - int(digit[0])) + content[digit.end() :]


def no_files(path):
    """What has the name of a file and is none."""
    yield "pipe", lambda: os.mkfifo(path)
    yield "folder", lambda: (path.mkdir(), (path / "file").touch())
    yield "dangling link", lambda: path.symlink_to("nowhere")
    yield "circle of links", lambda: path.symlink_to(path.name)
    yield "link to a device", lambda: path.symlink_to("/dev/zero")


def test_no_damaged_file_is_read_ends_the_sweep_or_holds_it_up(whole, tmp_path, record_property):
    rng = random.Random(0)
    folder = whole.copy(tmp_path) / whole.sweep.key
    victim = rng.choice(point_files(folder))
    content, tried = victim.read_bytes(), 0
    kept = [point for point in whole.points if point._asdict() not in points_in(victim)]

    def found_without(path, what):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = engine.read_points(whole.sweep, folder)
        (said,) = [str(one.message) for one in warned]
        assert said.startswith(f"{path} is damaged (") and said.endswith("its points are computed again"), what
        assert sorted(found, key=str) == sorted(kept, key=str), what
        aside = path.with_name(f"damaged_{path.name}")
        assert not os.path.lexists(path) and os.path.lexists(aside), what
        shutil.rmtree(aside) if aside.is_dir() else aside.unlink()

    victim.unlink()
    for what, other in damaged_contents(rng, content):
        if other != content:
            victim.write_bytes(other)
            found_without(victim, what)
            tried += 1
    for what, make in no_files(victim):
        make()
        found_without(victim, what)
        tried += 1
    for what, text in damaged_units(rng, content.decode(), whole.sweep):  # with their right digest
        found_without(write_sealed(folder, "points", ".json", text.encode()), what)
        tried += 1
    assert tried >= 80
    record_property("damaged files tried, none accepted", tried)


def test_a_damaged_file_is_computed_again(whole, tmp_path, computed):
    work = whole.copy(tmp_path)
    victim = point_files(work)[0]
    lost = points_in(victim)
    replaced(victim, victim.read_text()[:-10])
    with pytest.warns(UserWarning, match=f"{victim.name} is damaged"):
        tables, _ = engine.run(whole.sweep, whole.plan, work)
    (unit,) = computed
    assert [point._asdict() for point in unit] == lost
    assert_same_results(tables, whole.tables)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.run(whole.sweep, whole.plan, work)


def test_a_half_written_file_is_never_read(whole, tmp_path, computed):
    work = whole.copy(tmp_path)
    file = point_files(work)[0]
    file.rename(file.with_name(f".{file.name}.a1b2"))  # the name under which a file is written
    engine.run(whole.sweep, whole.plan, work)
    assert len(computed) == 1 and len(point_files(work)) == len(whole.units)


def test_no_damaged_preparation_is_used(whole, prepared, tmp_path):
    rng = random.Random(0)
    folder = whole.copy(tmp_path) / prepared.folder
    piece = next(piece for point in whole.points if (piece := prepared.needed_by(point)) is not None)
    file = engine._file_of(prepared, folder, piece)
    content = file.read_bytes()

    def not_found(what):
        with pytest.warns(UserWarning, match=f"{file.name} is damaged .*: it is renamed to .*, and it is made again"):
            assert engine._file_of(prepared, folder, piece) is None, what
        aside = file.with_name(f"damaged_{file.name}")
        shutil.rmtree(aside) if aside.is_dir() else aside.unlink()

    file.unlink()
    for what, other in itertools.islice(damaged_contents(rng, content), 12):
        file.write_bytes(other)
        not_found(what)
    for what, make in no_files(file):
        make()
        not_found(what)


def test_a_preparation_that_is_damaged_or_gone_is_made_again_where_a_point_needs_it(
    whole, prepared, tmp_path, computed
):
    work = whole.copy(tmp_path)
    folder = work / prepared.folder
    point = next(point for point in whole.points if prepared.needed_by(point) is not None)
    piece = prepared.needed_by(point)
    others = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    for damage in ("flipped", "gone"):
        file = engine._file_of(prepared, folder, piece)
        others.pop(file, None)
        content = file.read_bytes()
        file.unlink() if damage == "gone" else replaced(file, content[:-1] + bytes([content[-1] ^ 1]))
        computed.clear()
        with warnings.catch_warnings():  # all points are there, so nothing is missed
            warnings.simplefilter("error")
            engine.run(whole.sweep, whole.plan, work)
        assert computed == []
        next(path for path in point_files(work) if point._asdict() in points_in(path)).unlink()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            tables, _ = engine.run(whole.sweep, whole.plan, work)
        assert len(warned) == (damage != "gone")
        assert all(f"{file} is damaged" in str(one.message) for one in warned)
        assert computed == [piece, (point,)]
        assert_same_results(tables, whole.tables)
        assert all(path.stat().st_mtime_ns == time for path, time in others.items())


def test_a_worker_reads_no_damaged_preparation(whole, prepared, tmp_path):
    folder = whole.copy(tmp_path) / prepared.folder
    point = next(point for point in whole.points if prepared.needed_by(point) is not None)
    file = engine._file_of(prepared, folder, prepared.needed_by(point))
    content = file.read_bytes()
    replaced(file, content[:-1] + bytes([content[-1] ^ 1]))
    with threadpool_limits(None), pytest.raises(RuntimeError, match=f"{file.name}: its content has another digest"):
        engine._solve(whole.sweep, ((point,), file), whole.sweep.key)


def points_in(path):
    return [one["point"] for one in json.loads(path.read_text())["points"]]


# ------------------------------------------------------------------------------------------------------------ versions


def test_another_version_has_another_key_and_shares_no_results(whole, monkeypatch):
    key = whole.sweep.key
    assert key == planned(whole.case)[0].key
    monkeypatch.setattr(ptft, "__version__", "99")
    assert whole.sweep.key != key


def test_a_worker_of_another_version_or_without_the_folder_is_refused(whole, tmp_path):
    with threadpool_limits(None):
        with pytest.raises(ValueError, match=r"a worker runs ptft .* but key abc is asked for"):
            engine._solve(whole.sweep, (whole.units[0], None), "abc")
        with pytest.raises(FileNotFoundError, match=r"a worker does not see the work folder .*elsewhere"):
            engine._solve(whole.sweep, (whole.units[0], tmp_path / "elsewhere" / "file"), whole.sweep.key)
        if whole.sweep.preparation is not None:
            with pytest.raises(ValueError, match=r"a worker runs ptft .* but key abc is asked for"):
                engine._prepare(whole.sweep, tmp_path, (), "abc")
            with pytest.raises(FileNotFoundError, match=r"a worker does not see the work folder .*elsewhere"):
                engine._prepare(whole.sweep, tmp_path / "elsewhere", (), whole.sweep.key)


# ------------------------------------------------------------------------------------------------------------- --out


def test_a_table_is_replaced_only_by_one_that_has_all_its_rows(whole, tmp_path, capsys):
    whole.copy(tmp_path)
    larger = command(whole.case, tmp_path, *whole.case.more)
    assert main(command(whole.case, tmp_path)) == 0
    before = [len(parquet.read_table(out)) for out in outs(whole, tmp_path)]
    assert main(larger) == 0
    after = [len(parquet.read_table(out)) for out in outs(whole, tmp_path)]
    assert all(many > few for few, many in zip(before, after, strict=True))
    contents = [out.read_bytes() for out in outs(whole, tmp_path)]
    assert main(command(whole.case, tmp_path)) == 2
    assert f"{outs(whole, tmp_path)[0]} has {after[0] - before[0]} rows that this sweep lacks: move it away" in (
        capsys.readouterr().err
    )
    assert [out.read_bytes() for out in outs(whole, tmp_path)] == contents


@quickly(*(case.name for case in CASES if case.name != "vision"))
def test_extended_tables_keep_their_rows_without_their_work_folder(whole, tmp_path, computed, capsys):
    assert main(command(whole.case, tmp_path, "--extend")) == 0  # there is nothing to extend yet
    before, made = read_tables(whole, tmp_path)
    shutil.rmtree(tmp_path / "work")
    computed.clear()
    assert main(command(whole.case, tmp_path, *whole.case.more, "--extend")) == 0
    after, larger = read_tables(whole, tmp_path)
    points = set(map(whole.sweep.point_of, whole.plan))
    assert computed and not points & {point for unit in computed if type(unit) is tuple for point in unit}
    for name, table in before.items():
        assert len(after[name]) > len(table)
        pd.testing.assert_frame_equal(after[name].iloc[: len(table)], table, check_exact=True)
    for entry in {"machine", whole.sweep.preparation and whole.sweep.preparation.listed} - {None}:
        assert all(one in larger[entry] for one in made[entry])
    computed.clear()
    assert main(command(whole.case, tmp_path, "--extend")) == 0  # a smaller plan loses nothing
    assert not computed
    again, last = read_tables(whole, tmp_path)
    assert last == larger
    for name, table in after.items():
        pd.testing.assert_frame_equal(again[name], table, check_exact=True)
    files = outs(whole, tmp_path)
    if len(files) > 1:
        files[-1].unlink()
        capsys.readouterr()
        assert main(command(whole.case, tmp_path, "--extend")) == 2
        assert f"{files[-1]} is missing" in capsys.readouterr().err


def test_a_table_of_another_version_or_origin_is_not_overwritten(whole, tmp_path, capsys, monkeypatch):
    whole.copy(tmp_path)
    assert main(command(whole.case, tmp_path)) == 0
    out = outs(whole, tmp_path)[-1]
    stored, work = parquet.read_table(out), sorted(tmp_path.rglob("*"))
    made = json.loads(stored.schema.metadata[b"ptft"])

    def refused(message):
        data = out.read_bytes()
        assert main(command(whole.case, tmp_path)) == 2
        assert message in capsys.readouterr().err
        assert out.read_bytes() == data and sorted(tmp_path.rglob("*")) == work

    def write(**provenance):
        text = json.dumps(made | provenance)
        parquet.write_table(stored.replace_schema_metadata({**stored.schema.metadata, b"ptft": text}), out)

    write(key="0" * 12, ptft="98")
    refused(f"{out.name} was made by ptft 98 (key {'0' * 12}), this is {ptft.__version__}")
    write(format=0)
    refused("has format 0")
    write(**{"made by": "python -m ptft.sweeps another"})
    refused(f"is not a table of {whole.sweep.made_by}: move it away")
    stored.to_pandas().to_parquet(out)
    refused(f"is not a table of {whole.sweep.made_by}: move it away")
    out.write_text("something else")
    refused(f"is not a table of {whole.sweep.made_by}: move it away")
    for former in whole.sweep.formerly:  # the commands of earlier versions made the same tables
        write(**{"made by": former})
        assert main(command(whole.case, tmp_path)) == 0
        assert read_tables(whole, tmp_path)[1]["made by"] == whole.sweep.made_by


def other_tables(rng, stored, sweep):
    """Tables that this sweep must not replace."""
    made = json.loads(stored.schema.metadata[b"ptft"])

    def with_provenance(content):
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        return stored.replace_schema_metadata({**stored.schema.metadata, b"ptft": text})

    for name in ("made by", "format", "ptft", "key"):
        yield f"provenance without {name}", with_provenance({key: made[key] for key in made if key != name})
        if name != "ptft":
            for value in rng.sample([None, -1, [], {}, "another"], 2):
                yield f"another {name}", with_provenance(made | {name: value})
    for value in (None, True, 3, "text", [], [made], [["made by", 1]]):
        yield f"provenance {value!r:.20}", with_provenance(value)
    for content in (b"", b"{", b"\xff\xfe", b"[" * 10**5, json.dumps(made).encode()[:-9]):
        yield f"provenance {content!r:.20}", with_provenance(content)
    yield "no provenance", stored.replace_schema_metadata(None)
    identity = [*sweep.labels, *sweep.point._fields]
    for name in (*rng.sample(identity, 2), *rng.sample([c for c in stored.column_names if c not in identity], 1)):
        yield f"no {name}", stored.drop_columns([name])
        yield f"{name} twice", stored.append_column(name, stored[name])
        yield (
            f"{name} of another name",
            stored.rename_columns([f"{c} " if c == name else c for c in stored.column_names]),
        )
    for name in identity[:2]:
        at = stored.column_names.index(name)
        yield f"{name} as lists", stored.set_column(at, name, [[[1]] * len(stored)])
        yield f"{name} as dates", stored.set_column(at, name, pa.array([0] * len(stored), pa.timestamp("s")))
    yield "another column", stored.append_column("color", [["red"] * len(stored)])
    at = stored.column_names.index("seed" if "seed" in identity else "draw")
    yield "another row", pa.concat_tables([stored, stored.slice(0, 1).set_column(at, stored.field(at), [[99]])])


def test_no_state_of_out_is_replaced_or_ends_in_a_traceback(whole, tmp_path, capsys, record_property):
    rng, out = random.Random(0), tmp_path / "table.parquet"
    name = next(iter(whole.sweep.tables))
    checked = whole.sweep.identity(whole.plan), whole.sweep.provenance(), whole.sweep.formerly
    write_table(out, whole.tables[name], checked[0], whole.provenance)
    values = tuple(whole.sweep.tables[name])
    check_out(out, *checked, values)
    content, tried = out.read_bytes(), 0

    def state():
        return os.lstat(out).st_ino, os.lstat(out).st_mtime_ns, out.read_bytes() if out.is_file() else None

    def refused(what):
        nonlocal tried
        before = state()
        with pytest.raises(OSError) as caught:
            check_out(out, *checked, values)
        assert str(out) in str(caught.value) and "\n" not in str(caught.value), what
        assert before == state(), what
        tried += 1

    for what, other in other_tables(rng, parquet.read_table(out), whole.sweep):
        parquet.write_table(other, out)
        refused(what)
    for _, other in damaged_contents(rng, content):
        out.write_bytes(other)
        with suppress(FileExistsError):  # what parquet can still read may be this sweep's table
            check_out(out, *checked, values)
        tried += 1
    out.unlink()
    for what, make in no_files(out):
        if what != "dangling link":
            make()
            refused(what)
            shutil.rmtree(out) if out.is_dir() else out.unlink()
    assert tried >= 50
    record_property("states of --out tried, none replaced, no traceback", tried)


def test_a_link_is_followed_and_stays(whole, tmp_path):
    work = whole.copy(tmp_path)
    there = tmp_path / "there"
    there.mkdir()
    links = {out: there / out.name for out in outs(whole, tmp_path)}
    for out, target in links.items():
        out.symlink_to(target)
    for _ in range(2):  # the table is not there, and is
        assert main(command(whole.case, tmp_path)) == 0
        assert all(out.is_symlink() and target.is_file() for out, target in links.items())
    assert_same_results(read_tables(whole, tmp_path)[0], whole.tables)
    linked = tmp_path / "linked"
    linked.symlink_to(work)
    assert_same_results(engine.run(whole.sweep, whole.plan, linked)[0], whole.tables)


def test_the_stored_tables_of_the_book_can_be_read_and_go_on(whole, tmp_path, monkeypatch):
    for name in (*whole.case.stored, *whole.case.others):
        table, made = whole.sweep.read_table(results_file(name))
        assert made["made by"] in whole.sweep.formerly or made["made by"] == whole.sweep.made_by
        columns = whole.sweep.tables[Path(name).stem]
        identity = [*whole.sweep.labels, *whole.sweep.point._fields]
        larger = pd.concat([table[identity], whole.sweep.identity(whole.plan)])
        out = tmp_path / Path(name).name
        out.write_bytes(results_file(name).read_bytes())
        if made["format"] in whole.sweep.former_formats:  # can be read, and no more
            with pytest.raises(FileExistsError, match=f"has format {made['format']}, .*; not {whole.sweep.format}"):
                check_out(out, larger, whole.sweep.provenance() | {"key": made["key"]}, whole.sweep.formerly)
            continue
        assert list(table) == [*identity, *columns]
        check_out(out, larger, whole.sweep.provenance() | {"key": made["key"]}, whole.sweep.formerly)
        lacking = table[identity].iloc[1:].drop_duplicates()
        lacking = lacking[(lacking != table[identity].iloc[0]).any(axis=1)]
        with pytest.raises(FileExistsError, match="rows that this sweep lacks"):
            check_out(out, lacking, whole.sweep.provenance() | {"key": made["key"]}, whole.sweep.formerly)


def test_a_table_is_read_only_if_it_is_one(whole, tmp_path):
    with pytest.raises(OSError):
        whole.sweep.read_table(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("experiment,mse\n")
    with pytest.raises(ValueError, match=r"text.parquet is not a table"):
        whole.sweep.read_table(tmp_path / "text.parquet")


# ----------------------------------------------------------------------------------------------------------- bad input

COMMON = (
    (("--jobs", "0"), "jobs = 0 is not allowed: it must be at least 1"),
    (("--scheduler", "carrier-pigeon://x"), "the scheduler carrier-pigeon://x does not answer"),
    (("--work", "{folder}/file"), "file cannot be made: Not a directory"),
    (("--work", "{folder}/file/work"), "work cannot be made: Not a directory"),
)
ONE_TABLE = (
    (("--out", "{folder}/table.csv"), "its name must end in .parquet"),
    (("--out", "{folder}/none/table.parquet"), "none cannot be written: No such file or directory"),
    (("--out", "{folder}/folder.parquet"), "folder.parquet is not a file"),
)
SEVERAL_TABLES = (
    (("--out", "{folder}/none"), "none cannot be written: No such file or directory"),
    (("--out", "{folder}/file"), "file cannot be written: Not a directory"),
)
BAD = [
    pytest.param(case, change, message, id=f"{case.name} {' '.join(change)}")
    for case in CASES
    for change, message in (*case.bad, *COMMON, *(ONE_TABLE if len(case.stored) == 1 else SEVERAL_TABLES))
]


@pytest.mark.parametrize(("case", "change", "message"), BAD)
def test_bad_input_is_explained_on_one_line_and_nothing_is_computed(
    tmp_path, capsys, monkeypatch, case, change, message
):
    if case.torch or change[0] in ("4", "5", "--device"):
        pytest.importorskip("torch")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.parquet").mkdir()
    change = [part.format(folder=tmp_path) for part in change]
    given = command(case, tmp_path, *change)
    if change[0][0] != "-":
        given = [case.name, *change, *command(case, tmp_path)[2:]]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert said.count("ptft.sweeps: ") == 1 and message.format(folder=tmp_path) in said.splitlines()[-1]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_sweep_that_is_none_is_named(capsys):
    assert main(["circular", "--out", "table.parquet"]) == 2
    assert (
        "the sweep = 'circular' is not allowed: it must be one of diagonal, two-stages, monte-carlo, vision"
        in capsys.readouterr().err
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=r"the work folder .* cannot be written: Permission denied"):
        require_writable(tmp_path, "the work folder")


# ---------------------------------------------------------------------------------------------------------------- Dask


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Address of a scheduler with two workers."""
    distributed = pytest.importorskip("distributed")
    place = str(tmp_path_factory.mktemp("dask"))
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "local_directory": place}
    with distributed.LocalCluster(host="127.0.0.1", **options) as local:
        yield local.scheduler_address


@quickly("diagonal", "modular")
def test_a_dask_cluster_gives_the_same_tables(whole, tmp_path, cluster):
    tables, _ = engine.run(elsewhere(whole.sweep), whole.plan, tmp_path, scheduler=cluster)
    assert_same_results(tables, whole.tables)


def test_a_plan_without_points_is_refused(tmp_path, capsys):
    options = ["--networks", "classifier", "--relations", "dense", "--out", str(tmp_path / "table.parquet")]
    assert main(["modular", *options, "--work", str(tmp_path)]) == 2
    assert "number of points = 0 is not allowed: it must be at least 1" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_more_ranks_than_power_laws_have_are_refused_before_anything_is_computed(tmp_path, capsys):
    options = ["--d", "100000000", "--sizes", "2", "--out", str(tmp_path / "table.parquet"), "--work", str(tmp_path)]
    assert main(["scaling-laws", *options]) == 2
    assert "d = 100000000 is not allowed: it must be at least 2 and at most 10000000" in capsys.readouterr().err
