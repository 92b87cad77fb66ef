"""The residual-network experiments: training, rescalings, representations, trends and the stored results."""

import copy
import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy  # noqa: E402

from ptft import vision  # noqa: E402
from ptft.book.results import results_file  # noqa: E402
from ptft.sweeps.vision import SWEEP  # noqa: E402
from ptft.vision import compaction, training, trends  # noqa: E402

torch.set_num_threads(1)
TWO_EPOCHS = dataclasses.replace(vision.FINE_TUNING, max_epochs=2)  # to a loss that two epochs do not reach


@pytest.fixture(scope="module")
def network():
    return vision.new_model(10, seed=0)


@pytest.fixture(scope="module")
def split():
    """Digits of 8 x 8 pixels, normalized."""
    raw = vision.split_dataset(vision.load("digits"), n_ft=2, seed=0, n_test=150)
    parts = ("pretraining_images", "pool_images", "test_images")
    return dataclasses.replace(raw, **{part: vision.normalize(getattr(raw, part)) for part in parts})


def parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


# ------------------------------------------------------------------------------------------------------- rescalings

EARLY = ("conv1", "bn1", "layer1", "layer2", "layer3")
ALL = (*EARLY, "layer4", "fc")


@pytest.mark.parametrize(
    ("scale", "modules"),
    [(vision.scale_early_layers, EARLY), (vision.scale_parameters, ALL), (vision.scale_readout, ("fc",))],
)
def test_each_rescaling_touches_exactly_its_parameters_batch_norm_included_and_no_running_statistic(
    network, scale, modules
):
    original, buffers = parameters(network), {k: b.clone() for k, b in network.named_buffers()}
    scaled = scale(network, 0.25)
    touched = {f"{m}.{name}" for m in modules for name, _ in getattr(network, m).named_parameters()}
    for name, p in scaled.named_parameters():
        assert torch.equal(p, original[name] * (0.25 if name in touched else 1.0)), name
    for name, b in scaled.named_buffers():
        assert torch.equal(b, buffers[name]), name
    assert all(torch.equal(p, original[name]) for name, p in network.named_parameters())  # a copy was scaled


@pytest.mark.parametrize("scale", [vision.scale_early_layers, vision.scale_parameters, vision.scale_readout])
@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_rescaling_factor_must_be_positive_and_finite(network, scale, factor):
    with pytest.raises(ValueError, match="is not allowed"):
        scale(network, factor)


@pytest.fixture(scope="module")
def sharp_network(network):
    """Double precision, a negligible batch-norm epsilon and no output bias: scale relations are exact."""
    model = copy.deepcopy(network).double().train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-30
    torch.nn.init.zeros_(model.fc.bias)
    return model


