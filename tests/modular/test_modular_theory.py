"""What is proved of the quadratic network, on networks that were integrated, and what is measured beside it."""

import numpy as np
import pytest
import torch

from ptft import modular
from ptft.checks import modular as checks
from ptft.modular import theory

TASK = modular.ScalarTask(7, (1, 3), (0.4, 2.0))


@pytest.fixture(scope="module")
def closed():
    start = theory.closed_network(TASK, 2, seed=0, kappa=0.5)
    return start, modular.train(start, modular.examples(TASK.table), "flow", 1e-9, 20_000)


@pytest.fixture(scope="module")
def random():
    start = modular.new_quadratic(7, 40, seed=1, kappa=0.5)
    return start, modular.train(
        start, modular.examples(TASK.table, modular.drawn_pairs(7, 30, 0)[0]), "flow", 1e-9, 20_000
    )


def test_gradient_flow_conserves_balance_and_sums_on_any_data(closed, random):
    for start, run in (closed, random):
        assert run.stopped_by == "loss"
        check = checks.conservation(start, run.network)
        assert check.holds and check.theory.shape == (2, len(start.v))
    start, run = random
    moved = np.abs(run.network.v.numpy() ** 2 - start.v.numpy() ** 2).max()
    assert moved > 1e5 * check.largest  # what is conserved is a difference of numbers that change
    assert not checks.conservation(start, modular.with_new_readout(run.network, 1.0)).holds


def test_the_balance_of_a_network_goes_from_its_readout_to_the_weights_before_it():
    network = modular.new_quadratic(5, 64, seed=0)
    values = [theory.balance(modular.scaled(network, readout=factor)) for factor in (1e-3, 1.0, 1e3)]
    assert values[0] == pytest.approx(1, abs=1e-5) and -0.999 > values[2] >= -1 and values[0] > values[1] > values[2]
    at_zero = float(((network.U**2).sum() + (network.W**2).sum()) / 2 / (network.v**2).sum()) ** 0.5
    assert theory.balance(modular.scaled(network, readout=at_zero)) == pytest.approx(0, abs=1e-12)
    moved = modular.train(network, modular.examples(modular.ScalarTask(5, (1,), (0.0,)).table), "flow", 1e-4).network
    assert theory.conserved(moved)[0].sum() == pytest.approx(theory.conserved(network)[0].sum())
    with pytest.raises(ValueError, match="network"):
        theory.balance(modular.QuadraticNetwork(0 * network.U, 0 * network.W, 0 * network.v))


def test_the_power_at_the_frequencies_of_a_task_grows_where_an_amplitude_is_between_zero_and_its_target():
    start = theory.closed_network(TASK, seed=0, kappa=0.5)
    signs, step = [], 1e-4
    for sign in (1, -1):  # amplitudes that begin on one side of zero or on the other
        network = start.with_parameters({**start.parameters, "v": sign * start.v})
        missing = []
        for k, phase in zip(TASK.frequencies, TASK.phases, strict=True):
            wave = modular.ScalarTask(TASK.p, (k,), (phase,)).table
            missing.append(1 - np.sum(network.table.numpy() * wave) / np.sum(TASK.table * wave))
        rate = 2 * TASK.amplitude**2 * sum(r * (1 - r) for r in missing)
        gradient = network.gradient(modular.examples(TASK.table))[1]
        moved = network.with_parameters({name: w - step * gradient[name] for name, w in network.parameters.items()})
        powers = [
            modular.power_by_frequency(one.embedding.numpy())[list(TASK.frequencies)].sum() for one in (network, moved)
        ]
        assert (powers[1] - powers[0]) / step == pytest.approx(rate, rel=1e-4)
        signs.append(rate > 0)
    assert sorted(signs) == [False, True]


