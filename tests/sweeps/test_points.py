"""What is a sweep's own: its plan, what a point depends on, and that a point is what its functions return."""

import argparse
import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

import ptft
from ptft import agreement, experiments
from ptft.book.results import results_file
from ptft.infinite_width import rich_transfer
from ptft.infinite_width.kernel_transfer import solve_point
from ptft.infinite_width.outcomes import curves, ends
from ptft.infinite_width.rich_transfer import DIGITS, GAUSSIAN, PHOTOGRAPHS, STARTS
from ptft.infinite_width.stored_runs import read_run, run_bytes
from ptft.sweeps import adapted_kernels, engine, modular, monte_carlo, two_stages
from ptft.sweeps import rich_transfer as rich_sweep
from ptft.sweeps.table import digest

TINY = dataclasses.replace(
    GAUSSIAN["3a"], D=6, P1=12, P2=(4,), gamma_2=(0.5, 1.0), starts=STARTS[:3], n_test=5, t_end=4.0, tolerance=1e-9
)


@pytest.fixture
def tiny(monkeypatch):
    """Figure 3a in milliseconds."""
    monkeypatch.setitem(GAUSSIAN, "3a", TINY)


# ------------------------------------------------------------------------------------------------------- rich transfer


def test_a_plan_of_rich_transfer_has_each_source_once_and_every_target(tiny):
    points = rich_sweep.plan(["3a"], range(2), 10)
    assert len(points) == len(set(points)) == 2 * 2 * (1 + 2 * 3)
    assert sum(point.start == "source" for point in points) == 4
    digits = rich_sweep.plan(["5"], [0], 10, ["network"])
    assert len(digits) == 1 + 4 * 4 * 2 and {point.P2 for point in digits} == {0, 8, 16, 32, 64}


def test_a_plan_without_a_draw_is_refused():
    with pytest.raises(ValueError, match=r"draws = \[\] is not allowed"):
        rich_sweep.plan(["3a"], [], 10)


def test_the_key_of_rich_transfer_changes_with_its_settings(monkeypatch):
    before = rich_sweep.SWEEP.key
    monkeypatch.setitem(GAUSSIAN, "3b", dataclasses.replace(GAUSSIAN["3b"], t_end=1.0))
    assert rich_sweep.SWEEP.key != before


def test_points_of_rich_transfer_are_those_of_the_functions(tiny, tmp_path, monkeypatch):
    trained, source_run = [], rich_transfer.source_run

    def counted(*args):
        trained.append(args)
        return source_run(*args)

    monkeypatch.setattr(rich_transfer, "source_run", counted)
    found, provenance = engine.run(rich_sweep.SWEEP, rich_sweep.plan(["3a"], [0], 10, ["theory"]), tmp_path)
    assert len(trained) == 1  # the point on the source task measures what its preparation left
    table = found["rich_transfer"]
    assert table["value"].dtype == np.float32
    source, target = rich_transfer.tasks(TINY)
    start = rich_transfer.neurons(6, 10, "theory", 0)
    first = source_run(TINY, source, start)
    runs = {carry: rich_transfer.target_run(TINY, target, 0.5, first, carry) for carry in STARTS[1:3]}
    runs["scratch"] = rich_transfer.target_run(TINY, target, 0.5, start)
    runs["source"] = first
    for name, run in runs.items():
        gamma_2 = 0.0 if name == "source" else 0.5
        for quantity in ("test_loss", "train_loss"):
            losses = curves(table, quantity, start=name, gamma_2=gamma_2)[0]
            assert np.array_equal(losses.index, run.time)
            assert losses.to_numpy() == pytest.approx(getattr(run, quantity), rel=1e-6)
        law = rich_transfer.preactivations(run.end, target.X_test)
        of = {"start": name, "gamma_2": gamma_2}
        assert ends(table, "skewness", **of)[0] == pytest.approx(law.skewness, rel=1e-6)
        assert ends(table, "steps", **of)[0] == run.steps[-1]
        assert ends(table, "complete", **of)[0] == float(run.converged or run.time[-1] == TINY.times[-1])
        assert ends(table, "seconds", **of)[0] > 0
    forgotten = ends(table, "source_loss", start="reset", gamma_2=0.5)[0]
    assert forgotten == pytest.approx(runs["reset"].source_loss[-1], rel=1e-6)
    for name in ("scratch", "source"):
        with pytest.raises(ValueError, match="in the table"):
            curves(table, "source_loss", start=name)
    assert set(provenance) == {"made by", "format", "ptft", "key", "date", "machine"}