@pytest.fixture(scope="module")
def noise():
    return torch.randn(6, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def loss_gradient(model, images):
    model.zero_grad()
    model(images).square().sum().backward()
    return model.conv1.weight.grad


@pytest.mark.parametrize("kappa", [0.25, 3.0])
def test_kappa_keeps_the_initial_function_and_divides_the_stem_gradient(sharp_network, noise, kappa):
    scaled = vision.scale_early_layers(sharp_network, kappa)
    torch.testing.assert_close(scaled(noise), sharp_network(noise), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(
        loss_gradient(scaled, noise), loss_gradient(sharp_network, noise) / kappa, rtol=1e-6, atol=1e-9
    )


def test_kappa_moves_the_initial_outputs_by_the_epsilon_of_batch_norm_and_by_running_statistics(sharp_network, noise):
    apart = {}
    for epsilon in (1e-5, 1e-6, 1e-30):
        model = copy.deepcopy(sharp_network)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = epsilon
        state = {name: x.clone() for name, x in model.state_dict().items()}
        scaled = vision.scale_early_layers(model, 0.25)
        apart[epsilon] = vision.outputs_apart(model, scaled, noise, batch_statistics=True)
        assert vision.outputs_apart(model, scaled, noise) > 0.5  # at the running statistics of both, which are the same
        assert all(torch.equal(x, state[name]) for name, x in model.state_dict().items())
    assert apart[1e-30] < 1e-8 < 1e-3 < apart[1e-5] == pytest.approx(10 * apart[1e-6], rel=0.1)
    with pytest.raises(ValueError, match="other has 3 outputs: it must have 10, as model has"):
        vision.outputs_apart(model, vision.new_model(3, seed=0), noise)


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_scaling_all_parameters_squares_at_the_initial_outputs(sharp_network, noise, c):
    torch.testing.assert_close(
        vision.scale_parameters(sharp_network, c)(noise), c**2 * sharp_network(noise), rtol=1e-8, atol=1e-10
    )


def test_readout_scale_is_proportional_in_the_outputs(sharp_network, noise):
    torch.testing.assert_close(vision.scale_readout(sharp_network, 0.1)(noise), 0.1 * sharp_network(noise))


@pytest.mark.parametrize("kappa", [0.5, 2.0])
def test_training_with_kappa_is_training_with_the_learning_rate_of_the_early_layers_over_kappa_squared(
    sharp_network, noise, kappa
):
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    scaled = vision.scale_early_layers(sharp_network, kappa)
    trained = vision.train(scaled, noise, labels, [0, 1, 2], 0, TWO_EPOCHS).model
    reference = copy.deepcopy(sharp_network).train()
    early = [p for m in EARLY for p in getattr(reference, m).parameters()]
    late = [p for m in ("layer4", "fc") for p in getattr(reference, m).parameters()]
    groups = [{"params": early, "lr": 1e-3 / kappa**2}, {"params": late, "lr": 1e-3}]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(reference(noise)[:, :3], labels).backward()
        optimizer.step()
    by_rate = vision.train(sharp_network, noise, labels, [0, 1, 2], 0, TWO_EPOCHS, early_rate=kappa**-2).model
    for p, q in zip(by_rate.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)
    equal = vision.scale_early_layers(reference, kappa)
    for p, q in zip(trained.parameters(), equal.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)
    assert not torch.equal(trained.conv1.weight, scaled.conv1.weight)


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_training_with_scale_c_is_training_with_outputs_times_c_squared_at_the_learning_rate_over_c_squared(
    sharp_network, noise, c
):
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    start = copy.deepcopy(sharp_network)
    start.fc.bias.requires_grad_(False)
    trained = vision.train(vision.scale_parameters(start, c), noise, labels, [0, 1, 2], 0, TWO_EPOCHS).model
    optimizer = torch.optim.SGD([p for p in start.parameters() if p.requires_grad], lr=1e-3 / c**2, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(c**2 * start(noise)[:, :3], labels).backward()
        optimizer.step()
    for p, q in zip(trained.parameters(), vision.scale_parameters(start, c).parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)
    assert not torch.equal(start.conv1.weight, sharp_network.conv1.weight)


# ---------------------------------------------------------------------------------------------------------- compact


@pytest.mark.parametrize("size", [8, 16, 28, 32, 33, 64])
def test_compact_network_has_the_outputs_gradients_and_statistics_of_the_whole_one(network, size):
    whole = copy.deepcopy(network).double().train()
    small, windows = vision.compact(whole, (size, size))
    x = torch.randn(4, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
    torch.testing.assert_close(small(x), whole(x))
    torch.testing.assert_close(small.layer4[1].bn2.running_var, whole.layer4[1].bn2.running_var)
    for model in (small, whole):
        model(x).square().sum().backward()
    own = dict(small.named_parameters())
    cut = 0
    for name, p in whole.named_parameters():
        window = windows.get(name.removesuffix(".weight"))
        if window is None:
            torch.testing.assert_close(own[name].grad, p.grad)
            continue
        torch.testing.assert_close(own[name].grad.permute(0, 3, 1, 2), p.grad[:, :, *window])
        outside = p.grad.clone()
        outside[:, :, *window] = 0
        assert not outside.any(), name  # what is cut away has no gradient at all
        cut += p.numel() - own[name].numel()
    share = cut / sum(p.numel() for p in whole.parameters())
    assert (share > 0.6) == (size <= 32)


def test_restored_network_takes_what_was_trained_and_keeps_the_rest(network):
    small, windows = vision.compact(network, (28, 28))
    with torch.no_grad():
        for p in small.parameters():
            p.add_(1)
        small.layer4[1].bn2.running_var.mul_(3)
    restored, original = vision.restore(small, windows, network), parameters(network)
    assert torch.equal(restored.layer4[1].bn2.running_var, 3 * network.layer4[1].bn2.running_var)
    moved = 0
    for name, p in restored.named_parameters():
        change = p - original[name]
        assert ((change - 1).abs() < 1e-5).logical_or(change == 0).all()
        moved += int((change != 0).sum())
    assert moved == sum(p.numel() for p in small.parameters())


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "kept"),
    [
        (1, 3, 1, 1, (1, 2)),
        (2, 3, 2, 1, (1, 3)),
        (2, 3, 1, 1, (0, 3)),
        (28, 7, 2, 3, (0, 7)),
        (4, 7, 2, 3, (1, 7)),
        (1, 1, 2, 0, (0, 1)),
    ],
)
def test_weights_that_meet_a_pixel(size, kernel, stride, padding, kept):
    assert compaction._live(size, kernel, stride, padding) == slice(*kept)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"), [(2, 3, 1, 1), (2, 3, 2, 1), (4, 3, 1, 1), (1, 1, 1, 0), (4, 1, 2, 0)]
)
def test_bfloat16_gradients_are_those_of_torch(size, kernel, stride, padding):
    layer = torch.nn.Conv2d(16, 8, kernel, stride, padding, bias=False)
    own = compaction._Convolution(layer, slice(0, kernel), slice(0, kernel))
    x = torch.randn(6, 16, size, size, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, module in (("torch", layer), ("own", own)):
        y = x.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = module(y)
        (out.float() ** 2).sum().backward()
        found[name] = [out.float(), y.grad, module.weight.grad]
    found["own"][2] = found["own"][2].permute(0, 3, 1, 2)
    for a, b in zip(found["torch"], found["own"], strict=True):
        assert a.shape == b.shape and b.dtype == torch.float32
        assert (a - b).norm() <= 0.02 * a.norm()
    assert compaction._pixels(x, own) == out.shape[2] * out.shape[3] <= compaction.SMALL_MAP


# --------------------------------------------------------------------------------------------------------- training


def test_initialization_is_fixed_by_its_seed_and_leaves_the_global_generator_alone(network):
    state = torch.random.get_rng_state()
    again, other = vision.new_model(10, seed=0), vision.new_model(10, seed=1)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), again.parameters(), strict=True))
    assert not torch.equal(network.conv1.weight, other.conv1.weight)
    assert network.fc.out_features == 10