def test_a_closed_network_is_a_function_of_the_sum_and_leaves_other_frequencies_alone(closed, random):
    start, run = closed
    for network in (start, run.network):
        assert checks.function_of_sums(network, TASK.frequencies).holds
    assert checks.still_beside(start, run.network, TASK.frequencies).holds
    assert not checks.still_beside(start, run.network, [1]).holds  # 3 has moved
    assert not checks.function_of_sums(random[1].network, TASK.frequencies).holds
    assert not checks.still_beside(*(one.network if hasattr(one, "network") else one for one in random), [1, 3]).holds


def test_the_product_out_of_phase_is_kept(closed):
    start, run = closed
    assert checks.out_of_phase(start, run.network, TASK).holds
    turned = modular.ScalarTask(7, (1, 3), (0.5, 2.0))
    assert not checks.out_of_phase(start, run.network, turned).holds


def test_a_closed_network_follows_its_three_layers_in_the_fourier_basis(closed):
    """The right sides of the third statement, in s^+- and v, beside the gradient of the whole network."""
    basis, frequencies = modular.characters(7)
    network = modular.train(closed[0], modular.examples(TASK.table), "flow", 0.05).network
    _, slope = network.gradient(modular.examples(TASK.table))
    left = TASK.table - network.table.numpy()
    du, dw = (-basis @ slope[name].numpy() for name in "UW")
    u, w, v = basis @ network.U.numpy(), basis @ network.W.numpy(), network.v.numpy()
    dv = np.zeros_like(v)
    for k, phase in zip(TASK.frequencies, TASK.phases, strict=True):
        rows = np.flatnonzero(frequencies == k)
        c, s = np.cos(phase), np.sin(phase)
        R = np.array([[c, -s], [-s, -c]])
        shape = modular.ScalarTask(7, (k,), (phase,)).table
        rate = np.sum(left * shape) / np.sum(shape**2) * np.sqrt(2) / 7  # A r_k/p, as `shape` has amplitude sqrt(2)
        plus, minus = ((u[rows] + sign * R @ w[rows]) / np.sqrt(2) for sign in (1, -1))
        moved = [(du[rows] + sign * R @ dw[rows]) / np.sqrt(2) for sign in (1, -1)]
        np.testing.assert_allclose(moved[0], rate * v * plus, atol=1e-10)
        np.testing.assert_allclose(moved[1], -rate * v * minus, atol=1e-10)
        dv += rate * (np.sum(plus**2, axis=0) - np.sum(minus**2, axis=0)) / 2
    np.testing.assert_allclose(-slope["v"].numpy(), dv, atol=1e-10)


def test_no_network_that_fits_has_smaller_products(closed):
    run = closed[1]
    assert checks.needed(run.network, TASK).holds
    products, least = theory.needed_products(run.network, TASK)
    assert (products < 1.1 * least).all()  # and the bound is nearly met
    half = modular.scaled(run.network, readout=0.5)  # this does not fit, and the check says so without its slack
    assert (theory.needed_products(half, TASK)[0] < least).all()


def test_the_power_on_the_task_has_a_lower_bound_that_the_scale_does_not_change(closed):
    start, run = closed
    assert checks.power_left(start, run.network, TASK).holds
    assert not checks.power_left(start, modular.scaled(run.network, embedding=0.3, readout=1 / 0.3**2), TASK).holds
    assert theory.least_power(7, 2) == pytest.approx((14 * np.sqrt(2)) ** (2 / 3))
    P = theory.least_power(23, 5, fitted=0.9, readout=1.5)
    assert P * np.sqrt(P / 2 + 1.5**2) == pytest.approx(0.9 * 23 * np.sqrt(10)) and P < theory.least_power(23, 5, 0.9)
    for kappa, tight in ((0.01, 0.02), (0.1, None), (1.0, None)):
        law = theory.closed_pretraining(kappa, draws=4)
        share = theory.least_power(23, 5, readout=0.15) / (theory.least_power(23, 5, readout=0.15) + law.power_beside)
        assert share < law.share and (tight is None or 1 - share < tight * (1 - theory.closed_pretraining(0.1).share))


