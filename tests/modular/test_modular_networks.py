"""The two networks: their gradients against finite differences, their symmetries, scales, and how they train."""

import math

import numpy as np
import pytest
import torch

from ptft import modular
from ptft.modular import protocol, theory
from ptft.modular.networks import PARTS
from ptft.modular.training import flat_weights, with_flat_weights

P = 7
TASK = modular.ScalarTask(P, (1, 3), (0.4, 2.0))
CHOSEN = modular.drawn_pairs(P, 20, seed=3)[0]


def small(kind, seed=0, outputs=1):
    if kind == "quadratic":
        return modular.new_quadratic(P, 5, seed)
    return modular.new_transformer(P, 8, 2, 12, outputs, seed, dtype=torch.float64)


def data(kind):
    table = modular.ClassTask(P, P).table if kind == "classes" else TASK.table
    return modular.examples(table, CHOSEN)


CASES = [("quadratic", "scalar"), ("transformer", "scalar"), ("transformer", "classes")]


@pytest.mark.parametrize("kind, target", CASES)
def test_gradients_are_those_of_finite_differences(kind, target):
    network, given = small(kind, outputs=P if target == "classes" else 1), data(target)
    weights = flat_weights(network)
    _, slope = network.gradient(given)
    found = np.concatenate([slope[name].numpy().ravel() for name in network.parameters])
    h, chosen = 1e-5, np.random.default_rng(0).choice(len(weights), 60)
    for i in chosen:
        step = np.zeros_like(weights)
        step[i] = h
        up, down = (with_flat_weights(network, weights + s * step).gradient(given)[0] for s in (1, -1))
        assert found[i] == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind, target", CASES)
def test_the_loss_is_that_of_the_outputs(kind, target):
    network, given = small(kind, outputs=P if target == "classes" else 1), data(target)
    outputs = network.outputs(given.pairs)
    if target == "classes":
        expected = float(-torch.log_softmax(outputs, 1)[torch.arange(20), given.targets].mean())
    else:
        expected = float(((outputs - given.targets) ** 2).mean() / 2)
    assert network.gradient(given)[0] == pytest.approx(expected, rel=1e-12)


def test_the_quadratic_network_is_what_its_formula_says():
    network, pairs = small("quadratic"), data("scalar").pairs
    torch.testing.assert_close(network.outputs(pairs), network.hidden(pairs) @ network.v)
    repeated = modular.examples(TASK.table, [3, 3, 9])
    twice, once = (
        network.gradient(repeated)[1]["U"],
        [network.gradient(modular.examples(TASK.table, [i])) for i in (3, 9)],
    )
    torch.testing.assert_close(twice, (2 * once[0][1]["U"] + once[1][1]["U"]) / 3)


def plain_transformer(network, a, b):
    """The outputs for one pair, token by token, with every query and every head."""
    w, p = network.weights, network.p
    x = torch.stack([w["tokens"][t] for t in (a, b, p)]) + w["places"]
    inner = x.shape[1] // network.heads
    heads = []
    for h in range(network.heads):
        part = slice(h * inner, (h + 1) * inner)
        q, k, v = ((x @ w[name])[:, part] for name in ("query", "key", "value"))
        heads.append(torch.softmax(q @ k.T / math.sqrt(inner), dim=1) @ v)
    x = x + torch.cat(heads, dim=1) @ w["mix"]
    x = x + torch.relu(x @ w["rise"]) @ w["fall"]
    return x[-1] @ w["readout"]


def test_the_transformer_is_what_a_plain_one_computes():
    network = small("transformer", outputs=3)
    pairs = [(0, 1), (6, 6), (2, 5)]
    torch.testing.assert_close(
        network.outputs(torch.tensor(pairs)), torch.stack([plain_transformer(network, *ab) for ab in pairs])
    )


def renamed(network, by):
    """The network for which the number s is what `by(s)` was for the given one."""
    order = torch.tensor([by(s) for s in range(network.p)])
    if isinstance(network, modular.QuadraticNetwork):
        return modular.QuadraticNetwork(network.U[order], network.W[order], network.v)
    tokens = torch.cat([network.weights["tokens"][order], network.weights["tokens"][-1:]])
    return network.with_parameters({**network.parameters, "tokens": tokens})