def test_a_step_is_gradient_descent_with_momentum_on_the_cross_entropy_of_the_chosen_outputs(network, split):
    network = copy.deepcopy(network).double()
    images, labels, classes = split.pool_images[:6].double(), split.pool_labels[:6], split.fine_tuning_classes
    stage = dataclasses.replace(TWO_EPOCHS, lr=0.01, momentum=0.9)
    trained = vision.train(network, images, labels, classes, 0, stage).model
    reference = copy.deepcopy(network).train()
    velocities = [torch.zeros_like(p) for p in reference.parameters()]
    for _ in range(2):
        reference.zero_grad()
        log_p = reference(images)[:, classes].log_softmax(1)
        (-log_p[torch.arange(6), (labels == classes[1]).long()].mean()).backward()
        with torch.no_grad():
            for p, v in zip(reference.parameters(), velocities, strict=True):
                v.mul_(0.9).add_(p.grad)
                p -= 0.01 * v
    for p, q in zip(trained.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)
    assert not torch.equal(trained.conv1.weight, network.conv1.weight)


def test_a_stage_sees_only_its_own_outputs(network, split):
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.fc.weight[split.pretraining_classes] += 5.0
    runs = [
        vision.train(m, split.pool_images[:8], split.pool_labels[:8], split.fine_tuning_classes, 0, TWO_EPOCHS)
        for m in (network, other)
    ]
    np.testing.assert_array_equal(runs[0].losses, runs[1].losses)
    rows = split.pretraining_classes
    assert torch.equal(runs[1].model.fc.weight[rows], other.fc.weight[rows])
    assert not torch.equal(
        runs[1].model.fc.weight[split.fine_tuning_classes], other.fc.weight[split.fine_tuning_classes]
    )


def test_training_is_deterministic_by_seed_and_leaves_its_start_untouched(network, split):
    before = parameters(network)
    args = (network, split.pretraining_images[:40], split.pretraining_labels[:40], split.pretraining_classes)
    stage = dataclasses.replace(TWO_EPOCHS, batch=16)
    first, again, other = (vision.train(*args, seed, stage) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.losses, again.losses)
    assert torch.equal(first.model.fc.weight, again.model.fc.weight)
    assert not np.array_equal(first.losses, other.losses)
    assert all(torch.equal(p, before[name]) for name, p in network.named_parameters())


def test_bfloat16_training_follows_that_in_float32(network, split):
    images, labels, classes = split.pretraining_images[:256], split.pretraining_labels[:256], split.pretraining_classes
    stage = dataclasses.replace(vision.PRETRAINING, batch=64, max_epochs=4)
    low, full, again = (
        vision.train(network, images, labels, classes, 0, dataclasses.replace(stage, bf16=bf16))
        for bf16 in (True, False, True)
    )
    generator = torch.Generator().manual_seed(0)
    moved = []  # training is chaotic: how far a change of images and weights by the rounding of 16 bits takes it
    for _ in range(4):
        rounded = copy.deepcopy(network)
        with torch.no_grad():
            for numbers in (inputs := images.clone(), *rounded.parameters()):
                numbers.mul_(1 + 2**-9 * torch.randn(numbers.shape, generator=generator))
        moved.append(vision.train(rounded, inputs, labels, classes, 0, stage).losses / full.losses - 1)
    assert np.all(np.abs(low.losses / full.losses - 1) <= 2 * np.max(np.abs(moved)))
    assert np.max(np.abs(moved)) < 0.2  # else the bound would say nothing
    assert not np.array_equal(low.losses, full.losses) and low.model.fc.weight.dtype == torch.float32
    np.testing.assert_array_equal(low.losses, again.losses)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@needs_gpu
def test_training_runs_where_the_images_are(network, split):
    images, labels = split.pool_images[:20].cuda(), split.pool_labels[:20].cuda()
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        done = vision.train(network, images, labels, split.fine_tuning_classes, 0, TWO_EPOCHS)
    alone = vision.train(network, images.cpu(), labels.cpu(), split.fine_tuning_classes, 0, TWO_EPOCHS)
    np.testing.assert_allclose(done.losses, alone.losses, rtol=1e-3)
    assert vision.accuracy(done.model, images, labels, split.fine_tuning_classes) >= 0.5
    found = vision.activations(vision.recalibrate(done.model, images), images)["stem"]
    assert found.shape == (20, 256) and found.is_cuda
    assert vision.participation_ratio(found) == pytest.approx(vision.participation_ratio(found.cpu().numpy()), rel=1e-9)


@needs_gpu
@pytest.mark.parametrize("bf16", [False, True])
def test_a_gpu_replays_the_steps_that_it_would_launch_one_by_one(network, split, monkeypatch, bf16):
    images, labels = split.pool_images[:20].cuda(), split.pool_labels[:20].cuda()
    stage = dataclasses.replace(vision.FINE_TUNING, batch=8, max_epochs=5, bf16=bf16)  # steps of 8, 8 and 4 images
    given = network, images, labels, split.fine_tuning_classes, 0, stage, (images[:10], labels[:10])
    replays = []
    monkeypatch.setattr(
        torch.cuda.CUDAGraph, "replay", lambda self, do=torch.cuda.CUDAGraph.replay: replays.append(do(self))
    )
    replayed = vision.train(*given)
    assert len(replays) == (10 - 1) + (5 - 1) + (5 - 1)  # all but the first of each kind: full, last and watched
    monkeypatch.setattr(training.Replayed, "__call__", lambda self: self._work())
    launched = vision.train(*given)
    np.testing.assert_allclose(replayed.losses, launched.losses, rtol=1e-6)
    np.testing.assert_array_equal(replayed.accuracies, launched.accuracies)
    assert len(set(replayed.losses)) == 5


