"""Whatever stands in the place of a valid argument of a public function is refused, by the name of the parameter."""

import dataclasses
import functools
import inspect
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import modules, public
from sklearn.base import BaseEstimator

import ptft
from ptft import agreement, experiments, infinite_width, modular, optimal_initialization, stopping_rule, trends, vision
from ptft.book import image_claims, image_tables
from ptft.book.claims import cases, claim
from ptft.checks import identities
from ptft.figures import adapted_kernels, two_stages, two_theories
from ptft.infinite_width import kernel_transfer, linear, outcomes, rich_transfer
from ptft.modular import theory as modular_theory
from ptft.modular import trends as modular_trends
from ptft.replica import MixtureRows
from ptft.scaling import PowerLawTasks
from ptft.sweeps import monte_carlo
from ptft.sweeps import two_stages as two_stages_sweep
from ptft.two_theories import TwoTasks

# --- bad values, by what the valid one is -----------------------------------------------------------------------------

MASKED = np.ma.masked_array([1.0, 2.0], [True, False])
DATES = [np.datetime64("2020-01-01"), np.timedelta64(1, "D"), np.array(["2020-01-01"], dtype="datetime64[D]")]
NO_NUMBERS = ["1", "1e-3", b"1", {}, {1.0}, object(), 1j, 1 + 0j, 10**400, -(10**400), [[1.0], [1.0, 2.0]], MASKED]
NO_NUMBERS += [np.array(1.0, dtype=object), np.array("1"), np.str_("1"), bytearray(b"1"), memoryview(b"1"), *DATES]
NO_NUMBERS += [[None], ["1"], [b"1"], [1j], [10**400], [object()], [MASKED], np.array([1j]), [0.5, False]]
NO_NUMBERS += [pd.Series(["1", "2"]), pd.Series([pd.NA]), pd.NaT, pd.Timestamp(0), int, len, iter([1.0])]
TRUTHS_OR_NOTHING = [True, np.True_, [True], [True, False], np.array([False]), [], [[]], np.empty(0), np.empty((0, 3))]
NOT_FINITE = [np.nan, np.inf, -np.inf, np.float32("inf"), float("nan")]
NO_WORDS = [3, 1.5, b"gaussian", ["gaussian"], True, object(), np.array(["gaussian"]), ("gaussian",), {}, str]
NO_FLAGS = [2, 1.5, "yes", "", [], [True], np.array([True]), object(), np.nan, 0, 1]
NO_RECORDS = [3, 0.5, "record", b"", [], {}, object(), np.ones(2), True, int]
NO_MAPPINGS = [3, "mapping", object(), [1], np.ones(2), {1, 2}, dict, [("a", 1)]]
NO_SEQUENCES = [3, 1.5, True, "sequence", b"", object(), int]
NO_PATHS = [3, 1.5, b"path", object(), ["path"], True, Path]
CHOSEN = (
    "activation",
    "carry",
    "kind",
    "method",
    "slab",
    "signs",
    "figure",
    "features",
    "stage",
    "knob",
    "relation",
)  # from a list
SEEDS = ("seed", "first", "draw")  # may be as large as one likes


def bad_values(example, parameter, loose):
    """What cannot stand in the place of a valid argument, of arrays in which some numbers may be missing if `loose`."""
    if isinstance(example, (bool, np.bool_)):
        bad = NO_FLAGS
    elif isinstance(example, (int, np.integer, np.random.Generator)):
        bad = [*NO_NUMBERS, *TRUTHS_OR_NOTHING, *NOT_FINITE, 1.5, 2.0, [1], np.array([1, 2]), -(2**70)]
        if parameter.name in SEEDS:
            bad = [-1, *(one for one in bad if not (isinstance(one, int) and one > 1))]
    elif isinstance(example, (float, np.floating)):
        bad = [*NO_NUMBERS, *TRUTHS_OR_NOTHING, *NOT_FINITE, [1.0, 2.0], np.ones((2, 2))]
    elif isinstance(example, np.ndarray):
        bad = [*NO_NUMBERS] if loose else [*NO_NUMBERS, *TRUTHS_OR_NOTHING, *NOT_FINITE, [np.nan], [1.0, np.inf]]
        bad += [] if loose else [np.full(example.shape, one) for one in NOT_FINITE]
    elif isinstance(example, str):
        bad = [*NO_WORDS, *(["", "no such word"] if parameter.name in CHOSEN else [])]
    elif isinstance(example, dict):
        bad = NO_MAPPINGS
    elif isinstance(example, (list, tuple, range)) and not hasattr(example, "_fields"):
        bad = NO_SEQUENCES
    elif isinstance(example, bytes):
        bad = ["text", *(one for one in NO_RECORDS if not isinstance(one, bytes))]
    else:
        bad = NO_PATHS if isinstance(example, Path) else NO_RECORDS
    optional = "None" in str(parameter.annotation) or parameter.default is None
    return bad if optional else [*bad, None]


# --- valid arguments, as small as they can be -------------------------------------------------------------------------

ALPHA, D = np.array([0.2, 0.4]), 20
SAMPLED = pd.DataFrame({name: [0.5] for name in monte_carlo.COLUMNS} | {"converged": [True]})
X, Y, K = np.array([[1.0, 0.5, 0.2]]), np.ones(1), np.ones(3)
INPUTS = np.random.default_rng(0).standard_normal((12, 3))
SLAB, ONE = ptft.SpikeSlab(), ptft.SingleTask()
INIT = ptft.Initialization(0.1)
POWER_LAWS = PowerLawTasks(D)
GROUPS = ptft.TeacherGroups([0.1, 0.9], [1.0, 0.0], 0.0, [10.0, 0.0])
MIXTURE = SLAB.mixture(INIT)
MADE_BY_HAND = {
    type(one).__name__: one for one in (SLAB, ONE, INIT, GROUPS, MIXTURE, TwoTasks(), ptft.Design("ar1"), POWER_LAWS)
}
MADE_BY_HAND["PretrainedLaw"] = modular_theory.closed_pretraining(0.5, 8, 5, 1, draws=1)
CENTRED = ptft.GaussianMixture([0.1, 0.9], 0.0, [10.0, 0.0], 1.0)
ROWS = MixtureRows(*(np.array([[v]]) for v in (1.0, 0.0, 1.0, 1.0)))
SETTING, FINITE = experiments.Setting(omega=1.0), experiments.FiniteSetting(experiments.Setting(omega=1.0))
STORED = pd.DataFrame([dict(zip(experiments.COLUMNS, SETTING.numbers, strict=True)) | {"d": 40, "alpha": 0.2}])
STORED = STORED.assign(seed=0, mse=0.01, converged=True)
WEIGHTS = ptft.pretraining_weights(INIT, 3)
CHECK = identities.Check("something", 1.0, [1.0], 0.1)
CASES = cases([1.0], below=2.0)
NUMBERS, COEFFICIENTS = (0.5, 0.0), (0.0, 1.0, 0.0)
TASK = infinite_width.Task(INPUTS, INPUTS[:, 0], INPUTS, np.sign(INPUTS[:, 0]))
SIGNS = infinite_width.Task(INPUTS, np.sign(INPUTS[:, 0]), INPUTS, np.sign(INPUTS[:, 0]))
CLOUD = infinite_width.weight_particles(3, 10)
SMALL = dataclasses.replace(rich_transfer.setting("3a"), D=3, P1=8, P2=(4,), n_test=6, t_end=10.0)
IMAGES, LABELS = torch.zeros((4, 3, 8, 8)), torch.tensor([0, 1, 0, 1])
DATASET = vision.Dataset(IMAGES.byte(), LABELS, IMAGES.byte(), LABELS)
STAGE = vision.Stage(lr=0.1, momentum=0.9, batch=4, loss_below=0.1, max_epochs=1)
SCALAR = modular.ScalarTask(5, (1,), (0.5,))
QUADRATIC, TRANSFORMER = modular.new_quadratic(5, 4), modular.new_transformer(5, 4, 2, 4)
PAIRS = modular.examples(SCALAR.table, [0, 7, 9])
LOSSES = pd.DataFrame([[0.5, 0.5], [0.4, 0.5], [0.6, 0.7]])
POINT = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0)


def stored_stages():
    """A table of both stages, of one setting and two seeds."""
    point = dict(zip(two_stages_sweep.TwoStagesPoint._fields, two_stages_sweep.plan(D, [0])[0][1:], strict=True))
    law = experiments.predict_two_stages(FINITE, [0.2])
    rows = [agreement.stage_rows([FINITE], np.array([0.2]), D, seed, [law])[0][0] for seed in (0, 1)]
    return pd.DataFrame([point | row | {"seed": seed, "alpha_pt": 1.0} for seed, row in enumerate(rows)])