def test_one_frequency_can_exceed_its_target_and_the_share_at_which_training_ends_cannot():
    start = theory.closed_network(TASK, seed=1, kappa=0.5)
    network = modular.train(start, modular.examples(TASK.table), "flow", 1e-2).network
    fitted = []
    for k, phase in zip(TASK.frequencies, TASK.phases, strict=True):
        wave = modular.ScalarTask(TASK.p, (k,), (phase,)).table
        fitted.append(np.sum(network.table.numpy() * wave) / np.sum(TASK.table * wave))
    assert max(fitted) > 1 > np.mean(fitted)  # the frequencies of a neuron share a readout
    for too_much in (1 + 1e-9, 0.0, -0.1):
        with pytest.raises(ValueError, match="fitted = "):
            theory.least_power(7, 2, too_much)
        with pytest.raises(ValueError, match="fitted = "):
            theory.closed_pretraining(1.0, 8, 7, 2, fitted=too_much, draws=1)


def test_one_neuron_that_holds_everything_meets_the_bound():
    """|K| A p = sum abs(v) q with one neuron, as 2 v^2 = q where both begin at 0."""
    q = theory.least_power(7, 1)
    direction = np.array([1.0, 0.0])  # of u at the frequency, with w its reflection
    task = modular.ScalarTask(7, (2,), (0.3,))
    basis, frequencies = modular.characters(7)
    rows = np.flatnonzero(frequencies == 2)
    c, s = np.cos(0.3), np.sin(0.3)
    u, w = np.sqrt(q / 2) * direction, np.sqrt(q / 2) * np.array([[c, -s], [-s, -c]]) @ direction
    network = modular.QuadraticNetwork(
        *(torch.from_numpy((basis[rows].T @ x)[:, None]) for x in (u, w)), torch.tensor([np.sqrt(q / 2)])
    )
    products, needed = theory.needed_products(network, task)
    assert products[0] == pytest.approx(needed)


def test_shares_and_powers_after_pretraining_come_nearer_to_the_law_with_the_width():
    """Measured: the closed network's equations with the neurons of a random one, whose closure is broken."""
    off = []
    for width in (100, 800):
        runs = [
            modular.train(modular.new_quadratic(23, width, seed, 0.3), modular.examples(task.table), loss_below=1e-3)
            for seed in (0, 1)
            for task in [modular.two_tasks("nested", 1, seed=seed)[0]]
        ]
        tasks = [modular.two_tasks("nested", 1, seed=seed)[0] for seed in (0, 1)]
        found = [checks.shares([run.network], task, 0.3, 0.955) for run, task in zip(runs, tasks, strict=True)]
        off.append(np.mean([check.largest for check in found]))
    assert found[0].holds and off[1] < 0.6 * off[0] and off[0] < 0.25


def test_the_share_on_the_frequencies_of_pretraining_falls_with_kappa():
    found = [theory.closed_pretraining(kappa, draws=8).share for kappa in (0.03, 0.1, 0.3, 1.0, 3.0)]
    assert (np.diff(found) < 0).all() and found[0] > 0.98 and found[-1] == pytest.approx(5 / 11, abs=0.01)


def test_the_law_of_a_closed_network_is_met_by_one(closed):
    """With one frequency all r are one, and the equations of the orbits are those of `closed_pretraining`."""
    task = modular.ScalarTask(5, (1,), (0.7,))
    start = theory.closed_network(task, 1, seed=2, kappa=0.5)
    run = modular.train(start, modular.examples(task.table), "flow", 1e-12, 20_000)
    basis, frequencies = modular.characters(5)
    u, w = (basis @ weight.numpy() for weight in (start.U, start.W))
    rows = np.flatnonzero(frequencies == 1)
    c, s = np.cos(0.7), np.sin(0.7)
    reflected = np.array([[c, -s], [-s, -c]]) @ w[rows]
    plus, minus = (np.sum((u[rows] + sign * reflected) ** 2, axis=0) / 2 for sign in (1, -1))
    theta = theory._grown(plus, minus, start.v.numpy(), 5 * np.sqrt(2))
    power = np.sum(plus * np.exp(2 * theta) + minus * np.exp(-2 * theta))
    measured = modular.power_by_frequency(run.network.embedding.numpy())[1]
    assert power == pytest.approx(measured, rel=1e-5)