@pytest.mark.parametrize(
    ("options", "stopped_by", "epochs"),
    [
        ({"loss_below": 1e6}, "loss", 1),
        ({"loss_below": 1e-9, "max_epochs": 2}, "cap", 2),
        ({"max_epochs": 0}, "cap", 0),
        ({"lr": 1e30, "max_epochs": 5}, "divergence", None),
    ],
)
def test_training_says_what_ended_it(network, split, options, stopped_by, epochs):
    stage = dataclasses.replace(vision.FINE_TUNING, **options)
    result = vision.train(network, split.pool_images[:4], split.pool_labels[:4], split.fine_tuning_classes, 0, stage)
    assert result.stopped_by == stopped_by
    assert result.epochs == epochs or (epochs is None and result.epochs < 5)
    assert np.isnan(result.loss) == (stopped_by == "divergence" or epochs == 0)


def test_two_digits_are_learnt_from_fifty_images(network):
    split = vision.DIGITS.split(0)
    images, labels, classes = (
        vision.DIGITS.prepare(split.pool_images[:50]),
        split.pool_labels[:50],
        split.fine_tuning_classes,
    )
    stage = dataclasses.replace(vision.FINE_TUNING, loss_below=0.05, max_epochs=60)
    result = vision.train(network, images, labels, classes, 0, stage)
    assert result.stopped_by == "loss" and result.loss < 0.05 < result.losses[0]
    fitted = vision.recalibrate(result.model, images)
    assert vision.accuracy(fitted, images, labels, classes) == 1.0
    assert vision.accuracy(fitted, vision.DIGITS.prepare(split.test_images), split.test_labels, classes) > 0.8


@pytest.mark.parametrize("bf16", [False, True])
def test_watching_measures_the_accuracy_of_each_epoch_and_changes_nothing(network, split, bf16):
    stage = dataclasses.replace(vision.FINE_TUNING, max_epochs=3, batch=4, bf16=bf16)
    given = split.pool_images[:12], split.pool_labels[:12], split.fine_tuning_classes, 0
    tested = split.test_images[:50], split.test_labels[:50]
    alone, watched = vision.train(network, *given, stage), vision.train(network, *given, stage, tested)
    assert alone.accuracies.shape == (0,) and np.array_equal(alone.losses, watched.losses)
    for (name, a), b in zip(alone.model.state_dict().items(), watched.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    for epochs, found in enumerate(watched.accuracies, 1):
        short = vision.train(network, *given, dataclasses.replace(stage, max_epochs=epochs)).model
        assert found == vision.accuracy(short, *tested, split.fine_tuning_classes, bf16=bf16)
    with pytest.raises(ValueError, match=r"size of the watched images = \(16, 16\) is not allowed"):
        vision.train(network, *given, stage, (torch.zeros(2, 3, 16, 16), given[1][:2]))
    with pytest.raises(ValueError, match="labels"):
        vision.train(network, *given, stage, (split.pretraining_images[:2], split.pretraining_labels[:2]))


def test_a_lone_last_image_joins_the_batch_before():
    sizes = [[len(b) for b in training._batches(torch.arange(n), 4)] for n in (3, 4, 5, 6, 9)]
    assert sizes == [[3], [4], [5], [4, 2], [4, 5]]


def test_published_thresholds_are_the_defaults():
    protocol = vision.Protocol("cifar-100")
    assert (protocol.pretraining, protocol.fine_tuning) == (vision.PRETRAINING, vision.FINE_TUNING)
    assert (vision.PRETRAINING.loss_below, vision.FINE_TUNING.loss_below) == (1e-2, 1e-4)
    for stage in (vision.PRETRAINING, vision.FINE_TUNING):
        assert (stage.lr, stage.momentum, stage.batch, stage.bf16) == (1e-3, 0.9, 128, False)
    assert protocol.n_measured == 500


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch", 1), ("batch", 2.5), ("max_epochs", -1), ("lr", 0.0), ("momentum", -0.9), ("loss_below", -1.0)],
)
def test_a_stage_refuses_what_it_cannot_do(field, value):
    with pytest.raises(ValueError, match=f"{field} = {value:g}.* is not allowed"):
        dataclasses.replace(vision.FINE_TUNING, **{field: value})


def test_training_refuses_labels_of_other_classes_and_a_single_image(network, split):
    images, labels = split.pool_images[:4], split.pool_labels[:4]  # of seed 0, not 0 and 1
    with pytest.raises(ValueError, match="labels = "):
        vision.train(network, images, labels, [0, 1], 0, TWO_EPOCHS)
    with pytest.raises(ValueError, match="number of images = 1"):
        vision.train(network, images[:1], labels[:1], split.fine_tuning_classes, 0, TWO_EPOCHS)


def test_accuracy_counts_the_largest_of_the_chosen_outputs(network, split):
    model = copy.deepcopy(network)
    favoured, absent = split.fine_tuning_classes[0], split.pretraining_classes[0]
    with torch.no_grad():
        model.fc.bias[favoured] = 1e6
        model.fc.bias[absent] = 1e9  # larger, but not among the chosen
    labels = split.test_labels[21:]
    share = float((labels == favoured).double().mean())
    assert share != 0.5
    assert vision.accuracy(model, split.test_images[21:], labels, split.fine_tuning_classes) == pytest.approx(share)


def test_recalibration_sets_running_statistics_to_those_of_the_images_and_nothing_else(network, split):
    images = split.pool_images[:30]
    before = network.bn1.running_mean.clone()
    model = vision.recalibrate(network, images)
    out = network.conv1(images)
    torch.testing.assert_close(model.bn1.running_mean, out.mean((0, 2, 3)))
    torch.testing.assert_close(model.bn1.running_var, out.var((0, 2, 3), unbiased=True), rtol=1e-4, atol=1e-6)
    assert torch.equal(before, network.bn1.running_mean)
    assert model.bn1.momentum == network.bn1.momentum and model.training == network.training
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), network.parameters(), strict=True))