@pytest.mark.parametrize("kind", ["quadratic", "transformer"])
@pytest.mark.parametrize("by", [lambda s: (s + 2) % P, lambda s: 3 * s % P], ids=["shift", "unit"])
def test_training_is_equivariant_under_the_group(kind, by):
    """A network with its numbers renamed, trained on the task with its numbers renamed, is the trained one, renamed."""
    network, order = small(kind), np.array([by(s) for s in range(P)])
    method = "descent" if kind == "quadratic" else "adam"
    there = modular.train(network, modular.examples(TASK.table), method, 1e-2, 40)
    here = modular.train(renamed(network, by), modular.examples(TASK.table[np.ix_(order, order)]), method, 1e-2, 40)
    np.testing.assert_allclose(here.losses, there.losses, rtol=1e-9)
    for name, weight in renamed(there.network, by).parameters.items():
        torch.testing.assert_close(here.network.parameters[name], weight, rtol=1e-7, atol=1e-9)
    before, after = (modular.power_by_frequency(one.network.embedding.numpy()) for one in (there, here))
    where = [min(by(1) * k % P, -by(1) * k % P) for k in range(P // 2 + 1)] if by(0) == 0 else range(P // 2 + 1)
    np.testing.assert_allclose(after[list(where)], before, rtol=1e-7)


@pytest.mark.parametrize("kind", ["quadratic", "transformer"])
def test_scales_multiply_what_they_name(kind):
    network = small(kind)
    assert sorted(name for names in network.parts.values() for name in names) == sorted(network.parameters)
    before, after = modular.norms(network), modular.norms(modular.scaled(network, 2.0, 3.0, 5.0))
    assert [after[part] for part in PARTS] == pytest.approx(
        [2 * before["embedding"], 3 * before["hidden"], 5 * before["readout"]]
    )
    new = modular.with_new_readout(network, 0.5, seed=1)
    assert modular.norms(new)["readout"] != before["readout"] and modular.norms(new)["embedding"] == before["embedding"]
    again = modular.with_new_readout(network, 1.0, seed=1)
    assert modular.norms(again)["readout"] == pytest.approx(2 * modular.norms(new)["readout"])


def test_kappa_and_c_are_scales_of_one_draw():
    for new in (modular.new_quadratic, modular.new_transformer):
        one, other = new(P, 8, seed=4), new(P, 8, seed=4, kappa=0.5, c=3.0)
        expected = modular.scaled(one, 1.5, 1.5, 3.0)
        for name, weight in expected.parameters.items():
            torch.testing.assert_close(other.parameters[name], weight)


@pytest.mark.parametrize("method", ["flow", "descent", "adam"])
def test_training_reaches_its_threshold_and_leaves_the_network_alone(method):
    network = modular.new_quadratic(P, 24, seed=0)
    before = flat_weights(network).copy()
    run = modular.train(network, data("scalar"), method, loss_below=1e-3, learning_rate=1e-2)
    assert run.stopped_by == "loss" and run.loss <= 1e-3 < run.losses[-2] and run.steps == len(run.losses) - 1
    assert run.loss == pytest.approx(run.network.gradient(data("scalar"))[0])
    np.testing.assert_array_equal(flat_weights(network), before)
    assert method == "adam" or (np.diff(run.losses) < 0).all()


def test_descent_with_controlled_steps_ends_near_the_flow():
    network = modular.new_quadratic(P, 24, seed=0)
    ends = [modular.train(network, data("scalar"), method, 1e-4).network for method in ("flow", "descent")]
    flow, descent = map(flat_weights, ends)
    assert np.linalg.norm(flow - descent) < 0.05 * np.linalg.norm(flow - flat_weights(network))


def test_how_training_ends_is_told():
    network = small("quadratic")
    assert modular.train(network, data("scalar"), max_steps=3).stopped_by == "cap"
    assert modular.train(network, data("scalar"), loss_below=1e9).steps == 0
    zero = with_flat_weights(network, np.zeros(75))
    assert modular.train(zero, data("scalar")).stopped_by == "stuck"  # a saddle
    huge = modular.train(modular.scaled(network, 1e200), data("scalar"), "adam")
    assert huge.stopped_by == "divergence"


def test_adam_has_the_invariance_that_the_theory_lacks():
    """A loss in other units changes the path of descent, and not the first step of Adam."""
    network, given = small("quadratic"), data("scalar")
    doubled = modular.QuadraticNetwork(network.U, network.W, 2 * network.v)
    first = [modular.train(one, given, "adam", 0.0, 1).network.U - one.U for one in (network, doubled)]
    torch.testing.assert_close(first[0].abs(), torch.full_like(network.U, 1e-3), rtol=1e-3, atol=0)
    torch.testing.assert_close(first[0].abs(), first[1].abs(), rtol=2e-2, atol=0)


def test_devices_other_than_the_processor_are_asked_for_by_name():
    with pytest.raises(RuntimeError, match="abacus"):
        modular.new_quadratic(P, device="abacus")


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: modular.Examples(torch.zeros(2, 3), torch.zeros(2)), "pairs has shape"),
        (lambda: modular.Examples(torch.zeros(2, 2), torch.zeros(3)), "targets has shape"),
        (lambda: modular.examples(TASK.table, [49]), "chosen = 49"),
        (lambda: modular.examples(TASK.table[:3]), "table has shape"),
        (lambda: modular.QuadraticNetwork(torch.zeros(2, 3), torch.zeros(3, 3), torch.zeros(3)), "W has shape"),
        (lambda: modular.QuadraticNetwork(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2)), "v has shape"),
        (lambda: modular.Transformer({"tokens": torch.zeros(2, 3)}, 1), "weights has the names"),
        (
            lambda: small("transformer").with_parameters(small("transformer").parameters | {"mix": torch.ones(2, 2)}),
            "mix",
        ),
        (lambda: modular.new_transformer(P, width=6, heads=4), "heads = 4"),
        (lambda: modular.with_new_readout(small("quadratic"), 1.0, outputs=2), "outputs = 2"),
        (lambda: modular.train(small("quadratic"), data("classes")), "data holds classes"),
        (lambda: with_flat_weights(small("quadratic"), np.zeros(3)), "weights has shape"),
        (lambda: modular.drawn_pairs(P, P**2, 0), "n = 49"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


TWO, ONE = torch.tensor([[0, 1], [4, 4]]), torch.tensor([[0, 5]])


@pytest.mark.parametrize("method", ["descent", "flow", "adam"])
@pytest.mark.parametrize(
    ("outputs", "pairs", "targets", "said"),
    [
        (0, ONE, [0.5], "pairs = 5 is not allowed: it must be from 0 to 4, the numbers of the network"),
        (1, ONE, [0.5], "pairs = 5 is not allowed: it must be from 0 to 4"),
        (1, TWO, [0, 1], "targets = 'classes' is not allowed: it must be real numbers, for a network with one output"),
        (3, TWO, [0.5, 1.0], "targets = 'real numbers' is not allowed: it must be classes, for a network with 3"),
        (3, TWO, [0, 3], "targets = 3 is not allowed: it must be classes from 0 to 2"),
        (3, TWO, [0, -1], "targets = -1 is not allowed: it must be classes from 0 to 2"),
    ],
)
def test_a_network_is_not_trained_on_what_it_cannot_say(outputs, pairs, targets, said, method):
    network = modular.new_transformer(5, 4, 2, 4, outputs) if outputs else modular.new_quadratic(5, 4)
    with pytest.raises(ValueError, match=said):
        modular.train(network, modular.Examples(pairs, torch.tensor(targets)), method)


def test_pairs_are_whole_numbers_and_theories_have_those_of_the_network():
    for pairs in (-TWO, TWO.double()):
        with pytest.raises(ValueError, match=r"pairs = .* is not allowed: it must be whole numbers, zero or positive"):
            modular.Examples(pairs, torch.zeros(2))
    network, given = modular.new_quadratic(5, 4), modular.Examples(TWO, torch.zeros(2, dtype=torch.float64))
    for predict in (theory.tangent_prediction, theory.diagonal_prediction):
        for train, asked in ((given, ONE), (given, -ONE), (modular.Examples(ONE, torch.zeros(1)), TWO)):
            with pytest.raises(ValueError, match=r"pairs = -?5 is not allowed: it must be from 0 to 4"):
                predict(network, train, asked)


def test_a_point_is_fine_tuned_from_a_network_of_its_kind():
    for network in (modular.new_quadratic(5, 4), modular.new_transformer(23, 4, 2, 4)):
        run = modular.train(network, modular.examples(np.eye(network.p), dtype=network.embedding.dtype), max_steps=0)
        with pytest.raises(ValueError, match=r"pretraining.network = .* is not allowed: .* for 'quadratic', modulo 23"):
            protocol.fine_tune_point("quadratic", run, "nested", 1, "baseline", 1.0, 5, 0)


def test_phases_so_large_that_no_digit_is_left_are_refused():
    with pytest.raises(ValueError, match=r"phases = 1\.e\+300 is not allowed: it must be between -1e6 and 1e6"):
        modular.ScalarTask(5, (1, 2), (0.0, 1e300))