@pytest.mark.parametrize("converged", [True, False])
def test_a_stored_run_is_read_as_what_it_was(tiny, converged):
    task, start = rich_transfer.tasks(TINY)[0], rich_transfer.neurons(6, 10, "theory", 0)
    run = dataclasses.replace(rich_transfer.source_run(TINY, task, start), converged=converged)
    again = read_run(run_bytes(run, seconds=1.0), task, TINY.gamma_1)
    assert again.converged is converged
    for name in ("time", "train_loss", "test_loss", "source_loss", "steps"):
        assert np.array_equal(getattr(again, name), getattr(run, name))
    assert np.array_equal(again.end.z, run.end.z) and np.array_equal(again.end.state, run.end.state)


def test_figure_4_has_densities(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    small = dataclasses.replace(DIGITS["4"], P1=4, P2=(4,), n_test=4, gamma_2=(1.0,), t_end=1.0)
    monkeypatch.setitem(DIGITS, "4", small)
    found, _ = engine.run(rich_sweep.SWEEP, rich_sweep.plan(["4"], [0], 10), tmp_path)
    table = found["rich_transfer"]
    density = curves(table, "density", start="centred", kind="theory")[0]
    assert density.sum() * (density.index[1] - density.index[0]) == pytest.approx(1, abs=0.05)
    for kind in ("theory", "network"):
        (_, target), neurons = rich_transfer.drawn(small, 0, kind, 10)
        sampled = rich_transfer.preactivations(neurons, target.X_test)
        for prefix, law in (("untrained", sampled), ("limit", rich_transfer.untrained_preactivations(target.X_test))):
            density = curves(table, f"{prefix}_density", kind=kind)[0].to_numpy()
            assert density == pytest.approx(law.density, rel=1e-6)
            assert ends(table, f"{prefix}_kurtosis", kind=kind)[0] == pytest.approx(law.kurtosis, rel=1e-6)


# ---------------------------------------------------------------------------------------------------------- two stages


def test_a_table_of_both_stages_gives_the_comparisons_that_simulating_again_gives(tmp_path):
    """At d = 50 the data scale 0.05 is 2 examples, 0.04 d; and of both sizes in a table one is asked for."""
    labels, d, seeds = ("few data", "kinds"), 50, (0, 1)
    settings = [experiments.both_stages()[label][0] for label in labels]
    planned = [row for size in (d, 20) for row in two_stages.plan(size, seeds) if row[0] in labels]
    rows = [row for row in planned if two_stages.SWEEP.point_of(row).setting in settings]
    found, _ = engine.run(two_stages.SWEEP, rows, tmp_path)
    stored = agreement.stored_two_stages(found["two_stages"], d)
    again = agreement.compare_two_stages(settings, two_stages.ALPHA, d, seeds)
    assert list(stored) == settings and stored[settings[0]].fine_tuning.alpha[0] == 0.04
    for one in settings:
        for name in ("fine_tuning", "pretraining"):
            a, b = getattr(stored[one], name), getattr(again[one], name)
            assert a.mse == pytest.approx(b.mse, rel=1e-9) and a.given_teacher == pytest.approx(
                b.given_teacher, rel=1e-6
            )
            assert a.alpha.tolist() == b.alpha.tolist() and a.certified.tolist() == b.certified.tolist()
        for group, share in again[one].kept.items():
            assert stored[one].kept[group] == pytest.approx(share, rel=1e-6, abs=1e-9, nan_ok=True)
    with pytest.raises(ValueError, match=r"d = 30 is not allowed: it must be one of \[20, 50\]"):
        agreement.stored_two_stages(found["two_stages"], 30)
    with pytest.raises(ValueError, match="complete: every seed at every alpha"):
        agreement.stored_two_stages(found["two_stages"].iloc[1:], d)


# --------------------------------------------------------------------------------------------------------- monte carlo


def test_a_point_of_monte_carlo_holds_the_diagnostics_and_the_exact_errors(tmp_path):
    points = monte_carlo.plan("experiment-4", 1000, [3], alphas=2)[:1]
    found, _ = engine.run(monte_carlo.SWEEP, points, tmp_path)
    table, setting = found["monte_carlo"], points[0].setting
    given = {"ridge": monte_carlo.RIDGE, "method": "monte-carlo", "samples": 1000, "seed": 3}
    curve = ptft.replica_curve([0.01, 0.5], setting.teacher, setting.init, **given)
    for name in ("alpha", "mse", "mse_se", "residual", "mismatch_db", "reliability_db", "iterations", "converged"):
        assert table[name].tolist() == getattr(curve, name).tolist()
    exact = ptft.replica_curve([0.01, 0.5], setting.teacher, setting.init, ridge=monte_carlo.RIDGE).mse
    assert table["exact"].tolist() == exact.tolist()


# ----------------------------------------------------------------------------------------------------- adapted kernels


@pytest.fixture
def tiny_kernels(monkeypatch):
    monkeypatch.setattr(adapted_kernels, "SETTING", {**adapted_kernels.SETTING, "P_2": (4,), "pool": 8, "draws": 2})
    monkeypatch.setattr(adapted_kernels, "P_1", (4,))
    monkeypatch.setattr(adapted_kernels, "GAMMA_1", (0.0, 1.0))


def test_a_point_of_adapted_kernels_holds_what_the_function_returns(tiny_kernels, tmp_path):
    pytest.importorskip("torch")
    found, provenance = engine.run(adapted_kernels.SWEEP, adapted_kernels.plan([20], [3]), tmp_path)
    table = found["adapted_kernels"]
    given = {**adapted_kernels.SETTING, "S": 20, "N": 20, "seed": 3}
    with threadpool_limits(1):  # as in `run`: other threads round differently
        expected = [row for g in (0.0, 1.0) for row in solve_point("digits", P_1=4, gamma_1=g, **given)]
    pd.testing.assert_frame_equal(table[list(expected[0])], pd.DataFrame(expected), rtol=1e-6)
    assert set(table["width"]) == {20}
    assert set(provenance) == {"made by", "format", "ptft", "key", "date", "machine"}


def test_the_narrow_come_first_and_widths_may_be_an_iterator():
    points = adapted_kernels.plan(iter([30, 20]), iter([1, 0]))
    assert [(point.width, point.seed) for point in points[::6]] == [(20, 1), (20, 0), (30, 1), (30, 0)]
    with pytest.raises(ValueError, match="widths = 31 is not allowed: it must be even"):
        adapted_kernels.plan(iter([30, 31]), [0])


@pytest.mark.parametrize(
    ("name", "widths", "dataset"),
    [
        ("adapted_kernels.parquet", (1000, 4000, 16000), "digits"),
        ("cifar_10/adapted_kernels.parquet", (1000, 4000, 20000), "cifar10-jpeg"),
    ],
)
def test_the_stored_regressions_on_images_are_whole(monkeypatch, name, widths, dataset):
    table, made = adapted_kernels.SWEEP.read_table(results_file(name))
    monkeypatch.setattr(ptft, "__version__", made["ptft"])
    images = made.get("images", {"sha256": None})
    assert digest(adapted_kernels.depends_on(images["sha256"])) == made["key"]
    assert (images["sha256"] is None) == (dataset == "digits")
    setting, plan = adapted_kernels.SETTING, adapted_kernels.plan(widths, range(5), dataset)
    within = itertools.product(("mean field", "network"), setting["P_2"], range(setting["draws"]))
    expected = [(*point, *row) for point, row in itertools.product(plan, within)]
    found = table[[*adapted_kernels.AdaptedKernelPoint._fields, "features", "P_2", "draw"]]
    assert sorted(found.itertuples(index=False, name=None)) == sorted(expected)
    assert np.isfinite(table["loss"]).all() and (table["loss"] > 0).all()
    pretrained = table["gamma_1"] > 0
    assert (table["source_loss"][pretrained] <= 1e-3).all() and (table["source_loss"][~pretrained] == 1).all()


@pytest.mark.parametrize(
    ("name", "figures", "where"),
    [
        ("rich_transfer.parquet", ("3a", "3b", "4", "5"), {"draws": range(5), "width": 4000}),
        (
            "cifar_10/rich_transfer.parquet",
            ("4", "5"),
            {"draws": range(5), "width": 4000, "dataset": "cifar10-jpeg", "P1": 1000},
        ),
        (
            "cifar_10/larger_source/rich_transfer.parquet",
            ("4",),
            {"draws": range(5), "width": 2000, "dataset": "cifar10-jpeg", "P1": 10_000},
        ),
    ],
)
def test_the_stored_runs_on_two_tasks_are_whole_and_came_to_their_end(monkeypatch, name, figures, where):
    table, made = rich_sweep.SWEEP.read_table(results_file(name))
    monkeypatch.setattr(ptft, "__version__", made["ptft"])
    images = made.get("images", {"sha256": None})
    assert digest(rich_sweep.depends_on(images["sha256"])) == made["key"]
    plan = rich_sweep.plan(figures, **where)
    assert set(table[list(plan[0]._fields)].drop_duplicates().itertuples(index=False, name=None)) == set(plan)
    complete = table[table["quantity"] == "complete"]
    assert len(complete) == len(plan) and (complete["value"] == 1).all()
    densities = table[table["quantity"] == "limit_density"]  # of the source runs of Figure 4, in bins of one width
    by_run = densities.groupby(["draw", "kind"])["value"].sum() * np.diff(rich_transfer.EDGES)[0]
    assert len(by_run) == 2 * len(where["draws"]) and by_run.between(0.99, 1 + 1e-6).all()


def test_the_classes_of_the_stored_regressions_on_photographs_have_names():
    _, made = adapted_kernels.SWEEP.read_table(results_file("cifar_10/adapted_kernels.parquet"))
    names, setting = made["images"]["classes"], adapted_kernels.SETTING
    assert [names[c] for c in setting["source"]] == ["airplane", "automobile"]
    assert [names[c] for c in setting["target"]] == ["airplane", "truck"]
    assert made["images"]["training_images"] == [5000] * 10


def test_the_key_of_adapted_kernels_changes_with_the_setting(monkeypatch):
    before = adapted_kernels.SWEEP.key
    monkeypatch.setitem(adapted_kernels.SETTING, "pool", 10)
    assert adapted_kernels.SWEEP.key != before


# -------------------------------------------------------------------------------------------------------------- vision


@pytest.fixture(scope="module")
def vision():
    pytest.importorskip("torch")
    from ptft import vision

    return vision


@pytest.fixture(scope="module")
def vision_sweep(vision):
    from ptft.sweeps import vision as module

    return module


SMALL = {"size": 8, "n_test": 10, "pretraining_images": 40, "pretraining_cap": 1, "fine_tuning_cap": 1}
CHOSEN = {"n_pt": 5, "images_per_class": 7, "held_out": 11, "label": "kind", "digest": "0a1b"}  # not of the digits
AFTER_PRETRAINING = [
    "n_test",
    "n_measured",
    "held_out",
    *(f"fine_tuning_{name}" for name in ("loss", "cap", "lr", "batch", "bf16")),
]


def changed(vision, **fields):
    """The tiny protocol with other fields, in the names of its record."""
    return vision.Protocol.of_record({**vision.DIGITS.record, **SMALL, **fields})


def test_every_field_of_the_protocol_changes_the_key_and_those_of_pretraining_its_folder(vision, vision_sweep):
    tiny = changed(vision)
    sweep = vision_sweep.sweep(tiny)
    assert sweep.key == vision_sweep.sweep(changed(vision)).key
    for field in {*tiny.record, *AFTER_PRETRAINING, *CHOSEN}:
        value = tiny.record.get(field, tiny.record.get(field.removeprefix("fine_tuning_")))
        if field in CHOSEN:
            new = CHOSEN[field]
        else:
            new = not value if value is False else value + "2" if field == "dataset" else value * 2 + 1
        other = changed(vision, **{field: new})
        assert vision.Protocol.of_record(other.record) == other, field
        assert digest(vision_sweep.depends_on(other.record)) != sweep.key, field
        folder = f"pretraining-{digest(vision_sweep.depends_on(other.pretraining_record))}"
        assert (folder == sweep.preparation.folder) == (field in AFTER_PRETRAINING), field


BESIDE = ("", "smaller/", "stricter/", "smaller_stricter/", "fewer_classes/")
IN_COLOUR = ["cifar_10/", *(f"tiny_imagenet/{folder}" for folder in BESIDE)]


@pytest.mark.parametrize("folder", ["", "controls/", "smaller/", "stricter/", *IN_COLOUR])
def test_the_stored_tables_are_those_of_their_protocol(vision, vision_sweep, monkeypatch, folder):
    import torch

    import ptft
    from ptft.vision.protocol import MEASURED

    table, made = vision_sweep.SWEEP.read_table(results_file(f"{folder}vision.parquet"))
    assert made["format"] == 2 and set(MEASURED) <= set(table)
    monkeypatch.setattr(ptft, "__version__", made["ptft"])
    monkeypatch.setattr(torch, "__version__", made["machine"][0].split("torch ")[1].split(",")[0])
    protocol = vision.Protocol.of_record(made["protocol"])
    assert digest(vision_sweep.depends_on(protocol.record)) == made["key"]
    if protocol.digest is None:  # else the sweep asks for the folder of its images
        assert vision_sweep.sweep(protocol).key == made["key"]


def test_tables_of_format_1_are_read_and_never_extended(vision, vision_sweep, tmp_path):
    from ptft.sweeps.table import check_out, write_table

    table, made = vision_sweep.SWEEP.read_table(results_file("vision.parquet"))
    former = tmp_path / "vision.parquet"
    rows = table.drop(columns="accuracy_maximum")
    write_table(former, rows, rows[["dataset", "seed", "knob", "value", "n"]], {**made, "format": 1})
    again, made = vision_sweep.SWEEP.read_table(former)
    assert made["format"] == 1 and again.equals(rows)
    with pytest.raises(FileExistsError, match=r"has format 1, .*; not 2: move it away"):
        check_out(former, rows, vision_sweep.SWEEP.provenance(), vision_sweep.SWEEP.formerly)


def test_images_of_a_folder_are_a_sweep_of_their_own(vision, vision_sweep, tmp_path, capsys):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in "abcd":
        (tmp_path / "zoo" / name).mkdir(parents=True)
        for i in range(8):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "zoo" / name / f"{i}.png")
    vision_sweep.add_arguments(parser := argparse.ArgumentParser())
    line = f"--images {tmp_path}/zoo --held-out 2 --images-per-class 5 --pretraining-cap 1 --fine-tuning-cap 1"
    args = parser.parse_args([*line.split(), "--seeds", "1", "--sizes", "4", "--knobs", "gamma=0.1"])
    sweep, plan = vision_sweep.planned(args)
    assert (
        "zoo: 4 classes (a, b, c, d) with 8 images for training and none for testing, 8 x 8" in capsys.readouterr().out
    )
    found, made = engine.run(sweep, plan, tmp_path / "work")
    assert set(found["vision"]["dataset"]) == {"zoo"} and set(found["vision"]["pretraining_images"]) == {0, 10}
    assert made["images"]["classes"] == list("abcd") and made["images"]["sha256"] == made["protocol"]["digest"]
    assert made["protocol"]["images_per_class"] == 5 and "n_pt" not in made["protocol"]