def test_recalibration_weighs_every_image_alike_in_whatever_order(network):
    brightness = torch.linspace(-1, 1, 300)[:, None, None, None]  # graded: the last 44 are the brightest
    images = brightness.expand(-1, 3, 8, 8).contiguous()
    model, out = vision.recalibrate(network, images), network.conv1(images)
    torch.testing.assert_close(model.bn1.running_mean, out.mean((0, 2, 3)), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(model.bn1.running_var, out.var((0, 2, 3)), rtol=1e-3, atol=1e-5)
    turned = vision.recalibrate(network, images.flip(0))
    for a, b in zip(model.buffers(), turned.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


# --------------------------------------------------------------------------------------------------------- protocol


@pytest.mark.parametrize("stage", ["pretraining", "fine_tuning"])
@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(vision.Stage)])
def test_a_record_holds_what_the_stages_share_once_and_is_read_again(stage, field):
    value = {"momentum": 0.5, "bf16": True}.get(field, 7)
    changed = dataclasses.replace(getattr(vision.DIGITS, stage), **{field: value})
    protocol = dataclasses.replace(vision.DIGITS, **{stage: changed})
    assert vision.Protocol.of_record(protocol.record) == protocol != vision.DIGITS
    added = set() if field in ("loss_below", "max_epochs") else {f"fine_tuning_{field}"}
    assert protocol.record.keys() - vision.DIGITS.record.keys() == added


def test_what_is_no_record_is_refused():
    record = vision.DIGITS.record
    with pytest.raises(ValueError, match=r"record = .*'fine_tuning_speed'.* is not allowed"):
        vision.Protocol.of_record({**record, "fine_tuning_speed": 1.0})
    for field in record:
        with pytest.raises(ValueError, match="is not allowed"):
            vision.Protocol.of_record({name: value for name, value in record.items() if name != field})


# --------------------------------------------------------------------------------------------------- representations

matrices = st.tuples(st.integers(2, 9), st.integers(1, 9), st.integers(0, 10**6)).map(
    lambda t: np.random.default_rng(t[2]).normal(size=t[:2]) * np.random.default_rng(t[2]).lognormal(0, 2, t[1])
)
pairs = st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(1, 9), st.integers(0, 10**6)).map(
    lambda t: [np.random.default_rng([t[3], i]).lognormal(0, 1, t[2]) * np.random.default_rng([t[3], i]).normal(
        size=(t[i], t[2])) for i in (0, 1)]
)  # fmt: skip


def direct(a):
    """C = A^T A / trace(A^T A) of centred activations, units x units: the definition."""
    a = a - a.mean(axis=0)
    return a.T @ a / np.trace(a.T @ a)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_measures_equal_their_units_by_units_definitions(pair):
    a, b = pair
    ca, cb = direct(a), direct(b)
    pr_a, pr_b = 1 / np.trace(ca @ ca), 1 / np.trace(cb @ cb)
    assert vision.participation_ratio(a) == pytest.approx(pr_a)
    assert vision.ensd(a, b) == pytest.approx(pr_a * pr_b * np.trace(ca @ cb), rel=1e-9, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_bounds_of_both_measures(pair):
    a, b = pair
    pr_a, pr_b, shared = vision.participation_ratio(a), vision.participation_ratio(b), vision.ensd(a, b)
    rank = np.linalg.matrix_rank(a - a.mean(axis=0))
    assert 1 - 1e-12 <= pr_a <= rank + 1e-9
    assert 0 <= shared <= np.sqrt(pr_a * pr_b) * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_ensd_is_symmetric_and_of_a_representation_with_itself_its_participation_ratio(pair):
    a, b = pair
    assert vision.ensd(a, b) == pytest.approx(vision.ensd(b, a))
    assert vision.ensd(a, a) == pytest.approx(vision.participation_ratio(a))


@settings(max_examples=60, deadline=None)
@given(pairs, st.floats(1e-3, 1e3), st.floats(-5, 5))
def test_a_common_rotation_a_shift_and_rescalings_change_nothing(pair, scale, shift):
    a, b = pair
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(a.shape[1], a.shape[1])))[0]
    assert vision.ensd(scale * a @ rotation + shift, b @ rotation - shift) == pytest.approx(vision.ensd(a, b), rel=1e-6)
    assert vision.participation_ratio(scale * a @ rotation + shift) == pytest.approx(
        vision.participation_ratio(a), rel=1e-6
    )


def with_spectrum(variances):
    """Activations of uncorrelated units with the given variances: centred orthogonal columns."""
    k = len(variances)
    basis = np.linalg.qr(np.column_stack([np.ones(k + 1), np.random.default_rng(0).normal(size=(k + 1, k))]))[0]
    return basis[:, 1:] * np.sqrt(variances)


def test_known_spectra_give_known_dimensions():
    p, q = np.array([4.0, 2.0, 1.0, 1.0]), np.array([1.0, 0.0, 3.0, 0.0])
    pr_p, pr_q = p.sum() ** 2 / (p @ p), q.sum() ** 2 / (q @ q)
    assert vision.participation_ratio(with_spectrum(p)) == pytest.approx(pr_p)
    assert vision.participation_ratio(with_spectrum(np.ones(7))) == pytest.approx(7)
    assert vision.ensd(with_spectrum(p), with_spectrum(q)) == pytest.approx(pr_p * pr_q * (p @ q) / (p.sum() * q.sum()))
    assert vision.ensd(with_spectrum([1.0, 1.0, 0.0, 0.0]), with_spectrum([0.0, 0.0, 1.0, 5.0])) == pytest.approx(0)


