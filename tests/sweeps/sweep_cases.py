"""Every sweep with a tiny plan, for the tests that run over all of them; to add a sweep, add a `Case`.

The functions below are what processes of their own are given to do; a process that calls `tiny` has the tiny numbers.
"""

import argparse
import importlib.util
import os
import signal
import time
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

from ptft.sweeps import engine


@dataclass(frozen=True)
class Case:
    """A sweep: options of a plan of a second or less, of a larger one, and bad ones with what is said of them."""

    name: str
    options: tuple[str, ...]
    more: tuple[str, ...]  # appended, they make the plan larger
    twice: tuple[str, ...]  # the options, with something given twice
    stored: tuple[str, ...]  # its tables in book/results
    bad: tuple[tuple[tuple[str, ...], str], ...]  # options, appended or instead of the first, and the message
    torch: bool = False
    others: tuple[str, ...] = ()  # tables of the same kinds in folders of book/results, of other plans


CASES = (
    Case(
        "diagonal",
        ("experiment-4", "--d", "60", "--seeds", "1", "--alphas", "2", "--batch", "4"),
        ("--seeds", "2"),
        ("experiment-4", "--d", "60", "60", "--seeds", "1", "--alphas", "2", "--batch", "4"),
        ("simulations.parquet",),
        (
            (
                ("experiment-5",),
                "name = 'experiment-5' is not allowed: it must be one of experiment-1, experiment-2",
            ),
            (("--d", "0"), "d = 0 is not allowed: it must be at least 1"),
            (
                ("--d", "40"),
                "alpha = 0.01 is not allowed: it must be such that n = round(alpha d) is between 1 and d = 40",
            ),
            (("--seeds", "0"), "--seeds = 0 is not allowed: it must be at least 1"),
            (("--first-seed", "-1"), "seeds = -1 is not allowed: it must be at least 0"),
            (("--alphas", "0"), "--alphas = 0 is not allowed: it must be at least 1"),
            (("--batch", "0"), "--batch = 0 is not allowed: it must be at least 1"),
        ),
    ),
    Case(
        "two-stages",
        ("--d", "20", "--seeds", "1"),
        ("--seeds", "2"),
        ("--d", "20", "20", "--seeds", "1"),
        ("two_stages.parquet",),
        (
            (("--d", "10"), "d = 10 is not allowed: it must be at least 20"),
            (("--seeds", "0"), "--seeds = 0 is not allowed: it must be at least 1"),
            (("--first-seed", "-1"), "seeds = -1 is not allowed: it must be at least 0"),
        ),
    ),
    Case(
        "scaling-laws",
        ("--d", "60", "--sizes", "5", "6", "7", "--seeds", "1"),
        ("--seeds", "2"),
        ("--d", "60", "--sizes", "5", "6", "7", "5", "--seeds", "1"),
        ("scaling_laws.parquet",),
        (
            (("--d", "1"), "d = 1 is not allowed: it must be at least 2"),
            (("--sizes", "60"), "sizes = 60 is not allowed: it must be at least 1 and at most 59"),
            (("--seeds", "0"), "--seeds = 0 is not allowed: it must be at least 1"),
            (("--first-seed", "-1"), "seeds = -1 is not allowed: it must be at least 0"),
        ),
    ),
    Case(
        "monte-carlo",
        ("experiment-4", "--samples", "1000", "--alphas", "1"),
        ("--seeds", "2"),
        ("experiment-4", "experiment-4", "--samples", "1000", "--alphas", "1"),
        ("monte_carlo.parquet",),
        (
            (("experiment-5",), "name = 'experiment-5' is not allowed"),
            (("--samples", "10"), "samples = 10 is not allowed: it must be at least 1000"),
            (("--alphas", "0"), "alphas = 0 is not allowed: it must be at least 1"),
            (("--seeds", "0"), "--seeds = 0 is not allowed: it must be at least 1"),
            (("--first-seed", "-1"), "seeds = -1 is not allowed: it must be at least 0"),
        ),
    ),
    Case(
        "rich-transfer",
        ("3a", "--draws", "1", "--width", "10"),
        ("--draws", "2"),
        ("3a", "3a", "--draws", "1", "--width", "10"),
        ("rich_transfer.parquet",),
        (
            (("7",), "figure = '7' is not allowed: it must be one of 3a, 3b, 4, 5"),
            (("4", "--dataset", "cifar-7"), "name = 'cifar-7' is not allowed: it must be one of digits, fashion-mnist"),
            (("4", "--source-examples", "1001"), "P1 = 1001 is not allowed: it must be even"),
            (("5", "--source-examples", "400"), "P1 = 400, P2 = 64 and n_test = 100 are not allowed: digits has"),
            (("--draws", "0"), "--draws = 0 is not allowed: it must be at least 1"),
            (("--first-draw", "-1"), "draws = -1 is not allowed"),
            (("--width", "7"), "width = 7 is not allowed: it must be even"),
            (("--kinds", "guess"), "kinds = 'guess' is not allowed: it must be one of theory, network"),
            (("--device", "abacus"), "device = 'abacus' is not allowed"),
        ),
        others=("cifar_10/rich_transfer.parquet", "cifar_10/larger_source/rich_transfer.parquet"),
    ),
    Case(
        "adapted-kernels",
        ("--widths", "20", "--draws", "2"),
        ("--widths", "20", "30"),
        ("--widths", "20", "20", "--draws", "2"),
        ("adapted_kernels.parquet",),
        (
            (("--widths", "21"), "widths = 21 is not allowed: it must be even"),
            (("--draws", "0"), "--draws = 0 is not allowed: it must be at least 1"),
            (("--first-draw", "-1"), "seeds = -1 is not allowed"),
            (("--dataset", "mnist-1d"), "name = 'mnist-1d' is not allowed"),
        ),
        torch=True,
        others=("cifar_10/adapted_kernels.parquet",),
    ),
    Case(
        "vision",
        tuple(
            "--seeds 1 --sizes 4 10 --knobs gamma=0.1 --test-images 10 --size 8 --precision float32 "
            "--pretraining-images 40 --pretraining-cap 1 --fine-tuning-cap 1".split()
        ),
        ("--knobs", "gamma=0.1,3"),
        tuple(
            "--seeds 1 --sizes 4 10 4 --knobs gamma=0.1,0.1 --test-images 10 --size 8 --precision float32 "
            "--pretraining-images 40 --pretraining-cap 1 --fine-tuning-cap 1".split()
        ),
        ("vision.parquet", "representations.parquet"),
        (
            (("--dataset", "cifar-7"), "--dataset = 'cifar-7' is not allowed: it must be one of digits, fashion-mnist"),
            (("--dataset", "cifar-10", "--root", "{folder}/none"), "cifar-10 is not in {folder}/none"),
            (("--pretraining-images", "5000"), "pretraining_images = 5000 is not allowed: there are"),
            (("--seeds", "0"), "--seeds = 0 is not allowed: it must be at least 1"),
            (("--first-seed", "-1"), "seed = -1 is not allowed: it must be at least 0"),
            (("--knobs", "delta"), "--knobs = 'delta' is not allowed: it must be one of kappa, c, gamma, weights"),
            (("--knobs", "c=2,1"), "--knobs c=2,1 is not allowed: its values must be positive numbers other than 1"),
            (("--knobs", "c=two"), "--knobs c=two is not allowed"),
            (("--sizes", "10", "100000"), "n = 100000 is not allowed: it must be between 2 and"),
            (("--pretraining-loss", "-1"), "--pretraining-loss = -1. is not allowed: it must be positive"),
            (("--fine-tuning-cap", "-1"), "--fine-tuning-cap = -1 is not allowed: it must be at least 0"),
            (("--precision", "float8"), "--precision = 'float8' is not allowed"),
            (("--device", "abacus"), "device = 'abacus' is not allowed"),
            (("--images", "{folder}/none"), "there is no folder {folder}/none"),
            (("--images", "{folder}"), "{folder} has 1 class: at least 2 are needed"),
            (
                ("--images", "{folder}", "--root", "x"),
                "--root = 'x' is not allowed: it must be left out where --images",
            ),
            (("--label", "fine"), "--label = 'fine' is not allowed: it must be left out where --images is not given"),
            (("--size", "0"), "size = 0 is not allowed"),
            (("--pretraining-classes", "9"), "n_pt = 9 is not allowed: it must be at least 2 and at most 8"),
            (("--fine-tuning-classes", "9"), "n_classes = 10 is not allowed: it must be at least 11"),
            (("--images-per-class", "200"), "images_per_class = 200 is not allowed: class '"),
            (("--held-out", "0"), "held_out = 0 is not allowed: it must be at least 1"),
        ),
        torch=True,
    ),
    Case(
        "modular",
        tuple("--networks quadratic --seeds 1 --sizes 6 8 --relations reuse".split()),
        ("--seeds", "2"),
        tuple("--networks quadratic --seeds 1 --sizes 6 8 6 --relations reuse".split()),
        ("modular.parquet",),
        (
            (
                ("--networks", "diagonal"),
                "networks = 'diagonal' is not allowed: it must be one of quadratic",
            ),
            (("--relations", "old"), "relations = 'old' is not allowed: it must be one of nested, reuse, new"),
            (("--sizes", "10", "9999"), "sizes = 9999 is not allowed: it must be at least 1 and at most"),
            (("--seeds", "0"), "--seeds = 0 is not allowed: it must be at least 1"),
            (("--first-seed", "-1"), "seeds = -1 is not allowed: it must be at least 0"),
            (("--device", "abacus"), "device = 'abacus' is not allowed"),
        ),
        torch=True,
    ),
    Case(
        "your-own-data",
        tuple("--tables wine --sizes 10 --seeds 3 --ridges 2".split()),
        ("--seeds", "4"),
        tuple("--tables wine wine --sizes 10 --seeds 3 --ridges 2".split()),
        ("your_own_data.parquet",),
        (
            (("--tables", "beer"), "tables = 'beer' is not allowed: it must be one of diabetes, wine"),
            (("--sizes", "15", "70"), "n = 70 is not allowed: it must be at least 10 and at most 69"),
            (("--kinds", "guess"), "kinds = 'guess' is not allowed: it must be one of measured, theory"),
            (("--seeds", "0"), "--seeds = 0 is not allowed: it must be at least 1"),
            (("--first-seed", "-1"), "seeds = -1 is not allowed: it must be at least 0"),
            (("--ridges", "1"), "ridges = 1 is not allowed: it must be at least 2"),
        ),
    ),
)