@functools.cache
def made():
    """What takes a moment to make."""
    found = {
        "curve": ptft.replica_curve(ALPHA, SLAB, INIT),
        "sampled": ptft.replica_curve(ALPHA, SLAB, INIT, method="monte-carlo", samples=1000),
        "two": ptft.two_stage_curve(ALPHA, SLAB, INIT, 0.5),
        "run": ptft.train(X, Y, WEIGHTS),
        "end": ptft.min_penalty(X, Y, K),
        "compared": agreement.compare([SETTING], ALPHA, D, [0, 1])[SETTING],
        "both stages": agreement.compare_two_stages([FINITE], ALPHA, D, [0, 1])[FINITE],
        "stages": stored_stages(),
        "stopped": stopping_rule.StoppedPoint(1e-4, True, 100, 0.02, 0.1, 0.01, "amp", 50),
        "flow": infinite_width.train(CLOUD, TASK, 1.0, [0.0, 1.0]),
        "features": kernel_transfer.pretrain_linear(1.0, 0.5, 4),
        "measured": linear.MeasuredLoss(ALPHA, np.column_stack([ALPHA, 2 * ALPHA])),
        "law": rich_transfer.untrained_preactivations(INPUTS),
        "table": pd.DataFrame(
            [
                (*POINT[:5], kind, *POINT[6:], start, "test_loss", x, 1.0)
                for kind in rich_transfer.KINDS
                for start in ("scratch", "centred")
                for x in (0.0, 2.0)
            ],
            columns=list(outcomes.COLUMNS),
        ),
        "way": pd.DataFrame(
            [
                (*POINT, start, quantity, x, 1.0 - x / 2)
                for start in ("scratch", "centred")
                for quantity in ("train_loss", "test_loss")
                for x in (0.0, 1.0)
            ],
            columns=list(outcomes.COLUMNS),
        ),
        "kernels": [
            {"features": f, "P_1": 20, "gamma_1": g, "P_2": 4, "loss": 0.5}
            for f in ("mean field", "network")
            for g in (0.0, 1.0)
        ],
        "accuracies": pd.DataFrame(
            [
                {"seed": s, "knob": k, "value": v, "n": 10, "accuracy": a, "accuracy_recalibrated": a}
                for s, a in ((0, 0.7), (1, 0.8), (2, 0.85))
                for k, v in (("kappa", 0.5), ("baseline", 1.0))
            ]
        ),
    }
    found["modular runs"] = pd.DataFrame(
        [
            (*(network, task, size, knob, value, n, seed), *(0.5,) * 3, 90, 100, 50, "loss", *(1.0,) * 6)
            for network in ("quadratic", "transformer")
            for task, size in (("nested", 1), ("reuse", 5), ("new", 1), ("half", 2), ("dense", 11))
            for knob, value in (("baseline", 1.0), ("kappa", 0.5), ("untrained", 1.0))
            for n in (60, 120)
            for seed in (0, 1)
        ],
        columns=["network", "relation", "size", "knob", "value", "n", "seed"]
        + ["test_error", "tangent_error", "diagonal_error", "correct", "tested"]
        + ["pretraining_steps", "pretraining_stopped_by"]
        + [f"power{task}_{when}" for when in ("before", "after") for task in ("", "_pt", "_ft")],
    )
    found["image runs"] = image_tables.stored_runs("cifar_10")
    found["controls"] = image_tables.stored_runs("controls")
    found["signature"] = vision.signature(found["image runs"].representations, convention="batch")
    found["slopes"] = image_claims.signature_slopes(found["image runs"].representations)
    found["by loss"] = image_tables.by_loss(image_tables.stored_runs(), image_tables.stored_runs("stricter"))
    found["nested runs"] = modular_trends.runs(found["modular runs"], "quadratic", "nested")
    larger = found["nested runs"][found["nested runs"]["knob"] == "kappa"].assign(value=2.0)
    found["runs on both sides"] = pd.concat([found["nested runs"], larger])
    found["network"], found["split"] = vision.new_model(3, 0), vision.DIGITS.split(0)
    found["estimator"] = ptft.FineTunedRegression().fit(INPUTS, INPUTS[:, 0])
    found["modular run"] = modular.train(modular.new_quadratic(23, 4), modular.examples(np.eye(23)), max_steps=0)
    found["landscape"] = optimal_initialization.landscape(SLAB, 0.2, [0.1, 1.0], [1.0, 2.0])
    return found