def test_equal_variances_of_the_units_do_not_make_the_participation_ratio_the_rank():
    one, other = with_spectrum([1.0, 1.0]).T
    twins = np.column_stack([one, one, other])  # two units that are the same, and a third: eigenvalues 2, 1 and 0
    np.testing.assert_allclose(twins.var(axis=0), twins[:, 0].var())
    assert np.linalg.matrix_rank(twins) == 2 and vision.participation_ratio(twins) == pytest.approx(9 / 5)
    assert vision.participation_ratio(np.column_stack([one, other, 0 * one])) == pytest.approx(2)


def test_shared_dimensions_can_exceed_the_smaller_participation_ratio():
    a, b = with_spectrum([1.0, 0.0]), with_spectrum([0.9, 0.1])
    assert vision.participation_ratio(a) == pytest.approx(1)
    assert vision.ensd(a, b) == pytest.approx(0.9 / 0.82)


def test_many_units_need_no_units_by_units_matrix():
    a = np.random.default_rng(0).normal(size=(5, 300_000))  # its covariance would take 720 GB
    assert vision.ensd(a, a) == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("bad", [np.ones((4, 3)), np.array([[1.0, np.nan], [0.0, 1.0]]), np.ones(3)])
def test_activations_without_variance_finiteness_or_two_axes_are_refused(bad):
    with pytest.raises(ValueError, match="A "):
        vision.participation_ratio(bad)


def test_representations_of_different_units_share_nothing_that_could_be_measured():
    with pytest.raises(ValueError, match="B has 2 units"):
        vision.ensd(np.eye(3), np.eye(3)[:, :2])


def test_not_centred_measures_equal_their_definitions_and_see_the_mean():
    A, B = np.random.default_rng(0).standard_normal((2, 40, 6)) + 3.0
    C, D = A.T @ A / np.trace(A.T @ A), B.T @ B / np.trace(B.T @ B)
    found = vision.dimensions(A, B, centred=False)
    expected = 1 / np.trace(C @ C), 1 / np.trace(D @ D), np.trace(C @ D) / np.trace(C @ C) / np.trace(D @ D)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose((found[0], found[2]), (vision.participation_ratio(A, False), vision.ensd(A, B, False)))
    assert found[0] < 2 < 4 < vision.participation_ratio(A)  # the mean is one direction with most of the norm


def test_batch_statistics_are_those_of_all_images_and_the_network_is_kept(network, split):
    images, before = split.test_images[:20], copy.deepcopy(network.state_dict())
    found = vision.activations(network.eval(), images, 3, batch_statistics=True)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), network.state_dict().values(), strict=True))
    assert not network.training
    with torch.no_grad():
        x = network.conv1(images)
        x = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        stem = network.maxpool(x.relu())
    np.testing.assert_allclose(found["stem"], stem.flatten(1), rtol=1e-3, atol=1e-4)
    settled = vision.activations(vision.recalibrate(network, images), images)  # but for n / (n - 1) of the variances
    assert not np.allclose(settled["stage 4"], vision.activations(network, images)["stage 4"], rtol=0.1)
    one, other = (vision.participation_ratio(a["stage 4"]) for a in (found, settled))
    assert one == pytest.approx(other, rel=0.05)


def test_activations_end_where_the_readout_begins(network, split):
    images = split.test_images[:7]
    model = copy.deepcopy(network).train()
    found = vision.activations(model, images, batch=3)
    assert model.training and tuple(found) == vision.STAGES
    assert [a.shape for a in found.values()] == [(7, 256), (7, 256), (7, 128), (7, 256), (7, 512)]
    with torch.no_grad():
        outputs = network.eval()(images)
        from_stage_4 = network.fc(found["stage 4"].float())
    torch.testing.assert_close(from_stage_4, outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["stage 2"], vision.activations(model, images)["stage 2"], atol=1e-5)


# ----------------------------------------------------------------------------------------------------------- trends


def test_the_knobs_of_a_table_are_in_their_order():
    table = pd.DataFrame({"knob": ["weights", "baseline", "untrained", "kappa_ft", "kappa"]})
    assert trends.knobs_of(table) == ["kappa", "weights"]


def test_signature_is_that_of_one_stage_run_by_run():
    rows = [(s, stage, 8.0 + s, (8.0 + s) / 2, (8.0 + s) / 8 if stage == "stage 4" else 9.0)
            for s in range(3) for stage in vision.STAGES]  # fmt: skip
    found = vision.signature(pd.DataFrame(rows, columns=["seed", "stage", "pr_before", "pr_after", "ensd"]))
    assert found["seed"].tolist() == [0, 1, 2] and set(found["stage"]) == {"stage 4"}
    np.testing.assert_allclose(found["change"], np.log(0.5))
    np.testing.assert_allclose(found["inherited"], 0.25)


