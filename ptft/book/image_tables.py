"""Stored runs on images, and what the chapters on them show of each set: its protocol, its costs, its differences.

Differences of accuracies are in per cent of all answers, paired over class splits.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ptft import trends, vision
from ptft.book.claims import MARKS
from ptft.book.computed_text import listed
from ptft.book.results import IMAGES, accelerators, results_file
from ptft.book.tables import MarkdownTable, numbered
from ptft.extras import needs_extra
from ptft.figures.vision import ENOUGH, SYMBOLS
from ptft.sweeps.vision import SWEEP
from ptft.validation import checked, one_of, require

with needs_extra("vision", __name__):
    import pandas as pd

LETTERS = {"kappa": "κ", "c": "c", "gamma": "γ", "weights": "s"}  # of the knobs, in words that are computed
CLASSES = dict.fromkeys(vision.DATASETS, 10) | {"cifar-100": 100}
PUBLISHED_PROTOCOL = {  # Section 6 and Appendix D, by the parts of `protocol_parts`; the cap is from the public code
    "images": "CIFAR-100, $32 \\times 32$, colour",
    "classes, pretraining and fine-tuning": "98 + 2",
    "pretraining images": "49,000",
    "test images, of the two classes": "all",
    "fine-tuning images $n$": "10 to 1000",
    "network": "resnet18 of torchvision, unmodified",
    "optimizer": "SGD, rate 0.001, momentum 0.9, batches of $\\min(n, 128)$",
    "pretraining ends at a mean loss of an epoch below": "0.01",
    "fine-tuning ends below": "0.0001, or after 1000 epochs",
    "arithmetic": "not stated",
    "class splits": "30 to 50",
}


@dataclass(frozen=True)
class ImageRuns:
    """The two tables of a sweep of `ptft.sweeps.vision`, and their provenance."""

    accuracies: pd.DataFrame
    representations: pd.DataFrame
    provenance: Mapping[str, Any]

    @property
    def protocol(self) -> vision.Protocol:
        """By which they were trained."""
        return vision.Protocol.of_record(self.provenance["protocol"])

    @property
    def images(self) -> str:
        """The name of the set of images."""
        return IMAGES.get(self.protocol.dataset, self.protocol.dataset)

    @property
    def pretrainings(self) -> pd.DataFrame:
        """How long each pretraining took and how it ended, one row each."""
        return pd.DataFrame(self.provenance["pretrainings"])

    @property
    def splits(self) -> int:
        """The number of class splits."""
        return int(self.accuracies["seed"].nunique())

    @property
    def source(self) -> int:
        """The number of pretraining images."""
        return int(self.provenance["pretrainings"][0]["pretraining_images"])

    @property
    def classes(self) -> int:
        """The number of pretraining classes."""
        images = self.provenance.get("images")
        every = len(images["classes"]) if images else CLASSES[self.protocol.dataset]
        return self.protocol.n_pt or every - self.protocol.n_ft

    @property
    def tested(self) -> int:
        """The number of test images of the fine-tuning classes."""
        protocol = self.protocol
        if protocol.n_test:
            return protocol.n_test
        return int(protocol.n_ft * (protocol.held_out + min(self.provenance["images"]["test_images"])))


@checked
def stored_runs(folder: str = ".") -> ImageRuns:
    """The runs that lie in a folder of the book's stored results; in the first one, those on clothes.

    Raises
    ------
    FileNotFoundError
        If the folder has no such tables.

    Examples
    --------
    >>> stored_runs("cifar_10").images, stored_runs().classes
    ('CIFAR-10', 8)
    """
    tables = [SWEEP.read_table(results_file(f"{folder}/{name}.parquet")) for name in ("vision", "representations")]
    (accuracies, provenance), (representations, _) = tables
    return ImageRuns(accuracies, representations, provenance)


@checked
def protocol_parts(runs: ImageRuns) -> dict[str, str]:
    """The protocol of some runs in words, part by part, as `PUBLISHED_PROTOCOL` has that of the paper.

    Raises
    ------
    ValueError
        If `runs` is no `ImageRuns`.

    Examples
    --------
    >>> parts = protocol_parts(stored_runs("tiny_imagenet"))
    >>> parts["classes, pretraining and fine-tuning"], parts["pretraining images"]
    ('98 + 2', '49,000')
    """
    protocol = runs.protocol
    both = protocol.pretraining  # fine-tuning differs from it in nothing but where it ends
    size = f", resized to {protocol.size} pixels" if protocol.size else ""
    ends = [
        f"{stage.loss_below:g}, or after {stage.max_epochs} epochs"
        for stage in (protocol.pretraining, protocol.fine_tuning)
    ]
    values = (
        runs.images + size,
        f"{runs.classes} + {protocol.n_ft}",
        f"{runs.source:,}",
        f"{runs.tested:,}",
        ", ".join(map(str, vision.sizes_of(runs.accuracies))),
        "resnet18 of torchvision, unmodified",
        f"SGD, rate {both.lr:g}, momentum {both.momentum:g}, batches of $\\min(n, {both.batch})$",
        *ends,
        "16-bit products, 32-bit sums" if both.bf16 else "32 bits",
        f"{runs.splits}",
    )
    return dict(zip(PUBLISHED_PROTOCOL, values, strict=True))


@checked
def effort(runs: ImageRuns) -> str:
    """What some runs took, in words.

    Raises
    ------
    ValueError
        If `runs` is no `ImageRuns`.

    Examples
    --------
    >>> effort(stored_runs("cifar_10")).split(",")[0]
    '5 class splits'
    """
    starts = runs.pretrainings
    seconds = starts["pretraining_seconds"]
    speed = (starts["pretraining_images"] * starts["pretraining_epochs"] / seconds).median()
    hours = (len(starts) * seconds.median() + runs.accuracies["seconds"].sum()) / 3600
    shared = accelerators(runs.provenance)
    worker = f"process, several of which share one {listed(shared)}" if shared else "core"
    return (
        f"{runs.splits} class splits, {len(starts)} pretrainings, {len(runs.accuracies)} fine-tuning runs; "
        f"pretraining: {speed:.0f} images per second and {worker} (median, on a busy machine); "
        f"{'process' if shared else 'core'} hours: {hours:.1f} (pretrainings at their median, as some were paused)"
    )


@checked
def epochs_table(runs: ImageRuns, name: str, images: str = "") -> MarkdownTable:
    """Median epochs of the pretrainings and fine-tunings of some runs, and what ended them.

    Parameters
    ----------
    runs : ImageRuns
    name : str
        The label of the table.
    images : str, default ""
        Words for the caption, such as " on CIFAR-10".

    Raises
    ------
    ValueError
        If `runs` is no `ImageRuns`.

    Examples
    --------
    >>> epochs_table(stored_runs("cifar_10"), "tab-example")
    <table of 11 rows>
    """
    starts, sizes = runs.pretrainings, vision.sizes_of(runs.accuracies)
    rows = []
    for (knob, value), group in runs.accuracies.groupby(["knob", "value"], sort=False):
        start = starts[(starts["knob"] == knob) & (starts["value"] == value)]
        steps, capped = group.groupby("n")["epochs"].median(), start["pretraining_stopped_by"] == "cap"
        rows.append(
            {
                "knob": setting(knob, value),
                "pretraining: epochs": f"{start['pretraining_epochs'].median():g}" if len(start) else "",
                "ended by the cap": f"{100 * capped.mean():.0f} %" if len(start) else "",
                f"fine-tuning: epochs at $n = {sizes[0]}$": f"{steps.iloc[0]:g}",
                f"at $n = {sizes[-1]}$": f"{steps.iloc[-1]:g}",
                "by the cap": f"{100 * (group['stopped_by'] == 'cap').mean():.0f} %",
            }
        )
    return numbered(
        rows,
        name,
        f"Median epochs{images}, and the share of runs that the cap on epochs ended before the loss was reached. "
        "Empty: starts from the pretrained baseline, or is not pretrained.",
    )


@checked
def gain(table: pd.DataFrame, knob: str, value: float, n: int, column: str = "accuracy") -> float:
    """Mean over class splits of the difference from the baseline, in per cent.

    Raises
    ------
    ValueError
        If the table lacks a column or the point.

    Examples
    --------
    >>> points = [(s, k, v, a) for s in range(3) for k, v, a in (("baseline", 1.0, 0.8), ("c", 2.0, 0.7))]
    >>> table = pd.DataFrame(points, columns=["seed", "knob", "value", "accuracy"]).assign(n=10)
    >>> round(gain(table, "c", 2.0, 10), 1)
    -10.0
    """
    return 100 * float(vision.differences(table, knob, value, n, column).mean())


@checked
def mean_gains(table: pd.DataFrame, column: str = "accuracy") -> str:
    """The mean difference of each value of the four knobs from the baseline, averaged over the sizes, in words.

    It is in percentage points.

    Raises
    ------
    ValueError
        If the table lacks a column.

    Examples
    --------
    >>> points = [(s, k, v, a) for s in range(3) for k, v, a in (("baseline", 1.0, 0.8), ("c", 2.0, 0.7))]
    >>> table = pd.DataFrame(points, columns=["seed", "knob", "value", "accuracy"]).assign(n=10)
    >>> mean_gains(table)
    'c = 2: -10.0'
    """
    means = {place: trends.differences_over_sizes(table, *place, column).mean() for place in settings_of(table)}
    return listed([f"{LETTERS[knob]} = {value:g}: {100 * mean:+.1f}" for (knob, value), mean in means.items()])


@checked
def gains_table(table: pd.DataFrame, column: str, name: str, caption: str) -> MarkdownTable | None:
    """Differences from the baseline, one row per value of each knob and one column per number of images.

    Those that Holm's procedure tells from zero among the cells of a knob have the `MARKS`, if there are class splits
    enough for verdicts.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.vision` stores it
    column : one of its accuracies
    name, caption : str
        As in `ptft.book.tables.numbered`.

    Returns
    -------
    MarkdownTable, or None if the table has no knob

    Raises
    ------
    ValueError
        If the table lacks a column.

    Examples
    --------
    >>> gains_table(stored_runs("cifar_10").accuracies, "accuracy", "tab-example", "Gains.")
    <table of 9 rows>
    """
    rows = []
    for knob in vision.knobs_of(table):
        effects, looks = vision.gains(table, knob, column), dict.fromkeys(MARKS, "{}")
        if table["seed"].nunique() >= ENOUGH:
            effects, looks = dict(zip(effects, trends.holm(effects.values()), strict=True)), MARKS
        for value in dict.fromkeys(value for value, _ in effects):
            found = {n: effects[value, n] for n in vision.sizes_of(table)}
            cells = {f"$n = {n}$": looks[one.verdict].format(one) for n, one in found.items()}
            rows.append({"knob": setting(knob, value), **cells})
    return numbered(rows, name, caption) if rows else None


@checked
def setting(knob: str, value: float) -> str:
    """A value of a knob as the tables name it; the baseline and that without pretraining in words.

    Raises
    ------
    ValueError
        If there is no such knob.

    Examples
    --------
    >>> setting("c", 2.0), setting("epochs", 30.0), setting(*vision.UNTRAINED)
    ('$c$ = 2', '`epochs` = 30', 'not pretrained')
    """
    in_words = {vision.BASELINE[0]: "baseline", vision.UNTRAINED[0]: "not pretrained"}
    one_of(knob, "knob", (*vision.KNOBS, *vision.CONTROLS, *in_words))
    return in_words.get(knob) or f"{SYMBOLS.get(knob, f'`{knob}`')} = {value:g}"


@checked
def settings_of(table: pd.DataFrame) -> list[tuple[str, float]]:
    """The knobs of a table and their values other than 1.

    Raises
    ------
    ValueError
        If the table lacks a column.

    Examples
    --------
    >>> settings_of(pd.DataFrame({"knob": ["baseline", "c", "untrained"], "value": [1.0, 2.0, 0.0]}))
    [('c', 2.0)]
    """
    return [(knob, v) for knob in vision.knobs_of(table) for v in vision.values_of(table, knob) if v != 1]


@checked
def grid_in_words(runs: ImageRuns) -> str:
    """The knobs, values and numbers of images of some runs.

    Raises
    ------
    ValueError
        If `runs` is no `ImageRuns`.

    Examples
    --------
    >>> grid_in_words(stored_runs("tiny_imagenet/stricter"))
    'κ = 0.25, c = 2 and γ = 0.1, 3, at 10, 100, 500 images'
    """
    sizes = ", ".join(map(str, vision.sizes_of(runs.accuracies)))
    return f"{listed(in_words(settings_of(runs.accuracies)))}, at {sizes} images"


@checked
def in_words(settings: Iterable[tuple[str, float]]) -> list[str]:
    """Values of the four knobs as a sentence has them, those of a knob together.

    Raises
    ------
    ValueError
        If there is no such knob.

    Examples
    --------
    >>> in_words([("kappa", 0.1), ("kappa", 0.25), ("c", 2.0)])
    ['κ = 0.1, 0.25', 'c = 2']
    """
    of_knobs: dict[str, list[str]] = {}
    for knob, value in settings:
        of_knobs.setdefault(one_of(knob, "knob", tuple(LETTERS)), []).append(f"{value:g}")
    return [f"{LETTERS[knob]} = {', '.join(values)}" for knob, values in of_knobs.items()]


def _all_settings(table: pd.DataFrame) -> list[tuple[str, float]]:
    """`settings_of`, and that without pretraining where the table has it."""
    return settings_of(table) + [vision.UNTRAINED] * bool((table["knob"] == vision.UNTRAINED[0]).any())


@checked
def by_loss(runs: ImageRuns, longer: ImageRuns) -> dict[float, pd.DataFrame]:
    """Runs at the points that others, which were fine-tuned to a smaller loss, have as well, and these, by the loss.

    Raises
    ------
    ValueError
        If `longer` does not end at a smaller loss, or they have no point in common.

    Examples
    --------
    >>> compared = by_loss(stored_runs(), stored_runs("stricter"))
    >>> list(compared), len({len(table) for table in compared.values()})
    ([0.01, 0.001], 1)
    """
    early, late = (one.protocol.fine_tuning.loss_below for one in (runs, longer))
    require(late < early, "longer", f"runs to a loss of {late:g}", f"runs to a smaller loss than {early:g}")
    both = trends.common_points([runs.accuracies, longer.accuracies])
    require(len(both[0]) > 0, "longer", "of none of its points", "of some points that `runs` has")
    return dict(zip((early, late), both, strict=True))


@checked
def loss_table(compared: Mapping[float, pd.DataFrame], name: str, caption: str) -> MarkdownTable:
    """Differences from the baseline by the loss at which fine-tuning ends, one row per setting and number of images.

    ‡ marks those whose runs, or the baseline's, the cap on epochs ended above that loss, and is explained in the
    caption.

    Parameters
    ----------
    compared : mapping
        As `by_loss` returns it.
    name, caption : str
        As in `ptft.book.tables.numbered`.

    Raises
    ------
    ValueError
        If a table lacks a point.

    Examples
    --------
    >>> loss_table(by_loss(stored_runs(), stored_runs("stricter")), "tab-example", "Two losses.")
    <table of 8 rows>
    """
    require(len(compared) > 0, "compared", dict(compared), "one table at least")
    *_, longer = compared.values()
    rows, capped = [], {loss: _capped(table) for loss, table in compared.items()}
    for (knob, value), n in itertools.product(_all_settings(longer), vision.sizes_of(longer)):
        rows.append({"setting": setting(knob, value), "$n$": str(n)})
        for column, how in (("accuracy", ""), ("accuracy_recalibrated", ", recalibrated")):
            for loss, table in compared.items():
                effect = vision.paired_effect(vision.differences(table, knob, value, n, column), 1)
                mark = " ‡" if {(knob, value, n), (*vision.BASELINE, n)} & capped[loss] else ""
                rows[-1][f"loss {loss:g}{how}"] = f"{effect}{mark}"
    marked = any(cell.endswith("‡") for row in rows for cell in row.values())
    note = " ‡: the cap on epochs ended some of these runs, or of the baseline's, above that loss." if marked else ""
    return numbered(rows, name, f"{caption}{note}")


@checked
def apart_by_loss(compared: Mapping[float, pd.DataFrame]) -> str:
    """How far the mean differences as trained and recalibrated lie apart at most, by the loss and in words.

    Raises
    ------
    ValueError
        If a table lacks a point.

    Examples
    --------
    >>> print(apart_by_loss(by_loss(stored_runs(), stored_runs("stricter"))).partition(" ")[2].split(" and ")[0])
    per cent apart at a loss of 0.01
    """
    require(len(compared) > 0, "compared", dict(compared), "one table at least")
    *_, longer = compared.values()
    places = [(*place, n) for place in _all_settings(longer) for n in vision.sizes_of(longer)]
    require(len(places) > 0, "compared", "without a setting besides the baseline", "one setting at least")
    said = []
    for loss, table in compared.items():
        apart = (gain(table, *place) - gain(table, *place, "accuracy_recalibrated") for place in places)
        said.append(f"{max(map(abs, apart)):.1f} per cent apart at a loss of {loss:g}")
    return listed(said)


@checked
def apart_from_published(table: pd.DataFrame) -> str:
    """Mean distance of the means by s and n from the published ones in per cent, by the way of measuring, in words.

    Raises
    ------
    ValueError
        If the table lacks a column, or has none of the published points.

    Examples
    --------
    >>> print(apart_from_published(stored_runs("tiny_imagenet").accuracies).rsplit(" ", 1)[1])
    recalibrated
    """
    ways = vision.ACCURACIES.items()
    return listed([f"{100 * vision.distance_from_published(table, column):.1f} {how}" for column, how in ways])


@checked
def by_ending(runs: ImageRuns, knob: str, value: float, column: str = "accuracy") -> dict[str, trends.Effect]:
    """Difference from the baseline, averaged over sizes, by whether pretraining reached its loss or the cap ended it.

    Returns
    -------
    dict
        An effect over the class splits for "loss" and for "cap", as far as there are any.

    Raises
    ------
    ValueError
        If nothing was pretrained at that value of the knob.

    Examples
    --------
    >>> list(by_ending(stored_runs("cifar_10"), "kappa", 0.25))
    ['loss']
    """
    table, found = runs.accuracies, {}
    for ending, part in _pretrained_at(runs, knob, value).groupby("pretraining_stopped_by", sort=False):
        of_splits = table[table["seed"].isin(part["seed"])]
        found[str(ending)] = trends.effect(trends.differences_over_sizes(of_splits, knob, value, column))
    return found


def _pretrained_at(runs: ImageRuns, knob: str, value: float) -> pd.DataFrame:
    """The pretrainings at a value of a knob, of which there must be one."""
    starts = runs.pretrainings
    chosen = starts[(starts["knob"] == knob) & (starts["value"] == value)]
    require(len(chosen) > 0, "knob, value", (knob, value), "one that was pretrained")
    return chosen


def _capped(table: pd.DataFrame) -> set[tuple[str, float, int]]:
    """The knobs, values and sizes of which the cap on epochs ended a run."""
    return {*table.loc[table["stopped_by"] == "cap", ["knob", "value", "n"]].itertuples(index=False, name=None)}


@checked
def pretraining_epochs(runs: ImageRuns, knob: str, value: float) -> float:
    """Median number of epochs of the pretrainings at a value of a knob.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> runs = stored_runs()
    >>> pretraining_epochs(runs, "kappa", 0.25) > pretraining_epochs(runs, *vision.BASELINE)
    True
    """
    return float(_pretrained_at(runs, knob, value)["pretraining_epochs"].median())


@checked
def worth(table: pd.DataFrame, column: str = "accuracy") -> float:
    """What pretraining is worth: the baseline less the network without pretraining, over all sizes and class splits.

    Raises
    ------
    ValueError
        If the table lacks a column, or has no network without pretraining.

    Examples
    --------
    >>> worth(stored_runs("tiny_imagenet").accuracies) > worth(stored_runs("tiny_imagenet/smaller").accuracies)
    True
    """
    return -float(trends.differences_over_sizes(table, *vision.UNTRAINED, column).mean())


@checked
def ended_by_the_cap(runs: ImageRuns) -> str:
    """How many pretrainings at which value of a knob the cap on epochs ended, and at which losses, in words.

    Those that were to last a number of epochs, a control, are left out, as they end there whatever their loss.

    Raises
    ------
    ValueError
        If `runs` is no `ImageRuns`.

    Examples
    --------
    >>> ended_by_the_cap(stored_runs("cifar_10"))
    'none'
    """
    starts = runs.pretrainings
    capped = starts[(starts["pretraining_stopped_by"] == "cap") & (starts["knob"] != "epochs")]
    if capped.empty:
        return "none"
    letters = LETTERS | {"kappa_rate": "the learning rate of κ"}
    names = {
        place: f"{letters[place[0]]} = {place[1]:g}" if place[0] in letters else "the baseline"
        for place in zip(capped["knob"], capped["value"], strict=True)
    }
    said = [
        f"{count} with {names[place]}" for place, count in capped.value_counts(["knob", "value"], sort=False).items()
    ]
    losses = " to ".join(f"{loss:.4f}" for loss in (capped["pretraining_loss"].min(), capped["pretraining_loss"].max()))
    return f"{listed(said)}, at losses of {losses}"