@pytest.fixture(scope="module")
def pretrained():
    task = modular.two_tasks("nested", 1, seed=0)[0]
    run = modular.train(modular.new_quadratic(23, seed=0, kappa=0.1), modular.examples(task.table), loss_below=1e-3)
    return task, modular.with_new_readout(run.network, 0.01, seed=1)


def test_strengths_are_squared_gradients(pretrained):
    _, start = pretrained
    functions = np.random.default_rng(0).standard_normal((2, 23, 23))
    free = {name: weight.clone().requires_grad_() for name, weight in start.parameters.items()}
    gradients = []
    for e in functions:
        inner = (torch.from_numpy(e) * start.with_parameters(free).table).sum()
        gradients.append(torch.cat([g.ravel() for g in torch.autograd.grad(inner, list(free.values()))]))
    G = torch.stack(gradients)
    np.testing.assert_allclose(theory.strengths(start, functions), (G @ G.T).numpy(), rtol=1e-9)
    basis, _ = modular.characters(23)
    strengths = theory.character_strengths(start)
    for k, j in ((0, 0), (0, 4), (4, 0), (4, 7)):
        assert strengths[k, j] == pytest.approx(theory.strengths(start, [np.outer(basis[k], basis[j])])[0, 0], rel=1e-9)


def test_a_cost_is_the_least_change_of_the_weights_that_gives_the_function():
    network = modular.with_new_readout(modular.new_quadratic(5, 16, seed=0), 0.2, seed=1)
    functions = np.random.default_rng(0).standard_normal((3, 5, 5))
    free = {name: weight.clone().requires_grad_() for name, weight in network.parameters.items()}
    outputs = network.with_parameters(free).table.ravel()
    slopes = [torch.autograd.grad(one, list(free.values()), retain_graph=True) for one in outputs]
    J = np.array([torch.cat([part.ravel() for part in one]).numpy() for one in slopes])
    least = [np.linalg.lstsq(J, e.ravel(), rcond=None)[0] for e in functions]
    found = theory.costs(network, functions)
    np.testing.assert_allclose(found, [np.sum(change**2) for change in least], rtol=1e-7)
    unit = functions / np.linalg.norm(functions, axis=(1, 2), keepdims=True)
    assert (theory.costs(network, unit) * np.diag(theory.strengths(network, unit)) > 1.01).all()  # no eigenfunctions
    power, modes = np.linalg.eigh(J @ J.T)
    np.testing.assert_allclose(theory.costs(network, modes.T.reshape(-1, 5, 5)), 1 / power, rtol=1e-6)
    single = modular.QuadraticNetwork(network.U[:, :1], network.W[:, :1], network.v[:1])
    assert np.isinf(theory.costs(single, functions)).all()  # 11 weights do not give 25 outputs
    assert np.isfinite(theory.costs(single, [single.table.numpy()])).all()  # but its own, by its readout
    with pytest.raises(ValueError, match="functions has shape"):
        theory.costs(network, np.ones((1, 5, 4)))


