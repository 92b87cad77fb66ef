"""Networks on modular arithmetic: what gradient flow conserves, and what pretraining leaves (`ptft.modular.theory`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ptft.checks.identities import Check, relative
from ptft.modular.group import characters, power_by_frequency, power_of_sums, share
from ptft.modular.networks import Examples, QuadraticNetwork, scaled
from ptft.modular.tasks import ScalarTask
from ptft.modular.theory import (
    PretrainedLaw,
    closed_pretraining,
    conserved,
    costs,
    least_power,
    needed_products,
    quadratures,
    strengths,
)
from ptft.modular.training import flat_weights, train
from ptft.validation import checked, positive_number

ADAM_RATE = 1e-3  # of the checks


@checked
def conservation(start: QuadraticNetwork, end: QuadraticNetwork) -> Check:
    """|u|^2 + |w|^2 - 2 v^2 and sum u - sum w of each neuron are the same at two moments of a gradient flow (proved).

    Examples
    --------
    >>> from ptft.modular import ScalarTask, examples, new_quadratic, train
    >>> start = new_quadratic(5, 8)
    >>> run = train(start, examples(ScalarTask(5, (1,), (0.0,)).table, range(9)), "flow")
    >>> conservation(start, run.network).holds
    True
    """
    return Check("drift of a neuron's balance or of its difference of sums", conserved(start), conserved(end), 1e-8)


@checked
def still_beside(start: QuadraticNetwork, end: QuadraticNetwork, frequencies: Iterable[int]) -> Check:
    """The embedding at all other frequencies is the same after pretraining of a closed network on these (proved).

    Examples
    --------
    >>> from ptft.modular import ScalarTask, examples, train
    >>> from ptft.modular.theory import closed_network
    >>> task = ScalarTask(5, (1,), (0.3,))
    >>> start = closed_network(task, kappa=0.5)
    >>> still_beside(start, train(start, examples(task.table), "flow", 1e-4).network, [1]).holds
    True
    """
    basis, of = characters(start.p)
    outside = basis[~np.isin(of, list(frequencies))]
    before, after = (outside @ network.embedding.double().cpu().numpy() for network in (start, end))
    return Check("embedding at the frequencies beside", before, after, 1e-8)


@checked
def function_of_sums(network: QuadraticNetwork, frequencies: Iterable[int]) -> Check:
    """The output of a closed network has no power but at its task's frequencies of a + b (proved).

    Examples
    --------
    >>> from ptft.modular import ScalarTask
    >>> from ptft.modular.theory import closed_network
    >>> function_of_sums(closed_network(ScalarTask(5, (1,), (0.3,))), [1]).holds
    True
    """
    table = network.table.double().cpu().numpy()
    power, rest = power_of_sums(table)
    beside = np.delete(power, list(frequencies))
    return Check("power of the output beside its task's, as a share", 0.0, [*beside, rest], 1e-14, np.sum(table**2))


@checked
def out_of_phase(start: QuadraticNetwork, end: QuadraticNetwork, task: ScalarTask) -> Check:
    """u_k x R_k w_k of each neuron is the same after pretraining of a closed network on a task (proved).

    Examples
    --------
    >>> from ptft.modular import examples, train
    >>> from ptft.modular.theory import closed_network
    >>> task = ScalarTask(5, (1,), (0.3,))
    >>> start = closed_network(task, kappa=0.5)
    >>> out_of_phase(start, train(start, examples(task.table), "flow", 1e-4).network, task).holds
    True
    """
    return Check("product out of phase", quadratures(start, task), quadratures(end, task), 1e-8)


@checked
def needed(network: QuadraticNetwork, task: ScalarTask) -> Check:
    """A p, which is at most the sum of abs(v_j) (|u_jk|^2 + |w_jk|^2) in each network that fits the task (proved).

    Up to the error of the fit: a mean square of m leaves at most p sqrt(2 m) of A p at a frequency.

    Examples
    --------
    >>> from ptft.modular import ScalarTask, examples, new_quadratic, train
    >>> task = ScalarTask(5, (1,), (0.0,))
    >>> needed(train(new_quadratic(5, 16), examples(task.table), loss_below=1e-6).network, task).holds
    True
    """
    products, least = needed_products(network, task)
    misfit = float(np.mean((network.table.double().cpu().numpy() - task.table) ** 2))
    slack = task.p * math.sqrt(2 * misfit)
    return Check("A p above the sum over neurons", products + slack, least, 0.0, at_most=True)


@checked
def power_left(start: QuadraticNetwork, end: QuadraticNetwork, task: ScalarTask) -> Check:
    """Least power on K_PT, which is at most that of the embedding of a closed network that was pretrained (proved).

    Examples
    --------
    >>> from ptft.modular import ScalarTask, examples, train
    >>> from ptft.modular.theory import closed_network
    >>> task = ScalarTask(5, (1,), (0.3,))
    >>> start = closed_network(task, kappa=0.5)
    >>> power_left(start, train(start, examples(task.table), "flow", 1e-4).network, task).holds
    True
    """
    error = math.sqrt(np.mean((end.table.double().cpu().numpy() - task.table) ** 2))
    size, readout = len(task.frequencies), float(start.v.abs().max())
    least = least_power(task.p, size, 1 - error, readout) if error < 1 else 0.0
    power = power_by_frequency(end.embedding.double().cpu().numpy())[list(task.frequencies)].sum()
    return Check("least power above that of the embedding on its task's frequencies", power, least, 0.0, at_most=True)


@checked
def shares(networks: Sequence[QuadraticNetwork], task: ScalarTask, kappa: float, fitted: float = 1.0) -> Check:
    """Share of the embedding's power on K_PT after pretraining beside that of a closed network (measured).

    Parameters
    ----------
    networks : sequence of QuadraticNetwork
        Pretrained on the task from `new_quadratic` with this kappa, of one width.
    task : ScalarTask
    kappa : float
    fitted : float in (0, 1], default 1
        Share of the amplitude at which pretraining ended.

    Examples
    --------
    >>> from ptft.modular import ScalarTask, examples, new_quadratic, train
    >>> task = ScalarTask(11, (1, 3), (0.0, 1.0))
    >>> run = train(new_quadratic(11, 1000), examples(task.table), loss_below=1e-3)
    >>> shares([run.network], task, 1.0).holds
    True
    """
    width = networks[0].U.shape[1]
    theory = closed_pretraining(kappa, width, task.p, len(task.frequencies), fitted=fitted).share
    measured = [
        share(power_by_frequency(network.embedding.double().cpu().numpy()), task.frequencies) for network in networks
    ]
    return relative("share of the power on K_PT", theory, measured, bound=0.1)


@checked
def strengths_of_phases(network: QuadraticNetwork, task: ScalarTask) -> tuple[Check, Check]:
    """Strengths of each frequency of a task after pretraining on it (measured).

    Parameters
    ----------
    network : QuadraticNetwork
        Where fine-tuning begins.
    task : ScalarTask
        Of pretraining.

    Returns
    -------
    out_of_phase : Check
        Of each frequency a quarter of a period off, of which a tenth of that in its phase is an upper bound.
    of_a_frequency : Check
        Of each in its phase, of which that of the whole task is an upper bound.

    Examples
    --------
    >>> from ptft.modular import examples, new_quadratic, train, with_new_readout
    >>> task = ScalarTask(11, (1, 3), (0.0, 1.0))
    >>> run = train(new_quadratic(11, 100, kappa=0.3), examples(task.table), loss_below=1e-3)
    >>> [check.holds for check in strengths_of_phases(with_new_readout(run.network, 0.01), task)]
    [True, True]
    """

    def unit(k: int, phase: float) -> np.ndarray:
        table: np.ndarray = ScalarTask(task.p, (k,), (phase,)).table / task.p
        return table

    pairs = list(zip(task.frequencies, task.phases, strict=True))
    inside = np.diag(strengths(network, [unit(k, phase) for k, phase in pairs]))
    across = np.diag(strengths(network, [unit(k, phase + np.pi / 2) for k, phase in pairs]))
    whole = strengths(network, [task.table / task.p])[0, 0]
    return (
        Check("strength out of phase above a tenth of that in phase", inside / 10, across, 0.0, at_most=True),
        Check("strength of a frequency above that of the task", whole, inside, 0.0, at_most=True),
    )


@checked
def adam_from_other_scales(network: QuadraticNetwork, data: Examples, c: float, steps: int = 50) -> Check:
    """Adam from c times the weights, at c times the rate and on c^3 times the targets, is c times Adam's path (proved).

    The outputs are homogeneous of degree 3, so all gradients are c^5 times those without c, a factor that Adam divides
    out. Its constant of 1e-8, which the proof takes for 0, is what the bound leaves room for; for c far below 1 the
    gradients are so small that it shows.

    Parameters
    ----------
    network : QuadraticNetwork
    data : Examples
    c : float, positive
    steps : int, default 50

    Raises
    ------
    ValueError
        If c is not positive, or the steps are not a number of them.

    Examples
    --------
    >>> from ptft.modular import ScalarTask, examples, new_quadratic
    >>> data = examples(ScalarTask(5, (1,), (0.0,)).table)
    >>> adam_from_other_scales(new_quadratic(5, 8), data, c=2.0).holds
    True
    """
    positive_number(c, "c")
    plain = train(network, data, "adam", 0.0, steps, ADAM_RATE).network
    larger = scaled(network, embedding=c, readout=c)
    found = train(larger, Examples(data.pairs, c**3 * data.targets), "adam", 0.0, steps, c * ADAM_RATE).network
    theory, measured = (flat_weights(one) for one in (plain, found))
    unit = np.abs(theory).max()
    return Check("weights of Adam at other scales, in units of the largest", theory, measured / c, 1e-2, unit)


@checked
def strengths_by_law(network: QuadraticNetwork, task: ScalarTask, law: PretrainedLaw, gamma: float) -> dict[str, Check]:
    """Strengths of functions of unit norm where fine-tuning begins, beside those of a closed network (measured).

    Parameters
    ----------
    network : QuadraticNetwork
        Pretrained on the task, with a new readout.
    task : ScalarTask
        Of pretraining.
    law : PretrainedLaw
        From `closed_pretraining` with the same numbers.
    gamma : float
        Of the new readout.

    Returns
    -------
    dict
        By the kinds of `PretrainedLaw.strengths_with_readout`; what is measured are those of each frequency, and of a
        new one in the phases 0 and a quarter.

    Examples
    --------
    >>> from ptft.modular import examples, new_quadratic, train, with_new_readout
    >>> task = ScalarTask(11, (1, 3), (0.0, 1.0))
    >>> run = train(new_quadratic(11, 1000), examples(task.table), loss_below=1e-3)
    >>> law = closed_pretraining(1.0, 1000, 11, 2)
    >>> found = strengths_by_law(with_new_readout(run.network, 0.01), task, law, 0.01)
    >>> {kind: check.holds for kind, check in found.items()}
    {'of pretraining': True, 'in phase': True, 'out of phase': True, 'new': True}
    """
    return {
        kind: relative(
            f"strength of a function {kind}",
            law.strengths_with_readout(gamma)[kind],
            np.diag(strengths(network, functions)).mean(),
            bound=0.5,
        )
        for kind, functions in _by_kind(task).items()
    }


@checked
def strengths_by_cost(network: QuadraticNetwork, task: ScalarTask) -> dict[str, float]:
    """Strengths of eigenfunctions of the tangent kernel that cost as much as the functions of `strengths_by_law`.

    Parameters
    ----------
    network : QuadraticNetwork
        Where fine-tuning begins.
    task : ScalarTask
        Of pretraining.

    Returns
    -------
    dict
        By kind, the inverse of the mean of `ptft.modular.theory.costs`, which is at most the mean of the strengths.

    Examples
    --------
    >>> from ptft.modular import new_quadratic
    >>> task = ScalarTask(5, (1,), (0.0,))
    >>> found = strengths_by_cost(new_quadratic(5, 64), task)
    >>> [f"{kind} {strength:.1f}" for kind, strength in found.items()]  # before any pretraining
    ['of pretraining 1.0', 'in phase 1.0', 'out of phase 1.4', 'new 1.6']
    """
    return {kind: float(1 / costs(network, functions).mean()) for kind, functions in _by_kind(task).items()}


def _by_kind(task: ScalarTask) -> dict[str, np.ndarray]:
    """Functions of unit norm, arrays (m, p, p), by their kind beside a task of pretraining that lacks a frequency."""
    quarter = np.pi / 2
    beside = [k for k in range(1, (task.p + 1) // 2) if k not in task.frequencies]
    pairs = list(zip(task.frequencies, task.phases, strict=True))
    tasks = {
        "of pretraining": [task],
        "in phase": [ScalarTask(task.p, (k,), (phase,)) for k, phase in pairs],
        "out of phase": [ScalarTask(task.p, (k,), (phase + quarter,)) for k, phase in pairs],
        "new": [ScalarTask(task.p, (k,), (phase,)) for k in beside for phase in (0.0, quarter)],
    }
    return {kind: np.array([one.table / task.p for one in of_kind]) for kind, of_kind in tasks.items() if of_kind}