def tiny():
    """Small numbers for what is slow with its own: a name, a key and a value for each change."""
    from ptft.infinite_width.rich_transfer import GAUSSIAN, STARTS
    from ptft.sweeps import adapted_kernels, two_stages

    one_of_each = {label: settings[:1] for label, settings in two_stages.experiments.both_stages().items()}
    two_stages.experiments = SimpleNamespace(
        both_stages=lambda: one_of_each, predict_two_stages=two_stages.experiments.predict_two_stages
    )
    small = {"D": 6, "P1": 12, "P2": (4,), "gamma_2": (0.5, 1.0), "n_test": 5, "t_end": 4.0, "tolerance": 1e-9}
    GAUSSIAN["3a"] = replace(GAUSSIAN["3a"], starts=STARTS[:3], **small)
    adapted_kernels.SETTING.update(P_2=(4,), pool=8, draws=2)
    adapted_kernels.P_1, adapted_kernels.GAMMA_1 = (4,), (0.0, 1.0)
    if importlib.util.find_spec("torch"):
        from ptft import vision
        from ptft.modular.protocol import PROTOCOLS

        vision.DIGITS = replace(vision.DIGITS, n_measured=4)
        few = {"knobs": (("kappa", (0.5, 2.0)), ("c", (2.0,)), ("gamma", (2.0,))), "cells": (("reuse", 1),)}
        PROTOCOLS["quadratic"] = replace(PROTOCOLS["quadratic"], p=5, width=4, size_pt=1, cap_pt=20, cap_ft=20, **few)