@functools.cache
def examples():
    """Arguments of functions, methods and classes, by name; an array stands for whatever is like one."""
    m, here = made(), Path("no such folder", "file.svg")
    alphas, errors = {"alphas": NUMBERS}, {SETTING: ALPHA}
    one_curve, one_point = {SETTING: m["curve"]}, {SETTING: m["compared"]}
    return {
        # the penalty, and the weights
        "initialization.Initialization": {"c_pt": np.array([1.0]), "lambda_pt": np.array([0.5]), "gamma_ft": ALPHA},
        "initialization.Initialization.sqrt_k": {"beta_pt": ALPHA},
        "initialization.Initialization.k": {"beta_pt": ALPHA},
        "initialization.Initialization.kappa": {"beta_pt": ALPHA},
        "initialization.scalar_initialization": {"init": INIT},
        **{f"penalties.{name}": {"beta": ALPHA, "k": ALPHA} for name in ("penalty", "penalty_grad", "penalty_hess")},
        "penalties.ell_order": {"beta": ALPHA, "k": ALPHA},
        "penalties.pretraining_dependence": {"beta": ALPHA, "beta_pt": ALPHA, "init": INIT},
        "penalties.prox": {"z": ALPHA, "k": ALPHA, "theta": ALPHA},
        "regimes.measures": {"beta_ft": ALPHA, "beta_pt": ALPHA, "init": INIT},
        "regimes.measures_around": {"beta_ft": ALPHA, "beta_pt": ALPHA, "init": INIT, "decades": 1.0},
        "regimes.phase_portrait": {"c_pt": ALPHA, "relative": ALPHA, "gamma_ft": 0.0, "beta_ft": 1.0, "beta_pt": 1.0},
        "network.Weights": {"w1_plus": Y, "w2_plus": Y, "w1_minus": Y, "w2_minus": Y},
        "network.pretraining_weights": {"init": INIT, "d": 3},
        "network.pretrained_weights": {"beta_pt": K, "init": INIT},
        "network.fine_tuning_weights": {"weights": WEIGHTS, "gamma_ft": np.array([0.1])},
        "network.train": {
            "X": X,
            "y": Y,
            "weights": WEIGHTS,
            "method": "flow",
            "tolerance": 0.1,
            "learning_rate": 0.1,
            "max_steps": 9,
        },
        "end_point.min_penalty": {"X": X, "y": Y, "k": K, "method": "auto", "tolerance": 1e-10, "ridge": 0.0},
        "end_point.ridge_path": {"X": X, "y": Y, "k": K, "ridge": ALPHA, "tolerance": 1e-10},
        "end_point.min_penalties": {
            "X": X,
            "Y": Y[:, None],
            "K": K[:, None],
            "method": "auto",
            "tolerance": 1e-10,
            "ridge": 0.0,
            "stacklevel": 2,
        },
        "amp.message_passing": {"X": X, "y": Y, "k": K, "ridge": 0.0},
        "amp.state_evolution": {"alpha": 0.3, "mixture": MIXTURE, "steps": 1, "noise_var": 0.0, "ridge": 0.0},
        # teachers, and the error in high dimensions
        "teachers.GaussianMixture": {"weight": Y, "mean": Y, "variance": Y, "k": Y, "input_variance": Y},
        "teachers.GaussianMixture.of_sample": {"beta": K, "k": K, "input_variance": K},
        "teachers.GaussianMixture.sample": {"d": 3, "seed": 0},
        "teachers.GaussianMixture.sample_with_variance": {"d": 3, "seed": 0},
        "teachers.TeacherGroups": {"weight": Y, "beta_pt": Y, "mean": Y, "variance": Y, "input_variance": Y},
        "teachers.TeacherGroups.of_sample": {"beta_pt": K, "beta_ft": K},
        "teachers.TeacherGroups.mixture_pt": {"init": INIT},
        "teachers.SpikeSlab": {
            "rho_pt": 0.1,
            "rho_ft": 0.1,
            "omega": 0.5,
            "a_pt": 1.0,
            "slab": "signs",
            "input_variance": Y,
        },
        "teachers.SingleTask": {"rho": 0.1, "slab": "signs", "input_variance": Y},
        **{
            f"{module}.{kind}.{name}": arguments
            for module, kind in (
                ("teachers", "TeacherGroups"),
                ("teachers", "SpikeSlab"),
                ("teachers", "SingleTask"),
                ("two_theories", "TwoTasks"),
            )
            for name, arguments in (
                ("sample", {"d": 3, "seed": 0}),
                ("mixture", {"init": INIT}),
                ("penalty_scale", {"init": INIT, "beta_pt": K}),
            )
        },
        "teachers.group_of": {"beta_pt": K, "beta_ft": K},
        "teachers.law_of": {"teacher": SLAB, "init": INIT},
        "teachers.draw_of": {"teacher": SLAB, "init": INIT, "d": 3, "seed": 0},
        "teachers.draw_tasks": {"teacher": SLAB, "d": 3, "seed": 0},
        "teachers.require_teacher": {"teacher": SLAB},
        "teachers.require_two_tasks": {"teacher": SLAB},
        "replica.solve_by_quadrature": {
            "alpha": ALPHA,
            "mixture": MIXTURE,
            "noise_var": 0.0,
            "ridge": 0.0,
            "starts": np.zeros((2, 2, len(ALPHA))),
        },
        "replica.rough_starts": {"alpha": ALPHA, "mixture": MIXTURE, "noise_var": 0.0},
        "replica.solve_nearby": {"curve": m["curve"], "mixture": MIXTURE, "noise_var": 0.0},
        **{
            name: {
                "alpha": ALPHA[:1],
                "mixtures": ROWS,
                "noise_var": 0.0,
                "refine": 0.6,
                "start": np.ones((2, 1)),
            }
            for name in ("replica.errors_by_rows", "replica.solutions_by_rows")
        },
        "replica.joined_curves": {"curves": [m["curve"]], "alpha": ALPHA},
        "monte_carlo.solve_by_monte_carlo": {
            "alpha": ALPHA,
            "beta": np.ones(40),
            "k": np.ones(40),
            "xi": np.ones(40),
            "noise_var": 0.0,
            "ridge": 0.0,
            "input_variance": np.ones(40),
        },
        "generalization.replica_curve": {
            "alpha": ALPHA,
            "teacher": SLAB,
            "init": INIT,
            "noise_var": 0.0,
            "ridge": 0.0,
            "method": "quadrature",
            "samples": 1000,
            "seed": 0,
        },
        "two_stages.two_stage_curve": {
            "alpha": ALPHA,
            "teacher": SLAB,
            "init": INIT,
            "alpha_pt": 0.5,
            "noise_pt": 0.0,
            "noise_ft": 0.0,
            "nearby": m["two"],
        },
        "limits.minimum_norm_error": {"alpha": ALPHA, "mixture": MIXTURE, "noise_var": 0.0},
        "limits.noisy_pretraining_peak": {"alpha": ALPHA, "power": 1.0, "noise_var": 0.0},
        "limits.recovery_threshold": {"mixture": MIXTURE, "weights": np.ones(4)},
        "limits.basis_pursuit_error": {"alpha": ALPHA, "mixture": CENTRED, "weights": np.ones(2)},
        "optimal_initialization.Bounds": {"c_pt": ALPHA, "relative": ALPHA, "gamma_ft": ALPHA},
        "optimal_initialization.best_initialization": {
            "teacher": SLAB,
            "alpha": 0.1,
            "noise_var": 0.0,
            "bounds": optimal_initialization.Bounds(),
            "usual": {"small": INIT},
            "resolution": 1e-4,
        },
        "optimal_initialization.alpha_needed": {"mse": 0.5, "teacher": SLAB, "init": INIT, "noise_var": 0.0},
        "optimal_initialization.landscape": {
            "teacher": SLAB,
            "alpha": 0.2,
            "inactive": np.ones(1),
            "ratio": np.ones(1),
            "noise_var": 0.0,
        },
        "optimal_initialization.rows_of_scales": {"teacher": SLAB, "difference": Y, "inactive": Y},
        "scaling.PowerLawTasks": {
            "d": D,
            "a": 1.0,
            "b": 1.5,
            "rho_pt": 0.1,
            "rho_ft": 0.1,
            "omega": 0.5,
            "size_pt": 1.0,
            "decay_pt": 1.0,
            "known_ranks": 5,
            "pretrained": True,
        },
        "scaling.PowerLawTasks.sample": {"d": D, "seed": 0},
        "scaling.PowerLawTasks.sample_with_variance": {"d": D, "seed": 0},
        "scaling.PowerLawTasks.mixture": {"init": INIT},
        "scaling.PowerLawTasks.penalty_scale": {"init": INIT, "beta_pt": K},
        "scaling.rank_rule": {"d": D, "known_ranks": 5},
        "scaling.learning_curves": {"tasks": POWER_LAWS, "inits": [INIT], "n": ALPHA},
        "scaling.examples_needed": {"mse": ALPHA, "tasks": POWER_LAWS, "init": INIT},
        "scaling.local_slopes": {"n": ALPHA, "mse": ALPHA},
        "scaling.exponent": {"n": ALPHA, "mse": ALPHA},
        "scaling.lazy_exponent": {"power_decay": 2.5, "spectrum_decay": 1.5},
        "scaling.lazy_error": {"n": ALPHA, "power_decay": 2.5, "spectrum_decay": 1.5},
        "scaling.carried_along": {"init": INIT, "ratio": 2.0, "a": 1.0},
        # simulation
        "simulation.sampled_teacher": {"teacher": SLAB, "d": D, "seed": 0},
        "simulation.sampled_law": {"teacher": SLAB, "init": INIT, "d": D, "seed": 0},
        "simulation.seeds_with_task": {"teachers": (SLAB,), "d": D, "first": 0, "number": 1},
        "designs.Design": {"name": "ar1", "strength": 0.5},
        "designs.Design.sample": {"n": 2, "d": 3, "seed": 0},
        "designs.Design.mean_square": {"error": K},
        "designs.design_of": {"design": "ar1"},
        "simulation.sampled_inputs": {"alpha": 0.2, "d": D, "seed": 0, "design": "ar1"},
        "simulation.simulate": {
            "teacher": SLAB,
            "init": INIT,
            "alpha": 0.2,
            "d": D,
            "seed": 0,
            "noise_var": 0.0,
            "ridge": 0.0,
            "design": "ar1",
        },
        "simulation.simulate_many": {
            "settings": [(SLAB, INIT)],
            "alpha": 0.2,
            "d": D,
            "seed": 0,
            "noise_var": 0.0,
            "ridge": 0.0,
            "design": "ar1",
        },
        "simulation.trained_alone": {
            "rho": 0.1,
            "c_pt": 0.1,
            "shares": ALPHA,
            "alpha": 0.2,
            "d": D,
            "seed": 0,
            "tolerance": 1e-9,
        },
        "two_stages.peak_harms_from": {"teacher": SLAB, "init": INIT},
        "simulation.simulate_two_stages": {
            "teacher": SLAB,
            "init": INIT,
            "alpha": ALPHA,
            "alpha_pt": 0.5,
            "d": D,
            "seed": 0,
            "noise_pt": 0.0,
            "noise_ft": 0.0,
        },
        "simulation.simulate_two_stages_many": {
            "settings": [(SLAB, INIT, 0.5, 0.0, 0.0)],
            "alpha": ALPHA,
            "d": D,
            "seed": 0,
        },
        "teachers.SpikeSlab.of_conditional": {
            "rho_pt": 0.1,
            "given_active": 0.5,
            "given_inactive": 0.05,
            "a_pt": 1.0,
            "slab": "signs",
            "input_variance": Y,
        },
        "monte_carlo.diagnostics": {"table": SAMPLED, "low": 0.0, "high": 1.0},
        "sweeps.monte_carlo.plan": {"name": "experiment-4", "samples": 1000, "seeds": [0], "alphas": 2},
        "sweeps.two_stages.plan": {"d": D, "seeds": [0]},
        "sweeps.scaling_laws.setting": {"name": "memory", "d": D},
        "sweeps.scaling_laws.plan": {"d": D, "sizes": [2], "seeds": [0]},
        "sweeps.diagonal.plan": {"name": "experiment-4", "d": D, "seeds": [0], "alpha": ALPHA},
        "sweeps.rich_transfer.plan": {
            "figures": ["3a"],
            "draws": [0],
            "width": 10,
            "kinds": ["theory"],
            "dataset": "gaussian",
        },
        "sweeps.adapted_kernels.plan": {"widths": [4], "seeds": [0], "dataset": "digits"},
        "sweeps.vision.plan": {
            "protocol": vision.DIGITS,
            "seeds": [0],
            "points": [vision.protocol.Point("kappa", 0.5, 10)],
            "root": here,
        },
        "sweeps.vision.sweep": {"protocol": vision.DIGITS, "root": here, "device": "cpu"},
        "sweeps.your_own_data.plan": {
            "tables": ["wine"],
            "sizes": [15],
            "seeds": [0],
            "kinds": ["theory"],
            "ridges": 2,
        },
        "sweeps.modular.plan": {"networks": ["quadratic"], "seeds": [0], "sizes": [6], "relations": ["new"]},
        "book.results.results_file": {"name": "simulations.parquet"},
        "experiments.Setting": {
            "rho_ft": 0.1,
            "omega": 0.5,
            "c_pt": 0.1,
            "lambda_pt": 0.0,
            "gamma_ft": 0.0,
            "rho_pt": 0.1,
            "pretrained": True,
        },
        "experiments.FiniteSetting": {"base": SETTING, "alpha_pt": 1.0, "noise_pt": 0.0, "noise_ft": 0.0},
        "experiments.sweep": {"base": SETTING},
        "experiments.experiment": {"number": 1},
        "experiments.settings_of": {"name": "all"},
        "experiments.predict": {"setting": SETTING, "alpha": ALPHA},
        "experiments.predict_two_stages": {"setting": FINITE, "alpha": ALPHA},
        "experiments.best_starts": {"errors": {s: ALPHA for t in experiments.figure_5().values() for s in t.values()}},
        "agreement.compare": {"settings": [SETTING], "alpha": ALPHA, "d": D, "seeds": [0, 1]},
        "agreement.ratio_to_theory": {
            "teacher": SLAB,
            "inits": [INIT],
            "alpha": 0.2,
            "d": D,
            "seeds": [0, 1],
            "design": "ar1",
            "predicted": SLAB,
        },
        "agreement.comparison": {
            "setting": SETTING,
            "d": D,
            "alpha": ALPHA,
            "seeds": [0, 1],
            "mse": np.ones((2, 2)),
            "certified": np.ones((2, 2)),
        },
        "agreement.stored_comparisons": {"stored": STORED, "d": 40},
        "agreement.given_teachers": {
            "teacher": SLAB,
            "init": INIT,
            "alpha": ALPHA,
            "d": D,
            "seeds": [0, 1],
            "noise_var": 0.1,
        },
        "agreement.stored_two_stages": {"stored": m["stages"], "d": D},
        "agreement.stage_rows": {
            "settings": [FINITE],
            "alpha": ALPHA,
            "d": D,
            "seed": 0,
            "laws": [experiments.predict_two_stages(FINITE, ALPHA)],
        },
        "agreement.compare_two_stages": {"settings": [FINITE], "alpha": ALPHA, "d": D, "seeds": [0, 1]},
        "agreement.relative_deviation": {"results": [m["compared"]], "seen": 1e-3},
        "agreement.relative_errors": {"mse": ALPHA, "reference": ALPHA},
        "agreement.advantage_growth": {"errors": errors, "pairs": [(SETTING, SETTING)] * 2},
        "agreement.advantage_seen": {"points": one_point, "pairs": [(SETTING, SETTING)] * 2},
        "agreement.deviation_summary": {"deviation": ALPHA},
        "agreement.simulated_alike": {"results": [m["compared"]]},
        "stopping_rule.stopped_training": {
            "setting": SETTING,
            "alpha": 0.2,
            "d": D,
            "seed": 0,
            "losses": np.array([1e-2]),
            "learning_rate": 0.1,
            "max_epochs": 3,
        },
        "real_tasks.load_tasks": {"name": "wine"},
        "few_examples.check_examples": {"name": "wine", "n": 15},
        "few_examples.measured_errors": {"name": "wine", "n": 15, "seed": 0, "ridges": 2},
        "few_examples.predicted_errors": {"name": "wine", "n": 15, "ridges": 2},
        "stopping_rule.averages": {"points": [m["stopped"]]},
        "stopping_rule.beside_ridge": {"X": X, "y": Y, "k": K, "run": m["run"], "residuals": np.array([0.5])},
        "two_theories.TwoTasks": {"rho": 0.1, "omega": 1.0, "signs": "equal", "rotated": False},
        "two_theories.diagonal_loss": {"alpha": ALPHA, "tasks": TwoTasks(), "init": INIT},
        "two_theories.dense_loss": {"alpha": ALPHA, "tasks": TwoTasks(), "gamma_1": 1.0},
        "two_theories.simulate_both": {
            "alpha": ALPHA,
            "tasks": [TwoTasks()],
            "init": INIT,
            "gamma_1": 1.0,
            "d": D,
            "seed": 0,
        },
        "two_theories.equivalent_richness": {"init": INIT, "beta_pt": 1.0},
        # infinitely wide networks
        "infinite_width.particles.Task": {"X": INPUTS, "y": INPUTS[:, 0], "X_test": INPUTS, "y_test": INPUTS[:, 0]},
        "infinite_width.particles.weight_particles": {
            "D": 3,
            "S": 10,
            "seed": 0,
            "activation": "relu",
            "mirrored": True,
            "dtype": np.float32,
        },
        "infinite_width.particles.finite_network": {
            "D": 3,
            "N": 10,
            "seed": 0,
            "activation": "relu",
            "dtype": np.float32,
        },
        "infinite_width.particles.function_particles": {
            "points": INPUTS,
            "S": 10,
            "seed": 0,
            "activation": "relu",
            "dtype": np.float32,
        },
        "infinite_width.particles.feature_kernel": {"particles": CLOUD, "X": INPUTS, "X_other": INPUTS},
        "infinite_width.particles.arccosine_kernel": {"X": INPUTS, "X_other": INPUTS},
        "infinite_width.particles.kernel_regression": {
            "K": np.eye(2),
            "K_test": np.eye(2),
            "y": ALPHA,
            "relative_ridge": 0.1,
        },
        "infinite_width.dmft.train": {
            "particles": CLOUD,
            "task": TASK,
            "gamma": 1.0,
            "times": np.array([0.0, 1.0]),
            "rate": 0.1,
            "exponential": False,
            "pace": 0.01,
            "tolerance": 1e-3,
            "max_steps": 9,
        },
        "infinite_width.dmft.transfer": {
            "source": m["flow"],
            "task": TASK,
            "gamma": 1.0,
            "times": np.array([0.0, 1.0]),
            "carry": "raw",
            "seed": 0,
            "rate": 0.1,
            "exponential": False,
            "pace": 0.01,
            "tolerance": 1e-3,
            "max_steps": 9,
        },
        "infinite_width.lanczos.mean_decay": {"K": np.eye(3), "v": ALPHA[:3], "t": 1.0},
        "infinite_width.linear.spike_size": {"gamma_1": ALPHA, "nu_1": ALPHA, "kind": "exact"},
        "infinite_width.linear.source_coefficients": {"gamma_1": ALPHA, "nu_1": ALPHA, "kind": "exact"},
        "infinite_width.linear.feature_moment": {"b": ALPHA},
        "infinite_width.linear.fine_tuning_loss": {
            "nu_2": ALPHA,
            **alphas,
            "coefficients": COEFFICIENTS,
            "ridge": ALPHA,
        },
        "infinite_width.linear.rich_limit_loss": {"nu_1": ALPHA, **alphas},
        "infinite_width.linear.budgeted_loss": {
            "nu_2": ALPHA,
            **alphas,
            "gamma_1": ALPHA,
            "nu_1": ALPHA,
            "relative_ridge": ALPHA,
            "kind": "exact",
        },
        "infinite_width.linear.optimal_gamma_1": {
            "nu_2": ALPHA[:1],
            **alphas,
            "nu_1": 0.5,
            "relative_ridge": 0.02,
            "kind": "exact",
        },
        "infinite_width.linear.kernel_end_point": {"X": X, "y": Y, "M": np.eye(3), "ridge": 0.0},
        "infinite_width.linear.regression_loss": {"M": np.eye(3), "X": X, "t": K, "ridge": 0.0},
        "infinite_width.linear.simulate_fine_tuning": {
            "nu_2": ALPHA,
            **alphas,
            "coefficients": COEFFICIENTS,
            "ridge": np.array([0.1]),
            "D": 3,
            "draws": 2,
            "seed": 0,
        },
        "infinite_width.linear.train_linear": {
            "X": X,
            "y": Y,
            "gamma": 1.0,
            "start": K,
            "times": np.array([0.0, 1.0]),
            "tolerance": 1e-3,
            "max_evaluations": 99,
        },
        "infinite_width.kernel_transfer.pretrain_linear": {"gamma_1": 1.0, "nu_1": 0.5, "D": 4, "N": 10, "seed": 0},
        "infinite_width.kernel_transfer.fine_tune_linear": {
            "features": m["features"],
            "nu_2": ALPHA,
            **alphas,
            "relative_ridge": 0.0,
            "draws": 2,
            "seed": 0,
        },
        "infinite_width.kernel_transfer.transfer_losses": {
            "source": TASK,
            "target": SIGNS,
            "gamma_1": 0.0,
            "P_2": [2],
            "draws": 1,
            "S": 10,
            "N": 10,
            "seed": 0,
            "tolerance": 1e-3,
        },
        "infinite_width.kernel_transfer.solve_point": {
            "dataset": "digits",
            "source": (1, 2),
            "target": (8, 9),
            "P_1": 4,
            "gamma_1": 0.0,
            "P_2": [2],
            "pool": 4,
            "seed": 0,
            "root": here,
        },
        "infinite_width.kernel_transfer.mean_losses": {"rows": m["kernels"], "features": "network"},
        "infinite_width.kernel_transfer.mean_over_targets": {"table": m["table"]},
        "infinite_width.kernel_transfer.differences": {"table": m["table"], "features": "network"},
        "infinite_width.images.class_pair_tasks": {
            "source": (1, 2),
            "target": (8, 9),
            "P1": 4,
            "P2": 4,
            "n_test": 2,
            "name": "digits",
            "seed": 0,
            "root": here,
        },
        "infinite_width.rich_transfer.TransferSetting": {
            "figure": "3a",
            "dataset": "gaussian",
            "P1": 8,
            "P2": (4,),
            "gamma_2": (1.0,),
            "starts": ("scratch",),
            "classes": ((1, 2), (8, 9)),
            "n_test": 6,
            "t_end": 10.0,
            "gamma_1": 1.0,
            "D": 3,
            "tolerance": 1e-6,
            "exponential": False,
        },
        "infinite_width.rich_transfer.setting": {"figure": "4", "dataset": "digits", "P1": 20},
        "infinite_width.rich_transfer.tasks": {"setting": SMALL, "draw": 0, "root": here},
        "infinite_width.rich_transfer.first_examples": {"task": TASK, "P": 3},
        "infinite_width.rich_transfer.linear_and_square": {"X": INPUTS},
        "infinite_width.rich_transfer.quintic_and_quadratic": {"X": INPUTS},
        "infinite_width.rich_transfer.hermite": {"degree": 2, "u": ALPHA},
        "infinite_width.rich_transfer.neurons": {"D": 3, "width": 10, "kind": "theory", "draw": 0},
        "infinite_width.rich_transfer.drawn": {
            "setting": SMALL,
            "draw": 0,
            "kind": "theory",
            "width": 10,
            "root": here,
        },
        "infinite_width.rich_transfer.source_run": {"setting": SMALL, "task": TASK, "start": CLOUD, "device": "cpu"},
        "infinite_width.rich_transfer.target_run": {
            "setting": SMALL,
            "task": TASK,
            "gamma_2": 1.0,
            "start": CLOUD,
            "carry": "raw",
            "draw": 0,
            "kind": "theory",
            "device": "cpu",
        },
        "infinite_width.rich_transfer.balance_drift": {"start": CLOUD, "run": m["flow"]},
        "infinite_width.rich_transfer.compare": {"setting": SMALL, "gamma_2": [1.0], "width": 10, "draw": 0},
        "infinite_width.rich_transfer.preactivations": {"particles": CLOUD, "X": INPUTS},
        "infinite_width.rich_transfer.untrained_preactivations": {"X": INPUTS},
        "infinite_width.rich_transfer.total_variation": {"density": np.full(128, 0.1), "other": np.full(128, 0.2)},
        "infinite_width.outcomes.outcome": {
            "setting": SMALL,
            "run": m["flow"],
            "target": TASK,
            "start": "scratch",
            "seconds": 0.1,
            "untrained": m["law"],
        },
        "infinite_width.outcomes.curves": {"table": m["table"], "quantity": "test_loss"},
        "infinite_width.outcomes.ends": {"table": m["table"], "quantity": "test_loss"},
        "infinite_width.outcomes.at_time": {"table": m["table"], "time": 1.0},
        "infinite_width.outcomes.recorded_time": {"table": m["table"], "time": 1.0},
        "infinite_width.outcomes.largest_ratios": {
            "table": m["table"],
            "after": 1.0,
            "figure": "3a",
            "start": "centred",
        },
        "infinite_width.outcomes.ratios_on_the_way": {
            "table": m["way"],
            "train_losses": np.array([0.5]),
            "figure": "3a",
        },
        "infinite_width.outcomes.interior_minimum": {"loss": LOSSES},
        "infinite_width.outcomes.balance": {"loss": LOSSES, "source_loss": LOSSES},
        "infinite_width.outcomes.growth_power": {"before": LOSSES.iloc[0], "after": LOSSES.set_axis([0.5, 1.0, 2.0])},
        "infinite_width.outcomes.offset": {"table": m["table"]},
        "infinite_width.outcomes.law_distances": {"table": m["table"]},
        "infinite_width.outcomes.unpredicted": {
            "distances": outcomes.LawDistances(LOSSES, LOSSES[0], LOSSES, LOSSES, LOSSES[0]),
            "most": 0.02,
            "share": 0.5,
        },
        "infinite_width.outcomes.at_equal_train_loss": {"table": m["table"], "train_loss": 1.0},
        "infinite_width.outcomes.stopped_by_time": {"table": m["table"], "tolerance": 1e-6},
        "infinite_width.outcomes.gammas": {"table": m["table"], "figure": "3a"},
        "infinite_width.outcomes.by_gamma": {"table": m["table"], "quantity": "test_loss", "figure": "3a"},
        "infinite_width.outcomes.ratios": {"table": m["table"], "start": "centred"},
        "infinite_width.outcomes.geometric_mean": {"ratios": ALPHA, "axis": 0},
        "infinite_width.outcomes.spread": {"values": m["table"]["value"], "digits": 2},
        "infinite_width.outcomes.disagreements": {"table": m["table"]},
        # checks
        "checks.identities.Check": {
            "statement": "something",
            "theory": ALPHA,
            "measured": ALPHA,
            "bound": 0.1,
            "unit": ALPHA,
            "at_most": False,
        },
        "checks.identities.relative": {"statement": "something", "theory": ALPHA, "measured": ALPHA, "bound": 0.1},
        "checks.penalty_shape.random_settings": {"size": 3, "seed": 0, "decades": 6.0},
        "checks.penalty_shape.derivatives_of_definition": {"beta_ft": K, "beta_pt": K, "init": INIT, "digits": 15},
        "checks.penalty_shape.closed_forms": {"beta_ft": K, "beta_pt": K, "init": INIT, "digits": 15},
        "checks.penalty_shape.bounds": {"beta_ft": K, "beta_pt": K, "init": INIT},
        "checks.penalty_shape.straight_line": {"c_pt": 0.1, "distance": ALPHA, "beta_ft": 1.0, "beta_pt": 1.0},
        "checks.penalty_shape.lazier_with_scale": {"c_pt": ALPHA, "relative": 0.0, "beta_ft": 1.0, "beta_pt": 1.0},
        "checks.penalty_shape.first_step_of_scale": {"lambda_pt": 0.1, "shares": ALPHA, "beta_ft": 1.0},
        "checks.penalty_shape.means_around": {"init": INIT, "beta_ft": ALPHA, "beta_pt": 1.0, "points": 5},
        "checks.penalty_shape.corner": {"name": "I", "at": ptft.regimes.measures(1.0, 1.0, INIT)},
        "checks.penalty_shape.moves": {
            "path": ptft.regimes.measures(K, K, INIT),
            "ell_order": 1,
            "pretraining_dependence": 1,
        },
        "checks.penalty_shape.lazy_minimiser": {"X": X, "y": Y, "init": INIT, "beta_pt": X[0]},
        "checks.penalty_shape.rich_minimiser": {"X": X, "y": Y, "init": INIT, "beta_pt": X[0], "weights": 1.0},
        "checks.replica_equations.crossings": {
            "alpha": [0.2, 0.4],
            "settings": [(SLAB, INIT)],
            "every": 1,
            "points": 3,
        },
        "checks.replica_equations.quadrature": {"mixture": MIXTURE, "alpha": 0.3, "refinements": ALPHA},
        "checks.replica_equations.published_range": {"slab": "signs"},
        "checks.replica_equations.solved": {"curves": [m["curve"]]},
        "checks.replica_equations.one_solution": {"curves": [m["curve"]]},
        "checks.replica_equations.amplification": {"alpha": ALPHA, "mixture": MIXTURE},
        "checks.replica_equations.monte_carlo": {"sampled": m["sampled"], "mixture": MIXTURE},
        "checks.replica_equations.message_errors": {
            "alpha": 0.4,
            "teacher": SLAB,
            "init": INIT,
            "d": D,
            "steps": 1,
            "seeds": [0, [1, 2]],
        },
        "checks.replica_equations.end_of_messages": {
            "alpha": 0.4,
            "teacher": SLAB,
            "init": INIT,
            "d": D,
            "seed": 1,
            "steps": 1,
        },
        "checks.replica_equations.evolution": {"alpha": 0.4, "mixture": MIXTURE, "errors": np.ones((1, 2))},
        "checks.replica_equations.end_of_evolution": {"alpha": 0.4, "mixture": MIXTURE, "steps": 1},
        "checks.replica_equations.lazy_limit": {"alpha": ALPHA, "rho": 0.1},
        "checks.replica_equations.weighted_lazy_limit": {"alpha": ALPHA, "mixture": MIXTURE},
        "checks.replica_equations.rich_limit": {"rho": 0.1, "share": 0.6},
        "checks.replica_equations.exact_recovery": {"rho": 0.1, "share": 1.1},
        "checks.replica_equations.perfect_pretraining": {"alpha": ALPHA, "teacher": SLAB, "init": INIT},
        "checks.replica_equations.lazy_stages": {
            "alpha": ALPHA,
            "teacher": SLAB,
            "alpha_pt": 0.6,
            "noise_pt": 0.1,
            "noise_ft": 0.1,
        },
        "checks.replica_equations.peak": {"alpha": ALPHA, "teachers": [SLAB], "init": INIT, "noises": [0.1]},
        "checks.training.conservation": {"runs": [m["run"]]},
        "checks.training.weights_from_coefficients": {"runs": [m["run"]], "inits": [INIT]},
        "checks.training.end_points": {"runs": [m["run"]], "ends": [m["end"]]},
        "checks.training.certificates": {"ends": [m["end"]]},
        "checks.training.errors_on_samples": {"ends": X, "teachers": 2 * X, "n_test": 5, "seed": 0},
        "checks.training.least_squares": {"run": m["run"], "X": X, "y": Y},
        "checks.training.rate": {"runs": [m["run"]], "X": X, "c": 0.1},
        "checks.training.forgotten_sign": {"runs": [m["run"]], "mirrored": [m["run"]]},
        "checks.two_theories.lazy_distances": {"X": X, "y": Y, "c_pt": ALPHA, "source": K, "M": np.eye(3)},
        "checks.adapted_kernels.spikes": {"features": [m["features"]], "gamma_1": np.ones(1), "kind": "exact"},
        "checks.adapted_kernels.second_moments": {
            "X": X,
            "y": Y,
            "gamma": 1.0,
            "tolerance": 1e-3,
            "max_evaluations": 99,
        },
        "checks.adapted_kernels.losses": {
            "measured": m["measured"],
            **alphas,
            "coefficients": COEFFICIENTS,
            "ridge": np.array(0.1),
        },
        "checks.adapted_kernels.interval_ends": {"measured": m["measured"], "theory": ALPHA, "unit": ALPHA},
        "checks.adapted_kernels.excess": {"measured": m["measured"], "theory": ALPHA},
        "checks.adapted_kernels.collapsed_losses": {"measured": m["measured"], "nu_1": np.array(0.5), **alphas},
        "checks.adapted_kernels.no_harm": {"nu_2": ALPHA, **alphas, "coefficients": COEFFICIENTS},
        "checks.adapted_kernels.image_losses": {"rows": m["kernels"]},
        "checks.rich_transfer.losses_over_time": {"theory": m["flow"], "network": m["flow"]},
        "checks.rich_transfer.balance": {"start": CLOUD, "run": m["flow"]},
        # figures
        "figures.adapted_kernels.lines": {"labels": ["one"], "losses": np.ones((1, 2))},
        "figures.adapted_kernels.losses": {
            "nu_2": ALPHA,
            "panels": {"one": {"two": adapted_kernels.Line(ALPHA)}},
            "kinds": [],
            "ratio": [],
            "legends": [],
            "columns": 2,
        },
        "figures.adapted_kernels.spikes": {
            **{name: {"one": (ALPHA, ALPHA)} for name in ("left", "right", "measured_left", "measured_right")},
            "titles": ("one", "two"),
        },
        "figures.adapted_kernels.budget": {
            "gamma_1": ALPHA,
            "losses_by_nu": {0.5: adapted_kernels.Line(ALPHA)},
            "optimal": {0.5: (1.0, 0.5)},
            "nu_2": ALPHA,
            "optimum": ALPHA,
            "measured_gamma_1": ALPHA,
        },
        "figures.adapted_kernels.kernel_transfer": {"rows": m["kernels"]},
        "figures.adapted_kernels.widths": {"differences": m["table"]},
        "figures.curves.shrinkage": {"z": ALPHA, "k": [1.0], "theta": 1.0},
        "figures.curves.quadrature_error": {"refinement": ALPHA, "errors": {"one": ALPHA}},
        "figures.curves.solvers": {"curve": m["curve"], "exact": m["curve"], "sampled": m["sampled"]},
        "figures.curves.state_evolution": {
            "mse": {"one": ALPHA},
            "theory": {"one": ptft.StateEvolution(ALPHA, ALPHA, ALPHA)},
        },
        "figures.curves.limits": {"curves": {1.0: m["curve"]}, "l2": ALPHA, "l1": ALPHA, "threshold": 0.3},
        "figures.curves.figure_3": {"panels": experiments.figure_3(), "curves": one_curve, "points": one_point},
        "figures.curves.figure_5": {"tasks": experiments.figure_5(), "curves": one_curve, "points": one_point},
        "figures.curves.single_task": {"curves": one_curve, "points": one_point},
        "figures.curves.finite_size": {"deviations": {"one": {100: (0.1, 0.1)}}},
        "figures.curves.on_designs": {"ratios": {"one": np.ones((1, 2))}, "labels": ["a"]},
        "figures.curves.stopping_rule": {"runs": {0.5: [[[m["stopped"]]]]}, "alpha": ALPHA},
        "figures.curves.number": {"value": 1.0},
        "figures.curves.relative_scale": {"init": INIT},
        **{f"figures.data.{name}": {"fig": plt.Figure()} for name in ("data_of", "csv_of", "packed_csv")},
        "figures.front_page.overview": {"inits": {"one": INIT}, "curves": {"one": m["curve"]}},
        "figures.live.errors": {"alpha": ALPHA, "curves": {"one": ALPHA}, "floor": 1e-4},
        "figures.optimal_initialization.landscapes": {"panels": {}},
        "figures.optimal_initialization.regime_map": {"results": {}, "alpha": [0.1], "rho_ft": [0.1]},
        "figures.optimal_initialization.savings_map": {
            "results": {},
            "alpha": [0.1],
            "rho_ft": [0.1],
            "against": {"small": "small"},
        },
        "figures.optimal_initialization.confirmation": {"panels": {}},
        "figures.page_style.figure": {"rows": 1, "columns": 1, "height": 2.6},
        "figures.page_style.beside": {"artists": [], "i": 0, "count": 1, "points": 3.0},
        "figures.page_style.ordered_colors": {"count": 2},
        "figures.page_style.save": {"fig": plt.Figure(), "path": here},
        "figures.narrow.stack": {"fig": plt.figure(), "width": 3.6},
        "figures.narrow.packed_svg": {"fig": plt.figure()},
        "figures.penalties.level_sets": {"example": np.ones(2), "label": 1.0, "scales": {"one": np.ones(2)}},
        "figures.penalties.penalty_shapes": {"z": ALPHA, "penalties": {1.0: ALPHA}},
        "figures.penalties.training": {"pretraining": m["run"], "fine_tuning": m["run"], "beta_pt": K, "end": m["end"]},
        "figures.penalties.penalty_scales": {"beta_pt": ALPHA, "panels": {"one": {"two": ALPHA}}},
        "figures.penalties.measure_curves": {"x": ALPHA, "elasticity": {"one": (ALPHA, ALPHA)}},
        "figures.penalties.triangle": {"paths": {"one": ptft.regimes.measures(K, K, INIT)}},
        "figures.penalties.phase_portraits": {"portraits": [ptft.regimes.phase_portrait(ALPHA, ALPHA)]},
        "figures.rich_transfer.loss_curves": {"table": m["table"], "names": ("3a",), "draw": 0},
        "figures.rich_transfer.images": {"table": m["table"], "draw": 0},
        "figures.rich_transfer.title": {"name": "4", "dataset": "digits"},
        "figures.rich_transfer.gains": {"table": m["table"], "names": ("3a",), "kind": "network"},
        "figures.rich_transfer.sample_sizes": {"table": m["table"]},
        "figures.rich_transfer.forgetting": {"table": m["table"], "P2": {"3a": 4}, "kind": "network"},
        "figures.rich_transfer.live": {"pairs": {"one": (m["flow"], m["flow"])}},
        "figures.tour.penalties": {"inits": {"one": INIT}, "a_pt": 1.0, "size": 1.0},
        "figures.tour.errors": {"curves": {"one": m["curve"]}, "points": {"one": []}, "given": {"one": []}},
        "figures.two_stages.along_alpha": {"curves": {"one": m["two"]}, "points": {"one": m["both stages"]}},
        "figures.two_stages.along_alpha_pt": {
            "alpha_pt": ALPHA,
            "curves": {"one": [m["two"]]},
            "reference": 0.5,
            "points": {"one": [m["both stages"]]},
        },
        "figures.two_stages.next_to_the_peak": {"away": ALPHA, "curves": {"one": (ALPHA, ALPHA)}, "peak": 0.9},
        "figures.two_stages.errors": {
            "panels": {"one": two_stages.ErrorPanel("x", {"one": (ALPHA, ALPHA)})},
            "columns": 1,
            "lowest": 1e-4,
        },
        "figures.two_stages.forgetting": {
            "curves": {"one": m["two"]},
            "erased": ALPHA,
            "points": {"one": m["both stages"]},
        },
        "figures.your_own_data.cross_validation": {"ridges": ALPHA, "paths": {"one": np.ones((2, 2))}},
        "figures.your_own_data.errors": {"sizes": [5, 9], "panels": {"one": {"two": np.ones((2, 2))}}},
        "figures.your_own_data.starts": {
            "names": ["one"],
            "sizes": [9],
            "maps": {"two": {"three": np.ones((1, 1))}},
        },
        "figures.your_own_data.predicted_and_measured": {"points": {"one": np.ones((3, 1))}},
        "figures.two_theories.both_losses": {
            "alpha": ALPHA,
            "panels": {"one": {"two": two_theories.BothCurves(ALPHA, ALPHA)}},
        },
        "figures.scaling.learning_curves": {"panels": {}, "reference": "a"},
        "figures.scaling.slopes": {"panels": {}, "expected": [1.0]},
        "figures.scaling.worth": {"n": ALPHA, "needed": {"one": ALPHA}},
        "figures.scaling.best_scales": {"scaled": ALPHA, "panels": {}, "n": [1.0]},
        "figures.two_theories.lazy_limit": {"scales": ALPHA, "distance": {"one": ALPHA}},
        "figures.vision.examples": {"images": np.ones((1, 2, 2)), "labels": np.ones(1), "marked": [0]},
        "figures.vision.accuracy_curves": {"table": m["accuracies"], "knobs": ["kappa"], "column": "accuracy"},
        "figures.vision.beside_published": {"table": m["accuracies"]},
        "figures.vision.trends": {"table": m["accuracies"]},
        "figures.vision.trends_of_sets": {"tables": {"one": m["accuracies"]}, "columns": ["accuracy"]},
        "figures.vision.dimensions": {"representations": m["accuracies"], "n": 10},
        "figures.vision.signature_curves": {"runs": m["accuracies"]},
        "figures.modular.features": {"tasks": {"one": ((1,), (2,))}, "count": 2},
        "figures.modular.spectra": {"powers": {"one": K}, "first": [1], "second": {"one": []}},
        "figures.modular.errors": {"table": m["modular runs"], "knob": "kappa"},
        "figures.modular.slopes_by_size": {"table": m["modular runs"]},
        "figures.modular.orders": {"table": m["modular runs"]},
        "figures.modular.reuse": {"powers": {"one": {"all": K}}, "first": [1], "second": {"one": []}},
        "figures.modular.sparsity": {"table": m["modular runs"], "n": 60},
        "figures.modular.shares": {
            "table": m["modular runs"],
            "kappa": ALPHA,
            "theory": ALPHA,
            "least": ALPHA,
            "n": 60,
        },
        "figures.modular.pretraining_lengths": {"table": m["modular runs"], "losses": {"one": ALPHA}},
        "figures.modular.attention": {"points": {"one": {1.0: (2.0, 0.1)}}},
        # modular arithmetic
        "modular.group.characters": {"p": 5},
        "modular.group.power_by_frequency": {"values": ALPHA},
        "modular.group.power_of_sums": {"values": np.eye(3)},
        "modular.group.share": {"power": ALPHA, "frequencies": [1]},
        "modular.group.effective_frequencies": {"power": ALPHA},
        "modular.tasks.ScalarTask": {"p": 5, "frequencies": (1,), "phases": (0.5,)},
        "modular.tasks.ClassTask": {"p": 5, "divisor": 5, "slope": 1, "shift": 0},
        "modular.tasks.likeness": {"first": SCALAR, "second": SCALAR},
        "modular.tasks.shuffled": {"table": np.eye(3), "seed": 0},
        "modular.tasks.sizes_of": {"relation": "nested", "p": 23, "size_pt": 5},
        "modular.tasks.two_tasks": {"relation": "nested", "size": 1, "p": 23, "size_pt": 5, "seed": 0},
        "modular.networks.Examples": {"pairs": PAIRS.pairs, "targets": PAIRS.targets},
        "modular.networks.examples": {"table": np.eye(3), "chosen": np.ones(1)},
        "modular.networks.drawn_pairs": {"p": 5, "n": 9, "seed": 0},
        "modular.networks.QuadraticNetwork": {"U": QUADRATIC.U, "W": QUADRATIC.W, "v": QUADRATIC.v},
        "modular.networks.Transformer": {"weights": dict(TRANSFORMER.weights), "heads": 2},
        "modular.networks.new_quadratic": {
            "p": 5,
            "width": 4,
            "seed": 0,
            "kappa": 0.5,
            "c": 0.5,
            "dtype": torch.float32,
        },
        "modular.networks.new_transformer": {
            "p": 5,
            "width": 4,
            "heads": 2,
            "mlp": 4,
            "outputs": 2,
            "seed": 0,
            "kappa": 0.5,
            "c": 0.5,
            "dtype": torch.float32,
        },
        "modular.networks.scaled": {"network": QUADRATIC, "embedding": 0.5, "hidden": 0.5, "readout": 0.5},
        "modular.networks.with_new_readout": {"network": TRANSFORMER, "gamma": 0.5, "seed": 0, "outputs": 2},
        "modular.networks.norms": {"network": QUADRATIC},
        "modular.networks.require_fits": {"network": QUADRATIC, "pairs": PAIRS.pairs, "targets": PAIRS.targets},
        "modular.networks.attention_of": {"network": TRANSFORMER},
        "modular.training.train": {
            "network": QUADRATIC,
            "data": PAIRS,
            "method": "descent",
            "loss_below": 0.1,
            "max_steps": 3,
            "learning_rate": 0.1,
        },
        "modular.training.flat_weights": {"network": QUADRATIC},
        "modular.training.with_flat_weights": {"network": QUADRATIC, "weights": np.ones(44)},
        "modular.theory.conserved": {"network": QUADRATIC},
        "modular.theory.balance": {"network": QUADRATIC},
        "modular.theory.closed_network": {"task": SCALAR, "orbits": 1, "seed": 0, "kappa": 0.5},
        "modular.theory.quadratures": {"network": QUADRATIC, "task": SCALAR},
        "modular.theory.needed_products": {"network": QUADRATIC, "task": SCALAR},
        "modular.theory.least_power": {"p": 5, "size": 1, "fitted": 0.9, "readout": 0.1},
        "modular.theory.closed_pretraining": {
            "kappa": 0.5,
            "width": 8,
            "p": 5,
            "size": 1,
            "c": 0.5,
            "fitted": 0.9,
            "draws": 1,
            "seed": 0,
        },
        "modular.theory.strengths": {"network": QUADRATIC, "functions": np.ones((1, 5, 5))},
        "modular.theory.costs": {"network": QUADRATIC, "functions": np.ones((1, 5, 5))},
        "modular.theory.character_strengths": {"network": QUADRATIC},
        "modular.theory.tangent_prediction": {"network": QUADRATIC, "train": PAIRS, "pairs": PAIRS.pairs},
        "modular.theory.diagonal_prediction": {"network": QUADRATIC, "train": PAIRS, "pairs": PAIRS.pairs},
        "modular.theory.PretrainedLaw.strengths_with_readout": {"gamma": 0.1},
        "modular.protocol.settings": {"network": "quadratic"},
        "modular.protocol.tables_of": {"network": "quadratic", "relation": "nested", "size": 1, "seed": 0},
        "modular.protocol.pretrain_point": {"network": "quadratic", "knob": "untrained", "value": 1.0, "seed": 0},
        "modular.protocol.fine_tune_point": {
            "network": "quadratic",
            "pretraining": m["modular run"],
            "relation": "reuse",
            "size": 5,
            "knob": "untrained",
            "value": 1.0,
            "n": 9,
            "seed": 0,
        },
        "modular.trends.runs": {"table": m["modular runs"], "network": "quadratic", "relation": "nested", "size": 1},
        "modular.trends.errors_by_size": {
            "table": m["modular runs"],
            "network": "quadratic",
            "place": "inside",
            "n": 60,
            "column": "error",
        },
        "modular.trends.denser": {"table": m["modular runs"], "network": "quadratic", "n": 60},
        "modular.trends.farther": {"table": m["modular runs"], "network": "quadratic", "n": 60},
        "modular.trends.contrast": {"first": m["nested runs"], "second": m["nested runs"], "knob": "kappa", "n": 60},
        "modular.trends.either_side": {"runs": m["runs on both sides"], "knob": "kappa"},
        "modular.trends.inner_minimum": {"runs": m["runs on both sides"], "knob": "kappa"},
        "modular.trends.best_factors": {"runs": m["nested runs"], "knob": "kappa", "n": 60},
        "modular.trends.always_above": {"runs": m["nested runs"], "level": 1.0},
        "modular.trends.worth": {"runs": m["nested runs"], "kappa": 1.0, "expected_sign": 1},
        "modular.trends.cost": {"first": m["nested runs"], "second": m["nested runs"], "n": 60},
        "modular.trends.by_likeness": {"runs": m["nested runs"], "alike": {0: 0.2, 1: 0.6}, "n": 60},
        "modular.trends.likeness_correlation": {"runs": m["nested runs"], "alike": {0: 0.2, 1: 0.6}, "n": 60},
        "modular.trends.order_agreement": {"runs": m["nested runs"], "theory": "tangent", "n": 60},
        "modular.trends.pretraining_steps": {"table": m["modular runs"], "network": "quadratic", "knob": "kappa"},
        "checks.modular.conservation": {"start": QUADRATIC, "end": QUADRATIC},
        "checks.modular.still_beside": {"start": QUADRATIC, "end": QUADRATIC, "frequencies": [1]},
        "checks.modular.function_of_sums": {"network": QUADRATIC, "frequencies": [1]},
        "checks.modular.out_of_phase": {"start": QUADRATIC, "end": QUADRATIC, "task": SCALAR},
        "checks.modular.power_left": {"start": QUADRATIC, "end": QUADRATIC, "task": SCALAR},
        "checks.modular.needed": {"network": QUADRATIC, "task": SCALAR},
        "checks.modular.strengths_by_cost": {"network": QUADRATIC, "task": SCALAR},
        "checks.modular.shares": {"networks": [QUADRATIC], "task": SCALAR, "kappa": 0.5, "fitted": 0.9},
        "checks.modular.adam_from_other_scales": {"network": QUADRATIC, "data": PAIRS, "c": 2.0, "steps": 2},
        "checks.modular.strengths_by_law": {
            "network": QUADRATIC,
            "task": SCALAR,
            "law": MADE_BY_HAND["PretrainedLaw"],
            "gamma": 0.1,
        },
        "checks.modular.strengths_of_phases": {"network": QUADRATIC, "task": SCALAR},
        # images
        "vision.representation.participation_ratio": {"A": INPUTS, "centred": True},
        "vision.representation.ensd": {"A": INPUTS, "B": INPUTS, "centred": True},
        **{
            f"trends.{name}": {"table": m["accuracies"], "knob": "kappa", **more}
            for name, more in (
                ("by_seed", {"value": 0.5, "n": 10, "column": "accuracy"}),
                ("values_of", {}),
                ("curve", {"value": 0.5, "column": "accuracy"}),
                ("differences", {"value": 0.5, "n": 10, "column": "accuracy"}),
                ("slopes", {"n": 10, "column": "accuracy"}),
                ("pooled_slopes", {"column": "accuracy"}),
                ("mean_differences", {"side": "below", "column": "accuracy"}),
                ("differences_over_sizes", {"value": 0.5, "column": "accuracy"}),
                ("trend", {"column": "accuracy", "expected_sign": -1}),
                ("pooled_trend", {"column": "accuracy", "expected_sign": -1}),
                ("gains", {"column": "accuracy"}),
            )
        },
        **{f"vision.trends.{name}": {"table": m["accuracies"]} for name in ("knobs_of", "scaling_order")},
        "trends.interval_factor": {"samples": 3},
        "trends.sizes_of": {"table": m["accuracies"]},
        "trends.common_points": {"tables": [m["accuracies"]], "columns": ["n"]},
        "trends.complete_seeds": {"table": m["accuracies"], "column": "accuracy"},
        "trends.per_doubling": {"values": ALPHA, "measured": ALPHA},
        "trends.effect": {"samples": ALPHA, "expected_sign": 1},
        "trends.paired_effect": {"samples": ALPHA, "expected_sign": 1},
        "trends.difference": {"first": {0: 1.0, 1: 2.0}, "second": {0: 0.5, 1: 1.0}, "expected_sign": 1},
        "trends.tally": {"effects": [trends.paired_effect(ALPHA, 1)]},
        "trends.simultaneous": {"effects": [trends.paired_effect(ALPHA, 1)]},
        "trends.opposed": {"pairs": [(trends.paired_effect(ALPHA, 1),) * 2]},
        "trends.holm": {"effects": [trends.paired_effect(ALPHA, 1)]},
        "vision.trends.signature": {"representations": m["accuracies"], "stage": "stage 4"},
        "vision.trends.causes": {
            "table": m["accuracies"],
            "knob": "kappa",
            "columns": {"accuracy": "as trained", "accuracy_recalibrated": "recalibrated"},
            "expected_sign": -1,
        },
        "vision.trends.distance_from_published": {"table": m["accuracies"], "column": "accuracy"},
        "vision.trends.slopes_of_both": {
            "table": m["accuracies"],
            "other": m["accuracies"],
            "knob": "kappa",
            "column": "accuracy",
        },
        "vision.trends.signatures": {"representations": m["accuracies"], "stage": "stage 4"},
        "vision.representation.dimensions": {"A": INPUTS, "B": INPUTS, "centred": True},
        "vision.representation.columns_of": {"convention": "batch", "measured_on": "test"},
        "vision.representation.activations": {
            "model": m["network"],
            "images": IMAGES,
            "batch": 4,
            "batch_statistics": False,
        },
        "vision.data.load": {"name": "digits", "root": here, "label": "label", "size": 8},
        "vision.data.normalize": {"images": IMAGES, "size": 8},
        "vision.data.split_classes": {"n_classes": 10, "n_ft": 2, "seed": 0},
        "vision.data.split_dataset": {"dataset": DATASET, "n_ft": 2, "seed": 0, "pretraining_images": 2, "n_test": 2},
        "vision.compaction.compact": {"model": m["network"], "size": (8, 8)},
        "vision.compaction.restore": {
            "small": m["network"],
            "windows": {"conv1": (slice(1), slice(1))},
            "model": m["network"],
        },
        "vision.compaction.check_device": {"device": "cpu"},
        "vision.compaction.has_bf16": {"device": "cpu"},
        "vision.protocol.Protocol": {
            "dataset": "digits",
            "pretraining_images": 2,
            "size": 8,
            "n_ft": 2,
            "n_test": 2,
            "n_measured": 2,
            "pretraining": STAGE,
            "fine_tuning": STAGE,
        },
        "vision.protocol.grid": {"sample_sizes": [10], "knobs": {"kappa": (0.5,)}},
        "vision.protocol.part": {"name": "all"},
        "vision.protocol.knob_values": {"text": "kappa=0.5"},
        "vision.protocol.check_sample_size": {"n": 10, "split": m["split"]},
        "vision.protocol.pretrain_point": {
            "protocol": vision.DIGITS,
            "split": m["split"],
            "seed": 0,
            "start": ("kappa", 0.5),
            "device": "cpu",
        },
        "vision.protocol.fine_tune_point": {
            "protocol": vision.DIGITS,
            "split": m["split"],
            "seed": 0,
            "pretrained": m["network"],
            "point": vision.protocol.Point("kappa", 0.5, 10),
            "device": "cpu",
        },
        "vision.protocol.start_of": {"point": vision.protocol.Point("kappa", 0.5, 10)},
        "vision.training.Stage": {
            "lr": 0.1,
            "momentum": 0.9,
            "batch": 4,
            "loss_below": 0.1,
            "max_epochs": 1,
            "bf16": False,
        },
        "vision.training.new_model": {"n_classes": 3, "seed": 0},
        "vision.training.scale_early_layers": {"model": m["network"], "kappa": 0.5},
        "vision.training.scale_parameters": {"model": m["network"], "c": 0.5},
        "vision.training.scale_readout": {"model": m["network"], "gamma": 0.5},
        "vision.training.accuracy": {
            "model": m["network"],
            "images": IMAGES,
            "labels": LABELS,
            "classes": np.array([0, 1]),
            "batch": 4,
            "bf16": False,
        },
        "vision.training.recalibrate": {"model": m["network"], "images": IMAGES},
        "vision.training.outputs_apart": {
            "model": m["network"],
            "other": m["network"],
            "images": IMAGES,
            "batch_statistics": True,
        },
        "vision.training.train": {
            "model": m["network"],
            "images": IMAGES,
            "labels": LABELS,
            "classes": np.array([0, 1]),
            "seed": 0,
            "stage": STAGE,
        },
        # a user's own data
        "regression.FineTunedRegression": {"init": INIT, "coef_pt": K, "ridge": 0.5, "fit_intercept": True},
        "regression.FineTunedRegressionCV": {
            "inits": [INIT],
            "coef_pt": K,
            "ridges": ALPHA,
            "cv": 2,
            "fit_intercept": True,
        },
        "regression.initializations_at": {"scale": 1.0},
        "regression.predicted_curve": {
            "fitted": m["estimator"],
            "n": ALPHA,
            "coef": K,
            "variance": K,
            "noise": 0.1,
        },
        # pages
        "book.claims.claim": {
            "statement": "a",
            "source": "b",
            "check": "c",
            "result": "d",
            "cases": CASES,
        },
        "book.claims.beyond_zero": {"effects": [trends.paired_effect(ALPHA, 1)]},
        "book.claims.tally": {"claims": [claim("a", "b", "c", "d", CASES)], "name": "tab-a"},
        "book.claims.count_held": {"cases": CASES, "of": "things"},
        "book.claims.count_of": {"outcomes": np.array([True]), "of": "things"},
        "book.claims.how_they_fared": {"claims": [claim("a", "b", "c", "d", CASES)]},
        "book.image_tables.stored_runs": {"folder": "cifar_10"},
        "book.image_tables.in_words": {"settings": [("kappa", 0.1)]},
        "book.image_tables.protocol_parts": {"runs": m["image runs"]},
        "book.image_tables.effort": {"runs": m["image runs"]},
        "book.image_tables.epochs_table": {"runs": m["image runs"], "name": "tab-a", "images": ""},
        "book.image_tables.gain": {
            "table": m["accuracies"],
            "knob": "kappa",
            "value": 0.5,
            "n": 10,
            "column": "accuracy",
        },
        "book.image_tables.mean_gains": {"table": m["accuracies"], "column": "accuracy"},
        "book.image_tables.gains_table": {
            "table": m["accuracies"],
            "column": "accuracy",
            "name": "tab-a",
            "caption": "b",
        },
        "book.image_tables.setting": {"knob": "kappa", "value": 0.5},
        "book.image_tables.settings_of": {"table": m["accuracies"]},
        "book.image_tables.by_loss": {
            "runs": image_tables.stored_runs(),
            "longer": image_tables.stored_runs("stricter"),
        },
        "book.image_tables.worth": {"table": m["image runs"].accuracies, "column": "accuracy"},
        "book.image_tables.by_ending": {
            "runs": m["image runs"],
            "knob": "kappa",
            "value": 0.25,
            "column": "accuracy",
        },
        "book.image_tables.grid_in_words": {"runs": m["image runs"]},
        "book.image_tables.loss_table": {"compared": m["by loss"], "name": "tab-a", "caption": "b"},
        "book.image_tables.apart_by_loss": {"compared": m["by loss"]},
        "book.image_tables.apart_from_published": {"table": m["image runs"].accuracies},
        "book.image_tables.pretraining_epochs": {"runs": m["image runs"], "knob": "kappa", "value": 0.25},
        "book.image_tables.ended_by_the_cap": {"runs": m["image runs"]},
        "book.image_claims.decisive": {
            "table": m["accuracies"],
            "knob": "kappa",
            "column": "accuracy",
            "falls": 1,
        },
        "book.image_claims.intermediate": {"table": m["accuracies"]},
        "book.image_claims.accuracy_claim": {
            "table": m["image runs"].accuracies,
            "knob": "kappa",
            "place": "tab-a",
            "images": "",
        },
        "book.image_claims.dimension_claim": {
            "table": m["image runs"].representations,
            "place": "tab-a",
            "images": "",
        },
        "book.image_claims.signature_claim": {
            "runs": m["signature"],
            "knob": "kappa",
            "place": "tab-a",
            "images": "",
        },
        "book.image_claims.nearness": {"runs": m["signature"]},
        "book.image_claims.from_one": {"runs": m["image runs"]},
        "book.image_claims.published_claims": {
            "runs": m["image runs"],
            "accuracy_at": "tab-a",
            "dimension_at": "tab-b",
            "signature_at": "fig-c",
            "images": "",
        },
        "book.image_claims.signature_slopes": {
            "representations": m["image runs"].representations,
            "measured_on": vision.MEASURED_ON[0],
        },
        "book.image_claims.conventions_table": {
            "slopes": m["slopes"],
            "name": "tab-a",
            "caption": "b",
            "digits": 1,
        },
        "book.image_claims.whole_signatures": {"slopes": m["slopes"]},
        "book.image_claims.published_trends": {"runs": m["image runs"]},
        "book.image_claims.moved": {
            "runs": m["image runs"],
            "other": m["image runs"],
            "knob": "kappa",
            "measure": "accuracy",
        },
        "book.image_claims.causes_table": {
            "owed": {"CIFAR-10": image_claims.published_trends(m["image runs"])},
            "others": {"same": {"CIFAR-10": [(m["image runs"], m["image runs"])]}},
            "measure": "accuracy",
            "name": "tab-a",
            "caption": "b",
        },
        "book.image_claims.wrong_answers": {"table": m["accuracies"], "knob": "kappa"},
        "book.image_controls.controls_of": {"table": m["controls"].accuracies},
        "book.image_controls.changes": {"runs": m["controls"], "knob": "kappa", "value": 0.25},
        "book.image_controls.controls_table": {"runs": m["controls"], "name": "tab-a", "caption": "b"},
        "book.image_controls.rate_claim": {
            "runs": m["controls"],
            "reference": m["image runs"],
            "place": "tab-a",
            "images": "",
        },
        "book.image_controls.length_claim": {
            "runs": m["controls"],
            "reference": m["image runs"],
            "place": "tab-a",
            "images": "",
        },
        "book.claims.bounded": {"value": 0.1, "bound": 0.2},
        "book.claims.claims_table": {"claims": [claim("a", "b", "c", "d", CASES)], "name": "tab-a", "caption": "b"},
        "book.computed_text.listed": {"words": ["a"], "none": "none"},
        "book.computed_text.stretches": {"holds": np.array([True, False]), "at": ALPHA},
        "book.computed_text.either": {"holds": True, "yes": "a", "no": "b"},
        "book.computed_text.paragraph": {"holds": True, "text": "a"},
        "book.testbeds.diagonal_testbed": {"table": STORED, "task": "nested"},
        "book.testbeds.modular_testbed": {"table": m["modular runs"], "network": "quadratic", "task": "reuse"},
        "book.testbeds.finding": {"table": m["accuracies"].assign(error=0.5), "knob": "kappa"},
        "book.testbeds.findings": {"beds": {("a", "b"): m["accuracies"].assign(error=0.5)}},
        "book.testbeds.comparison": {"beds": {("a", "b"): m["accuracies"].assign(error=0.5)}, "name": "tab-a"},
        "book.tables.numbered": {"rows": [{"a": 1}], "name": "tab-a", "caption": "b"},
        "book.tables.checks": {"measured": [CHECK], "name": "tab-a", "caption": "b"},
    }