def test_signature_is_measured_by_the_convention_and_on_the_images_that_are_asked_for():
    cases = list(itertools.product(vision.CONVENTIONS, vision.MEASURED_ON))
    table = {"stage": ["stage 4"]}
    for i, case in enumerate(cases, 2):
        table |= dict(zip(vision.columns_of(*case), ([1.0], [float(i)], [i / 10]), strict=True))
    assert len(table) == 1 + 3 * len(cases)
    for i, case in enumerate(cases, 2):
        found = vision.signature(pd.DataFrame(table), "stage 4", *case)
        assert found["change"].item() == pytest.approx(np.log(i)) and found["inherited"].item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="convention = 'mine' is not allowed: it must be one of evaluation, recal"):
        vision.columns_of("mine")
    with pytest.raises(ValueError, match="measured_on = 'mine' is not allowed: it must be one of test, fine-tuning"):
        vision.columns_of("batch", "mine")


def test_causes_are_the_slopes_differences_paired_over_splits():
    rng = np.random.default_rng(0)
    settings = [("baseline", 1.0), ("kappa", 0.25), ("kappa", 4.0), ("c", 2.0)]
    points = [(s, *place, n) for s in range(4) for place in settings for n in (10, 20)]
    table = pd.DataFrame(points, columns=["seed", "knob", "value", "n"])
    table = table.assign(**{column: rng.random(len(table)) for column in vision.ACCURACIES})
    strict = table[(table["n"] == 20) & (table["value"] <= 1) & (table["seed"] > 0)]
    strict = strict.assign(accuracy=strict["accuracy"] - 0.01 * (1 + strict["seed"]) * np.log2(strict["value"]))
    found = vision.causes(table, "kappa")
    assert list(found) == ["as trained", "best epoch", "recalibrated"]
    by = table.pivot(index=["seed", "n"], columns=["knob", "value"])
    slope = {a: (by[a, "kappa", 4.0] - by[a, "kappa", 0.25]).groupby("seed").mean() / 4 for a in vision.ACCURACIES}
    assert found["as trained"].mean == pytest.approx(slope["accuracy"].mean())
    gained = slope["accuracy_maximum"] - slope["accuracy"]
    assert found["best epoch"].mean == pytest.approx(gained.mean())
    assert found["best epoch"].half == pytest.approx(3.182446 * gained.std() / 2, rel=1e-6)  # t of 3 degrees of freedom
    early, late = vision.slopes_of_both(table, strict, "kappa")
    np.testing.assert_allclose(late - early, [-0.02, -0.03, -0.04], rtol=1e-9)
    first = by["accuracy", "baseline", 1.0] - by["accuracy", "kappa", 0.25]
    np.testing.assert_allclose(early, first.xs(20, level="n")[1:] / 2)
    with pytest.raises(ValueError, match=r"knob = 'c' is not allowed: it must be one of baseline$"):
        vision.slopes_of_both(table, strict[strict["knob"] != "c"], "c")
    with pytest.raises(ValueError, match=r"columns = \{\} is not allowed: it must be one at least"):
        vision.causes(table, "c", columns={})


def test_causes_of_the_signature_are_those_of_its_conventions():
    rng = np.random.default_rng(1)
    columns = [column for convention in vision.CONVENTIONS for column in vision.columns_of(convention)]
    settings = [("baseline", 1.0), ("c", 0.5), ("c", 2.0)]
    points = [(s, *place, 10, "stage 4") for s in range(5) for place in settings]
    table = pd.DataFrame(points, columns=["seed", "knob", "value", "n", "stage"])
    table = table.assign(**{column: 1 + rng.random(len(table)) for column in columns})
    runs = vision.signatures(table)
    ways = {"inherited": "as trained", "inherited_published": "published", "inherited_recalibrated": "settled"}
    found = vision.causes(runs, "c", columns=ways, expected_sign=-1)
    assert list(found) == list(ways.values())
    shares = {way: table[f"ensd{way}"] / table[f"pr_after{way}"] for way in ("", "_published")}
    each = {}
    for way, share in shares.items():
        by = table.assign(share=share).pivot(index="seed", columns=["knob", "value"], values="share")
        each[way] = (by["c", 2.0] - by["c", 0.5]) / 2
    assert found["as trained"].mean == pytest.approx(each[""].mean())
    assert found["published"].mean == pytest.approx((each["_published"] - each[""]).mean())


def test_published_table_has_a_mean_for_every_sample_size_and_rises_with_it():
    rows = [*trends.PUBLISHED_SCALING.values(), trends.PUBLISHED_UNTRAINED]
    assert {len(row) for row in rows} == {len(vision.SAMPLE_SIZES)}
    assert all(later > earlier - 0.01 for row in rows for earlier, later in itertools.pairwise(row))


# --------------------------------------------------------------------------------------------------- stored results


@pytest.fixture(scope="module")
def stored():
    names = ("vision.parquet", "representations.parquet")
    return {name: SWEEP.read_table(results_file(name)) for name in names}


def test_stored_results_say_how_they_were_made(stored):
    (_, provenance), (_, other) = stored.values()
    assert provenance == other and provenance["made by"] == SWEEP.made_by and provenance["date"]
    protocol = vision.Protocol.of_record(provenance["protocol"])
    assert protocol.record == provenance["protocol"] and protocol.dataset == "fashion-mnist"
    assert (protocol.pretraining.lr, protocol.pretraining.batch) == (1e-3, 128)
    assert all(record["pretraining_stopped_by"] in ("loss", "cap") for record in provenance["pretrainings"])