def module_of(case):
    return importlib.import_module(f"ptft.sweeps.{case.name.replace('-', '_')}")


def planned(case, options=None):
    """The sweep and the plan that options ask for."""
    parser = argparse.ArgumentParser()
    module_of(case).add_arguments(parser)
    return module_of(case).planned(parser.parse_args(list(case.options if options is None else options)))


def tiny_first(depends_on):
    """What a result depends on, in a process that has the tiny numbers from now on."""
    tiny()
    return depends_on()


def dying(solve, parent, points, prepared, **where):
    """A worker that is killed: it runs out of memory, say."""
    assert os.getpid() != parent
    os.kill(os.getpid(), signal.SIGKILL)


def elsewhere(sweep, solve=None):
    """The sweep for processes that do not share this one's memory."""
    return replace(
        sweep, depends_on=partial(tiny_first, sweep.depends_on), solve=sweep.solve if solve is None else solve
    )


def slow_command(arguments):
    """The command, which takes its time for each unit, else it might be done before it is killed."""
    from ptft.sweeps.__main__ import main

    tiny()
    store = engine.store

    def storing(sweep, *args, **kwargs):
        def slowly(points, prepared, **where):
            done = sweep.solve(points, prepared, **where)
            time.sleep(0.2)
            return done

        return store(replace(sweep, solve=slowly), *args, **kwargs)

    engine.store = storing
    raise SystemExit(main(arguments))