# --- who is not asked -------------------------------------------------------------------------------------------------

# what functions return: their fields are results, which nobody types
RECORDS = """amp.Message amp.StateEvolution end_point.EndPoint network.TrainingRun regimes.Measures
regimes.PhasePortrait replica.AngleNodes replica.Moments replica.MixtureRows replica.ReplicaCurve
monte_carlo.MonteCarloCurve two_stages.TwoStageCurve optimal_initialization.Choice
optimal_initialization.BestInitialization
optimal_initialization.Landscape scaling.Exponent simulation.SimulatedPoint simulation.TwoStagePoint
agreement.Comparison
agreement.TwoStageComparison stopping_rule.StoppedPoint stopping_rule.StoppedAverages
stopping_rule.BesideRidge real_tasks.RealTasks two_theories.BothLosses
experiments.Panel teachers.Teacher infinite_width.particles.Particles infinite_width.dmft.Run infinite_width.dmft.System
infinite_width.dmft.NumpySystem infinite_width.network.TorchSystem vision.replay.Replayed
infinite_width.linear.MeasuredLoss
infinite_width.linear.LinearRun infinite_width.kernel_transfer.LinearFeatures infinite_width.rich_transfer.Law
infinite_width.outcomes.RichTransferPoint infinite_width.outcomes.Offset infinite_width.outcomes.LawDistances
modular.training.ModularRun modular.theory.PretrainedLaw
modular.protocol.ModularProtocol checks.penalty_shape.Derivatives monte_carlo.Diagnostics
figures.adapted_kernels.Line figures.data.Look figures.scaling.Curve figures.two_stages.ErrorPanel
figures.two_theories.BothCurves
vision.data.Dataset vision.data.Split vision.protocol.Point vision.training.Training
trends.Effect book.testbeds.Finding book.image_tables.ImageRuns""".split()
# the inner loops, whose docstrings say that nothing is checked
UNCHECKED = """amp.iterates penalties.signed_angle penalties.penalty_at_angle penalties.inverse_curvature
penalties.prox_angle penalties.prox_point penalties.prox_slopes replica.angle_nodes
replica.scalar_moments replica.effective_regularisation end_point.newton monte_carlo.iterate_once
infinite_width.particles.activate""".split()
NO_ARGUMENTS = (
    "experiments.both_stages",
    "experiments.figure_3",
    "experiments.figure_5",
    "experiments.trends",
    "book.testbeds.image_testbeds",
    "book.testbeds.every_testbed",
    "figures.page_style.style",
    "infinite_width.rich_transfer.numbers",
)
# what is tried where its files are damaged, its options mistyped or its cells changed, and the checks themselves
ELSEWHERE = (
    *("extras.", "files.", "sweeps.", "validation."),
    *("infinite_width.stored_runs.", "vision.checkpoints.", "vision.image_folders."),
    *("book.claims.", "book.computed_text.", "book.parameters.", "book.results.", "book.sliders.", "book.tables."),
)