def test_the_companions_sweeps_take_a_folder_of_colour_images_and_know_it_by_its_content(vision, tmp_path, monkeypatch):
    from PIL import Image

    from ptft.infinite_width.images import class_pair_tasks

    rng, folder = np.random.default_rng(0), tmp_path / "zoo"
    for name in "abcdefghij":
        (folder / name).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(folder / name / f"{i}.png")
    source, _ = class_pair_tasks((0, 1), (0, 9), 4, 4, 2, name="zoo", root=folder)
    assert source.X.shape == (4, 48) and np.mean(source.X**2) == pytest.approx(1, abs=0.2)
    with pytest.raises(ValueError, match="name = 'zebra' is not allowed: it must be one of digits"):
        class_pair_tasks((0, 1), (0, 9), 4, 4, 2, name="zebra", root=folder)

    small = {"P2": (2,), "gamma_2": (1.0,), "n_test": 2, "t_end": 1.0}
    monkeypatch.setitem(PHOTOGRAPHS, "5", dataclasses.replace(PHOTOGRAPHS["5"], **small))
    monkeypatch.setattr(adapted_kernels, "SETTING", {**adapted_kernels.SETTING, "pool": 4})
    monkeypatch.setattr(adapted_kernels, "P_1", (4,))
    lines = {rich_sweep: "5 --draws 1 --width 4 --source-examples 4", adapted_kernels: "--draws 1 --widths 40"}
    for module, line in lines.items():
        module.add_arguments(parser := argparse.ArgumentParser())
        args = parser.parse_args([*line.split(), "--images", str(folder)])
        sweep, plan = module.planned(args)
        assert {point.dataset for point in plan} == {"zoo"} and sweep.where["root"] == str(folder)
        assert sweep.provenance()["images"]["classes"] == list("abcdefghij")
        if module is rich_sweep:
            found, made = engine.run(sweep, plan[:2], tmp_path / "work")
            assert set(found["rich_transfer"]["dataset"]) == {"zoo"} and made["images"]["sha256"]
        assert sweep.key != module.SWEEP.key and sweep.key == module.planned(args)[0].key
        Image.new("RGB", (4, 4)).save(folder / "j" / "0.png")
        assert module.planned(args)[0].key != sweep.key
        Image.new("RGB", (4, 4), "white").save(folder / "j" / "0.png")