def test_stored_results_hold_their_grid_once_for_each_split_and_fine_tune_every_class_equally_often(stored):
    (points, made), (stages, _) = stored.values()
    classes = [vision.split_classes(10, made["protocol"]["n_ft"], seed)[0] for seed in points["seed"].unique()]
    assert len(classes) >= 5 and len(set(np.bincount(np.concatenate(classes), minlength=10))) == 1
    wanted = {(seed, *point) for seed in points["seed"].unique() for point in vision.grid()}
    found = list(points[["seed", "knob", "value", "n"]].itertuples(index=False, name=None))
    assert wanted <= set(found) and len(found) == len(set(found))
    assert all(len(vision.values_of(points, knob)) >= 4 for knob in vision.KNOBS)
    assert len(stages) == len(points) * len(vision.STAGES)
    assert set(points["stopped_by"]) <= {"loss", "cap"}
    assert all(points[column].between(0, 1).all() for column in vision.ACCURACIES)
    assert (points["accuracy_maximum"] >= points["accuracy"]).all()


def test_stored_dimensions_obey_their_bounds(stored):
    t = stored["representations.parquet"][0]
    for convention, measured_on in itertools.product(vision.CONVENTIONS, vision.MEASURED_ON):
        before, after, shared = (t[column] for column in vision.columns_of(convention, measured_on))
        assert (np.minimum(before, after) >= 1 - 1e-5).all() and (np.maximum(before, after) < 500).all()
        assert (shared <= np.sqrt(before * after) * (1 + 1e-5)).all()


@pytest.mark.parametrize(
    "folder, fields",
    [
        ("controls", set()),
        ("stricter", {"fine_tuning_loss", "fine_tuning_cap"}),
        ("smaller", {"pretraining_images"}),
        ("tiny_imagenet/stricter", {"fine_tuning_loss"}),
        ("tiny_imagenet/smaller", {"images_per_class", "pretraining_cap"}),
        ("tiny_imagenet/smaller_stricter", {"images_per_class", "pretraining_cap", "fine_tuning_loss"}),
        ("tiny_imagenet/fewer_classes", {"n_pt", "images_per_class", "pretraining_cap"}),
    ],
)
def test_tables_beside_the_main_one_differ_from_it_in_what_they_are_about(folder, fields):
    main = f"{folder.rpartition('/')[0]}/vision.parquet".lstrip("/")
    (rows, made), (others, other) = (SWEEP.read_table(results_file(x)) for x in (main, f"{folder}/vision.parquet"))
    protocols = [one["protocol"] for one in (made, other)]
    names = set().union(*protocols)
    assert {name for name in names if protocols[0].get(name) != protocols[1].get(name)} == fields
    assert set(others["seed"]) <= set(rows["seed"]) and set(others["n"]) <= set(rows["n"])


@pytest.mark.parametrize(
    ("folder", "classes", "pretrained"),
    [
        ("tiny_imagenet", 200, 98),
        ("tiny_imagenet/smaller", 200, 98),
        ("tiny_imagenet/fewer_classes", 200, 20),
        ("cifar_10", 10, 8),
    ],
)
def test_a_table_in_colour_has_its_grid_once_for_each_split_and_fine_tunes_no_class_twice(folder, classes, pretrained):
    (points, made), (stages, other) = (
        SWEEP.read_table(results_file(f"{folder}/{name}.parquet")) for name in ("vision", "representations")
    )
    protocol = vision.Protocol.of_record(made["protocol"])
    assert made == other and (protocol.n_pt or classes - protocol.n_ft, protocol.n_ft) == (pretrained, 2)
    assert protocol.pretraining.loss_below == protocol.fine_tuning.loss_below == 1e-2
    assert protocol.digest == made["images"]["sha256"] and len(made["images"]["classes"]) == classes
    images = pretrained * (protocol.images_per_class or min(made["images"]["training_images"]))
    assert (points["pretraining_images"] == images * (points["knob"] != "untrained")).all()
    settings = {(knob, value) for knob in vision.knobs_of(points) for value in vision.values_of(points, knob)}
    settings = {vision.BASELINE if value == 1 else (knob, value) for knob, value in settings} | {vision.UNTRAINED}
    settings |= {("kappa_rate", 0.25), ("epochs", 31.0)} if "smaller" in folder else set()  # the controls
    seeds, sizes = points["seed"].unique(), vision.sizes_of(points)
    ran = [knob for knob in vision.KNOBS if knob != "c" or "fewer" not in folder]  # c was not run from few classes
    assert vision.knobs_of(points) == ran and (sizes[0], sizes[-1]) == (10, 500)
    found = list(points[["seed", "knob", "value", "n"]].itertuples(index=False, name=None))
    assert {(seed, *place, n) for seed in seeds for place in settings for n in sizes} == set(found)
    assert len(found) == len(set(found)) and len(stages) == len(points) * len(vision.STAGES)
    fine_tuned = np.concatenate([vision.split_classes(classes, 2, seed, protocol.n_pt)[1] for seed in seeds])
    assert len(fine_tuned) == len(set(fine_tuned.tolist())) <= classes
    assert set(points["stopped_by"]) == {"loss"} and (points["accuracy_maximum"] >= points["accuracy"]).all()


# ---------------------------------------------------------------------------------------------------------- imports


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize(("module", "late"), [("ptft", "torch"), ("ptft.vision", "torchvision")])
def test_what_takes_long_to_import_waits_until_it_is_needed(module, late):
    done = run_python(f"import sys, {module}; print({late!r} in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


MISSING = """
import sys
for missing in ("torchvision", "PIL"):
    sys.modules[missing] = None
    try:
        from ptft import vision
    except ImportError as error:
        print(error)
    del sys.modules[missing]
"""


def test_missing_library_is_named_with_its_remedy():
    done = run_python(MISSING)
    first, second = done.stdout.splitlines()
    for missing, said in (("torchvision", first), ("PIL", second)):
        assert missing in said and "pip install 'ptft[vision]'" in said, done