def public_names():
    found = {}
    for module in modules():
        for name, thing in public(module).items():
            found[f"{module}.{name}".removeprefix("ptft.")] = thing
    return found


def named(path):
    """The function, class or method of a name."""
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = "ptft." + ".".join(parts[:cut])
        if module in modules():
            break
    thing = public(module)[parts[cut]]
    for name in parts[cut + 1 :]:
        method = inspect.getattr_static(thing, name)
        thing = getattr(thing if isinstance(method, classmethod) else MADE_BY_HAND[parts[cut]], name)
    return thing


def test_every_public_function_is_tried():
    listed = {*examples()} | {*RECORDS, *UNCHECKED, *NO_ARGUMENTS}
    asked = {name for name in public_names() if not name.startswith(ELSEWHERE)}
    assert asked - listed == set()
    assert {*RECORDS, *UNCHECKED, *NO_ARGUMENTS} - set(public_names()) == set()


@pytest.mark.parametrize("name", UNCHECKED)
def test_what_checks_nothing_says_so(name):
    assert "unchecked" in inspect.getdoc(public_names()[name])


def trial(function, arguments, name, bad):
    """What is wrong with the answer to a bad value, or nothing."""
    try:
        function(**{**arguments, name: bad})
    except ValueError as error:
        return "" if name in str(error) else f"does not name it: {error}"
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    return "accepts it"


def fitting(estimator):
    """An estimator checks its parameters when it is fitted, as scikit-learn wants it."""
    return lambda **parameters: estimator(**parameters).fit(INPUTS, INPUTS[:, 0])


def tried(path):
    """Number of bad values put in the place of the arguments of one function, and those that were not refused."""
    function, arguments, wrong, count = named(path), examples()[path], [], 0
    parameters = inspect.signature(function).parameters
    if isinstance(function, type) and issubclass(function, BaseEstimator):
        function = fitting(function)
    for name, example in arguments.items():
        parameter = parameters[name]
        drawn = hasattr(function, "__wrapped__") and "ndarray" in str(parameter.annotation)
        loose = drawn or name in ("theory", "measured", "unit", "outcomes", "holds")  # truth values, or missing numbers
        for bad in bad_values(example, parameter, loose):
            count += 1
            if answer := trial(function, arguments, name, bad):
                wrong.append(f"{path}({name}={str(bad)[:60]!r} {type(bad).__name__}) {answer[:160]}")
    return count, wrong


def test_bad_arguments_are_refused_by_name():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = {path: tried(path) for path in examples()}
    wrong = [line for _, lines in results.values() for line in lines]
    assert wrong == []
    assert sum(count for count, _ in results.values()) > 2000