def test_a_sample_size_outside_the_pool_is_refused_before_anything_is_computed(vision, vision_sweep):
    for n in (1, 10**6):
        with pytest.raises(ValueError, match=f"n = {n}"):
            vision_sweep.plan(changed(vision), [0], [vision.Point("baseline", 1.0, n)])


def test_a_point_is_that_of_its_functions_and_protocols_share_pretrainings(vision, vision_sweep, tmp_path, monkeypatch):
    made, pretrain_point = [], vision.pretrain_point

    def counted(*args):
        made.append(args)
        return pretrain_point(*args)

    monkeypatch.setattr(vision, "pretrain_point", counted)
    tiny, point = changed(vision), vision.Point("gamma", 0.1, 10)
    found, provenance = engine.run(vision_sweep.sweep(tiny), vision_sweep.plan(tiny, [3], [point]), tmp_path)
    with threadpool_limits(1):
        split = tiny.split(3)
        alone = vision.fine_tune_point(tiny, split, 3, pretrain_point(tiny, split, 3).model, point)
    (row,) = found["vision"].to_dict("records")
    assert all(row[c] == alone[c] for c in row.keys() & alone.keys() - {"seconds"})
    assert alone["accuracy_maximum"] == alone["accuracy"]  # of the only epoch
    assert (row["seed"], row["knob"], row["value"], row["n"], row["pretraining_images"]) == (3, *point, 40)
    stages = found["representations"][list(alone["stages"][0])]
    assert len(stages.columns) == 1 + 3 * 4 * 2
    pd.testing.assert_frame_equal(stages, pd.DataFrame(alone["stages"]).astype(stages.dtypes))
    (record,) = provenance["pretrainings"]
    assert (record["pretraining_epochs"], record["pretraining_stopped_by"]) == (1, "cap")
    assert provenance["protocol"] == tiny.record

    stricter = changed(vision, fine_tuning_loss=1e-9, fine_tuning_cap=2, n_measured=20)
    points = vision_sweep.plan(stricter, [3], [point, vision.Point("untrained", 0.0, 10)])
    found, _ = engine.run(vision_sweep.sweep(stricter), points, tmp_path)
    assert len(made) == 1 and found["vision"]["epochs"].tolist() == [2, 2]
    assert found["vision"]["pretraining_images"].tolist() == [40, 0]
    found, _ = engine.run(vision_sweep.sweep(stricter), [*points, points[0]._replace(knob="c", value=2.0)], tmp_path)
    assert len(made) == 2 and len(list(tmp_path.iterdir())) == 3  # for two protocols points, and what they share


def test_the_number_of_threads_of_torch_is_one_and_restored(vision, vision_sweep, tmp_path):
    import torch

    threads, before = [], torch.get_num_threads()

    def looking(points, prepared, **where):
        threads.append(torch.get_num_threads())
        return solve(points, prepared, **where)

    tiny = changed(vision)
    sweep = vision_sweep.sweep(tiny)
    solve = sweep.solve
    torch.set_num_threads(2)
    try:
        plan = vision_sweep.plan(tiny, [0], [vision.Point("untrained", 0.0, 10)])
        engine.run(dataclasses.replace(sweep, solve=looking), plan, tmp_path)
        assert torch.get_num_threads() == 2 and threads == [1]
    finally:
        torch.set_num_threads(before)


def test_a_point_of_modular_arithmetic_leaves_the_numbers_of_the_process_as_they_were():
    modular.solve(modular.plan(["quadratic"], [0], [60], ["nested"])[:1])
    assert np.array([1e-310]) / 2 > 0