def test_the_strength_of_a_wave_is_the_sum_of_squares_of_all_products_but_one(pretrained):
    _, start = pretrained
    basis, frequencies = modular.characters(23)
    for k, phase in ((1, 0.3), (7, 2.0), (11, -1.0)):
        rows, c, s = np.flatnonzero(frequencies == k), np.cos(phase), np.sin(phase)
        u, w = basis[rows] @ start.U.numpy(), np.array([[c, -s], [-s, -c]]) @ basis[rows] @ start.W.numpy()
        products = np.sum(u * w, axis=0) ** 2 + start.v.numpy() ** 2 * np.sum(u**2 + w**2, axis=0)
        found = theory.strengths(start, [modular.ScalarTask(23, (k,), (phase,)).table / 23])
        assert found[0, 0] == pytest.approx(2 * products.sum(), rel=1e-9)


def test_a_wide_start_has_the_strengths_of_the_law():
    """Before pretraining: 4 sigma^4 and 8 gamma^2 sigma^2 for each neuron, at every frequency and phase."""
    start = modular.with_new_readout(modular.new_quadratic(11, 10_000, 0), 0.2, seed=1)
    tables = [modular.ScalarTask(11, (k,), (phase,)).table / 11 for k in (1, 2, 3) for phase in (0.0, 1.0)]
    expected = 10_000 * (4 * 0.3**4 + 8 * 0.2**2 * 0.3**2)
    np.testing.assert_allclose(np.diag(theory.strengths(start, tables)) / expected, 1, atol=0.06)
    law = theory.closed_pretraining(1.0, 10_000, 11, 2, fitted=1e-9, draws=2)
    assert law.strengths_with_readout(0.2)["new"] == pytest.approx(expected, rel=0.02)
    assert law.strengths_with_readout(0.2)["in phase"] == pytest.approx(expected, rel=0.02)
    every = theory.closed_pretraining(1.0, 100, 11, 5, fitted=1e-9, draws=2)  # pretraining has all frequencies
    assert list(every.strengths_with_readout(0.2)) == ["of pretraining", "in phase", "out of phase"]


def test_pretraining_makes_its_phase_cheap_and_its_task_cheapest(pretrained):
    task, start = pretrained
    assert [check.holds for check in checks.strengths_of_phases(start, task)] == [True, True]
    turned = modular.ScalarTask(23, task.frequencies, tuple(np.add(task.phases, np.pi / 2)))
    assert not checks.strengths_of_phases(start, turned)[0].holds


def test_small_changes_follow_the_tangent_kernel():
    """Where the readout is large and the target near, the trained network is the regression with its kernel."""
    start = modular.with_new_readout(modular.new_quadratic(7, 400, 0), 1.0, seed=1)
    chosen, others = modular.drawn_pairs(7, 25, 0)
    near = start.table.numpy() + 1e-3 * TASK.table
    given, asked = modular.examples(near, chosen), modular.examples(near, others)
    run = modular.train(start, given, "descent", 1e-17, 20_000)
    predicted = theory.tangent_prediction(start, given, asked.pairs)
    moved = run.network.outputs(asked.pairs).numpy() - start.outputs(asked.pairs).numpy()
    expected = predicted - start.outputs(asked.pairs).numpy()
    assert np.linalg.norm(moved - expected) < 0.02 * np.linalg.norm(expected)


def test_reuse_in_phase_generalizes_and_out_of_phase_does_not(pretrained):
    """A consequence of the fourth statement, at a seed where the task in phase is minus that of pretraining."""
    _, start = pretrained
    errors = {}
    first, opposite = modular.two_tasks("reuse in phase", 5, seed=0)
    np.testing.assert_allclose(opposite.table, -first.table, atol=1e-12)
    for relation in ("reuse", "reuse in phase"):
        table = modular.two_tasks(relation, 5, seed=0)[1].table
        chosen, others = modular.drawn_pairs(23, 240, 1)
        asked = modular.examples(table, others)
        run = modular.train(start, modular.examples(table, chosen))
        errors[relation] = float(((run.network.outputs(asked.pairs) - asked.targets) ** 2).mean())
    assert errors["reuse in phase"] < 0.3 * errors["reuse"]
