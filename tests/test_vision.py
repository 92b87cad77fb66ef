"""The residual-network experiments: data, training, rescalings, representations, sweep and stored results."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from ptft import vision  # noqa: E402
from ptft.vision import __main__ as command_line  # noqa: E402
from ptft.vision import sweep, tables, training, trends  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network():
    return vision.new_model(10, seed=0)


@pytest.fixture(scope="module")
def split():
    images, labels = vision.load("digits")
    return vision.split_dataset(vision.normalize(images), labels, n_ft=2, n_test=150, seed=0)


def parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


# ------------------------------------------------------------------------------------------------------------- data


def test_digits_are_1797_images_with_equal_channels_between_0_and_1():
    images, labels = vision.load("digits")
    assert images.shape == (1797, 3, 8, 8) and labels.shape == (1797,)
    assert images.min() == 0 and images.max() == 1
    assert torch.equal(images[:, 0], images[:, 2])
    assert labels.unique().tolist() == list(range(10))


def test_unknown_data_set_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"name = 'cifar-7'.*digits"):
        vision.load("cifar-7")


def test_normalising_maps_black_to_minus_one_white_to_one_and_resizes():
    images = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    small, large = vision.normalize(images), vision.normalize(images, size=16)
    assert small.shape == (2, 3, 8, 8) and large.shape == (2, 3, 16, 16)
    assert (small[0] == -1).all() and (large[1] == 1).all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), n_ft=st.integers(2, 8))
def test_class_split_is_a_partition_fixed_by_its_seed(seed, n_ft):
    pretraining, fine_tuning = vision.split_classes(10, n_ft, seed)
    assert len(fine_tuning) == n_ft
    assert sorted([*pretraining, *fine_tuning]) == list(range(10))
    np.testing.assert_array_equal(fine_tuning, vision.split_classes(10, n_ft, seed)[1])


def test_class_splits_of_different_seeds_differ():
    assert len({tuple(vision.split_classes(10, 2, seed)[1]) for seed in range(20)}) > 10


@pytest.mark.parametrize(("n_classes", "n_ft"), [(10, 1), (10, 9), (3, 2)])
def test_class_split_needs_two_classes_on_each_side(n_classes, n_ft):
    with pytest.raises(ValueError, match=r"n_(ft|classes) = \d+ is not allowed"):
        vision.split_classes(n_classes, n_ft, seed=0)


def test_pretraining_pool_and_test_set_share_no_image_and_no_class_crosses_over(split):
    labels = [set(x.tolist()) for x in (split.pretraining_labels, split.pool_labels, split.test_labels)]
    assert labels[0] == set(split.pretraining_classes.tolist())
    assert labels[1] == labels[2] == set(split.fine_tuning_classes.tolist())
    images, _ = vision.load("digits")
    distinct = {x.numpy().tobytes() for x in vision.normalize(images)}
    assert len(distinct) == len(images)  # so that equal bytes mean the same image
    pool, test = ({x.numpy().tobytes() for x in part} for part in (split.pool_images, split.test_images))
    assert not pool & test


@pytest.mark.parametrize("n", [10, 20, 50, 100])
def test_first_images_of_the_pool_and_the_test_set_are_balanced(split, n):
    for labels in (split.pool_labels[:n], split.test_labels):
        first, second = (int((labels == c).sum()) for c in split.fine_tuning_classes)
        assert first == second == len(labels) / 2


@pytest.mark.parametrize("n_test", [151, 1, 1000])
def test_test_set_that_cannot_be_balanced_is_refused(n_test):
    images, labels = vision.load("digits")
    with pytest.raises(ValueError, match=f"n_test = {n_test}"):
        vision.split_dataset(images, labels, n_ft=2, n_test=n_test, seed=0)


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
    model = training.copy.deepcopy(network).double().train()
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
    trained = vision.pretrain(scaled, noise, labels, [0, 1, 2], seed=0, lr=1e-3, max_epochs=2).model
    reference = training.copy.deepcopy(sharp_network).train()
    early = [p for m in EARLY for p in getattr(reference, m).parameters()]
    late = [p for m in ("layer4", "fc") for p in getattr(reference, m).parameters()]
    groups = [{"params": early, "lr": 1e-3 / kappa**2}, {"params": late, "lr": 1e-3}]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(reference(noise)[:, :3], labels).backward()
        optimizer.step()
    equal = vision.scale_early_layers(reference, kappa)
    for p, q in zip(trained.parameters(), equal.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)
    assert not torch.equal(trained.conv1.weight, scaled.conv1.weight)


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_training_with_scale_c_is_training_with_outputs_times_c_squared_at_the_learning_rate_over_c_squared(
    sharp_network, noise, c
):
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    start = training.copy.deepcopy(sharp_network)
    start.fc.bias.requires_grad_(False)
    trained = vision.pretrain(vision.scale_parameters(start, c), noise, labels, [0, 1, 2], seed=0, max_epochs=2).model
    optimizer = torch.optim.SGD([p for p in start.parameters() if p.requires_grad], lr=1e-3 / c**2, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(c**2 * start(noise)[:, :3], labels).backward()
        optimizer.step()
    for p, q in zip(trained.parameters(), vision.scale_parameters(start, c).parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)
    assert not torch.equal(start.conv1.weight, sharp_network.conv1.weight)


# --------------------------------------------------------------------------------------------------------- training


def test_initialization_is_fixed_by_its_seed_and_leaves_the_global_generator_alone(network):
    state = torch.random.get_rng_state()
    again, other = vision.new_model(10, seed=0), vision.new_model(10, seed=1)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), again.parameters(), strict=True))
    assert not torch.equal(network.conv1.weight, other.conv1.weight)
    assert network.fc.out_features == 10


def test_a_step_is_gradient_descent_with_momentum_on_the_cross_entropy_of_the_chosen_outputs(network, split):
    network = training.copy.deepcopy(network).double()
    images, labels, classes = split.pool_images[:6].double(), split.pool_labels[:6], split.fine_tuning_classes
    trained = vision.fine_tune(network, images, labels, classes, seed=0, lr=0.01, momentum=0.9, max_epochs=2).model
    reference = training.copy.deepcopy(network).train()
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
    other = training.copy.deepcopy(network)
    with torch.no_grad():
        other.fc.weight[split.pretraining_classes] += 5.0
    runs = [
        vision.fine_tune(
            m, split.pool_images[:8], split.pool_labels[:8], split.fine_tuning_classes, seed=0, max_epochs=2
        )
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
    first, again, other = (vision.pretrain(*args, seed=s, batch=16, max_epochs=2) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.losses, again.losses)
    assert torch.equal(first.model.fc.weight, again.model.fc.weight)
    assert not np.array_equal(first.losses, other.losses)
    assert all(torch.equal(p, before[name]) for name, p in network.named_parameters())


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
    result = vision.fine_tune(
        network, split.pool_images[:4], split.pool_labels[:4], split.fine_tuning_classes, seed=0, **options
    )
    assert result.stopped_by == stopped_by
    assert result.epochs == epochs or (epochs is None and result.epochs < 5)
    assert np.isnan(result.loss) == (stopped_by == "divergence" or epochs == 0)


def test_two_digits_are_learnt_from_fifty_images(network):
    split = vision.Protocol().split(0)
    images, labels, classes = split.pool_images[:50], split.pool_labels[:50], split.fine_tuning_classes
    result = vision.fine_tune(network, images, labels, classes, seed=0, loss_below=0.05, max_epochs=60)
    assert result.stopped_by == "loss" and result.loss < 0.05 < result.losses[0]
    fitted = vision.recalibrate(result.model, images)
    assert vision.accuracy(fitted, images, labels, classes) == 1.0
    assert vision.accuracy(fitted, split.test_images, split.test_labels, classes) > 0.8


def test_a_lone_last_image_joins_the_batch_before():
    sizes = [[len(b) for b in training._batches(torch.arange(n), 4)] for n in (3, 4, 5, 6, 9)]
    assert sizes == [[3], [4], [5], [4, 2], [4, 5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 1}, "batch = 1"),
        ({"max_epochs": -1}, "max_epochs = -1"),
        ({"lr": 0.0}, "lr"),
        ({"loss_below": -1.0}, "loss_below"),
        ({"classes": [0, 1]}, "labels = "),
    ],
)
def test_training_refuses_what_it_cannot_do(network, split, options, message):
    options = {"classes": split.fine_tuning_classes, **options}  # of seed 0, not 0 and 1
    with pytest.raises(ValueError, match=message):
        vision.fine_tune(network, split.pool_images[:4], split.pool_labels[:4], seed=0, **options)


def test_accuracy_counts_the_largest_of_the_chosen_outputs(network, split):
    model = training.copy.deepcopy(network)
    favoured, absent = split.fine_tuning_classes[0], split.pretraining_classes[0]
    with torch.no_grad():
        model.fc.bias[favoured] = 1e6
        model.fc.bias[absent] = 1e9  # larger, but not among the chosen
    labels = split.test_labels[20:]
    share = float((labels == favoured).double().mean())
    assert share != 0.5
    assert vision.accuracy(model, split.test_images[20:], labels, split.fine_tuning_classes) == pytest.approx(share)


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


def test_activations_end_where_the_readout_begins(network, split):
    images = split.test_images[:7]
    model = training.copy.deepcopy(network).train()
    found = vision.activations(model, images, batch=3)
    assert model.training and tuple(found) == vision.STAGES
    assert [a.shape for a in found.values()] == [(7, 256), (7, 256), (7, 128), (7, 256), (7, 512)]
    with torch.no_grad():
        outputs = network.eval()(images)
        from_stage_4 = network.fc(torch.from_numpy(found["stage 4"]).float())
    torch.testing.assert_close(from_stage_4, outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["stage 2"], vision.activations(model, images)["stage 2"], atol=1e-5)


# ------------------------------------------------------------------------------------------------------------ sweep

TINY = vision.Protocol(size=8, n_test=10, pretraining_cap=1, fine_tuning_cap=1)
FIRST, SECOND = vision.Point("baseline", 1.0, 10), vision.Point("gamma", 0.1, 10)


@pytest.fixture
def few_digits(monkeypatch):
    images, labels = vision.load("digits")
    monkeypatch.setattr(sweep, "load", lambda name: (images[:200], labels[:200]))


def test_grid_runs_the_baseline_once_and_every_knob_at_scales_other_than_one():
    points = vision.grid((10, 20))
    assert len(points) == len(set(points)) == 2 * (2 + sum(map(len, vision.KNOBS.values())))
    assert all(p.value != 1 for p in points if p.knob in vision.KNOBS)
    assert [p.n for p in points if p.knob == "baseline"] == [10, 20]


def test_knobs_after_pretraining_share_the_pretraining_of_the_baseline():
    starts = {knob: sweep.start_of(vision.Point(knob, 0.5, 10)) for knob in vision.KNOBS}
    assert starts["gamma"] == starts["weights"] == vision.BASELINE
    assert starts["kappa"] == ("kappa", 0.5) and starts["c"] == ("c", 0.5)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(vision.Protocol)])
def test_every_field_of_the_protocol_changes_its_key(field):
    value = getattr(TINY, field)
    other = dataclasses.replace(TINY, **{field: value + "2" if isinstance(value, str) else value * 2})
    assert other.key != TINY.key == dataclasses.replace(TINY).key


def test_interrupted_sweep_resumes_with_what_is_missing_and_never_mixes_protocols(tmp_path, monkeypatch, few_digits):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    calls = []
    fine_tune = sweep.fine_tune

    def second_call_is_killed(*args, **kwargs):
        calls.append(1)
        return fine_tune(*args, **kwargs) if len(calls) == 1 else interrupted()

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "fine_tune", second_call_is_killed)
        with pytest.raises(KeyboardInterrupt):
            vision.run(TINY, [0], [FIRST, SECOND], tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "pretrain", interrupted)  # the checkpoint serves both points
        found = vision.run(TINY, [0], [FIRST, SECOND], tmp_path)
        patch.setattr(sweep, "fine_tune", interrupted)  # nothing is left to do
        assert vision.run(TINY, [0], [FIRST, SECOND], tmp_path) == found
        with pytest.raises(KeyboardInterrupt):
            vision.run(dataclasses.replace(TINY, lr=0.1), [0], [FIRST], tmp_path)
    assert [(r["seed"], r["knob"], r["value"], r["n"]) for r in found] == [(0, *FIRST), (0, *SECOND)]
    assert not list(tmp_path.rglob(".*"))  # no temporary file
    assert {r["pretraining_stopped_by"] for r in found} == {"cap"} and found[0]["pretraining_epochs"] == 1
    again = sweep.fine_tune_point(TINY, TINY.split(0), 0, vision.pretrain_point(TINY, TINY.split(0), 0).model, SECOND)
    assert again["loss"] == found[1]["loss"] and again["stages"] == found[1]["stages"]  # checkpoint = training


def test_untrained_control_starts_from_the_initialization(network):
    split = TINY.split(0)
    start = vision.pretrain_point(TINY, split, 0, sweep.UNTRAINED)
    assert start.epochs == 0 and torch.equal(start.model.fc.weight, network.fc.weight)


@pytest.mark.parametrize("n", [1, 10**6])
def test_sample_size_outside_the_pool_is_refused(network, n):
    with pytest.raises(ValueError, match=f"n = {n}"):
        sweep.fine_tune_point(TINY, TINY.split(0), 0, network, vision.Point("baseline", 1.0, n))


def test_dead_activations_have_no_dimension():
    dead = np.zeros((4, 3))
    assert all(np.isnan(x) for x in sweep._dimensions(dead, dead).values())


# ----------------------------------------------------------------------------------------------------------- tables

ROWS = [
    {"dataset": "digits", "seed": s, "knob": "c", "value": 0.5, "n": 10, "stage": "stem", "pr_before": 1.25}
    | {"pr_after": 1.0 + s, "ensd": 1.0}
    for s in (0, 1)
]


def test_table_returns_what_was_written_with_its_provenance(tmp_path):
    path = tmp_path / "t.csv"
    tables.write_table(path, tables.REPRESENTATION_COLUMNS, ROWS, {"key": "a", "protocol": {"lr": 0.1}})
    table = vision.read_table(path)
    assert table.dtype.names == tables.REPRESENTATION_COLUMNS
    assert table["pr_after"].tolist() == [1.0, 2.0] and set(table["stage"]) == {"stem"}
    assert vision.table_protocol(path) == {"key": "a", "protocol": {"lr": 0.1}}
    assert np.array_equal(table, tables.as_table(tables.REPRESENTATION_COLUMNS, ROWS))


def test_table_grows_but_loses_no_other_result(tmp_path):
    path = tmp_path / "t.csv"
    tables.write_table(path, tables.REPRESENTATION_COLUMNS, ROWS[:1], {"key": "a"})
    tables.write_table(path, tables.REPRESENTATION_COLUMNS, ROWS, {"key": "a"})
    for rows, key in ((ROWS[:1], "a"), (ROWS, "b")):
        with pytest.raises(FileExistsError, match="other results"):
            tables.write_table(path, tables.REPRESENTATION_COLUMNS, rows, {"key": key})
    assert len(vision.read_table(path)) == 2
    tables.write_table(path, tables.REPRESENTATION_COLUMNS, ROWS[:1], {"key": "b"}, replace=True)
    assert len(vision.read_table(path)) == 1


def test_command_writes_both_tables(tmp_path, monkeypatch, capsys, few_digits):
    monkeypatch.setattr(command_line, "Protocol", lambda: TINY)
    monkeypatch.setattr(command_line, "grid", lambda sizes: [vision.Point("untrained", 0.0, n) for n in sizes])
    command_line.main(["--seeds", "2", "--n", "4", "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")])
    assert capsys.readouterr().out.startswith("2 points")
    table = vision.read_table(tmp_path / "out" / "digits.csv")
    assert table.dtype.names == tables.ACCURACY_COLUMNS and table["seed"].tolist() == [0, 1]
    assert len(vision.read_table(tmp_path / "out" / "digits_representations.csv")) == 2 * len(vision.STAGES)


# ----------------------------------------------------------------------------------------------------------- trends


def synthetic(slope, seeds=6):
    """Accuracy falling by `slope` per doubling, around a level of its own for each seed."""
    kind = np.dtype([("seed", int), ("knob", "U9"), ("value", float), ("n", int), ("accuracy", float)])
    settings = [("baseline", 1.0), ("c", 0.5), ("c", 2.0), ("c", 8.0)]
    rows = [(s, k, v, 10, 0.5 + 0.05 * s - (slope + 0.001 * s) * np.log2(v)) for s in range(seeds) for k, v in settings]
    return np.array(rows, dtype=kind)


def test_slopes_and_differences_are_paired_by_seed_and_meet_at_the_baseline():
    table = synthetic(0.02)
    np.testing.assert_allclose(trends.slopes(table, "c", 10), [-0.02 - 0.001 * s for s in range(6)])
    np.testing.assert_allclose(trends.differences(table, "c", 8.0, 10), [-3 * (0.02 + 0.001 * s) for s in range(6)])
    sizes, mean, error = trends.curve(table, "c", 1.0)
    assert sizes.tolist() == [10] and mean[0] == pytest.approx(0.625)
    assert error[0] == pytest.approx(np.std(0.05 * np.arange(6), ddof=1) / np.sqrt(6))


@pytest.mark.parametrize(("slope", "verdict"), [(0.02, "agree"), (-0.02, "disagree"), (-0.0025, "undecided")])
def test_verdict_says_on_which_side_of_zero_the_interval_lies(slope, verdict):
    effect = trends.paired_effect(trends.slopes(synthetic(slope), "c", 10), expected_sign=-1)
    assert effect.verdict == verdict and effect.low < effect.mean < effect.high and effect.splits == 6


def test_interval_covers_the_mean_of_normal_samples_at_its_level():
    draws = np.random.default_rng(0).normal(size=(2000, 5))
    effects = [trends.paired_effect(x, 1) for x in draws]
    covered = np.mean([e.low <= 0 <= e.high for e in effects])
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 2000))


def test_signature_compares_the_last_stage_before_and_after_split_by_split():
    kind = np.dtype([("seed", int), ("knob", "U9"), ("value", float), ("n", int), ("stage", "U7"),
                     ("pr_before", float), ("pr_after", float), ("ensd", float)])  # fmt: skip
    settings = {(p.knob, p.value) for p in vision.grid()}
    rows = [(s, k, v, 10, stage, 8.0 + s, (8.0 + s) / 2, (8.0 + s) / 4 if stage == "stage 4" else 9.0)
            for s in range(3) for k, v in settings for stage in vision.STAGES]  # fmt: skip
    found = trends.signature(np.array(rows, dtype=kind), 10)
    assert {(x.knob, x.value) for x in found} == settings - {sweep.UNTRAINED}
    for x in found:
        assert (x.pr_before, x.pr_after, x.inherited) == (9.0, 4.5, 0.5)
        assert x.change.mean == pytest.approx(np.log(0.5)) and x.change.verdict == "agree"


def test_capped_pretraining_counts_splits_and_leaves_out_what_was_not_pretrained():
    kind = np.dtype([("seed", int), ("knob", "U9"), ("value", float), ("pretraining_epochs", int),
                     ("pretraining_stopped_by", "U4")])  # fmt: skip
    rows = [(0, "c", 4.0, 12, "cap"), (0, "c", 4.0, 12, "cap"), (1, "c", 4.0, 9, "loss"), (0, "untrained", 0, 0, "cap")]
    assert trends.capped_pretraining(np.array(rows, dtype=kind)) == {("c", 4.0): 0.5}


def test_trends_refuse_what_the_table_does_not_hold():
    with pytest.raises(ValueError, match="must be in the table"):
        trends.by_seed(synthetic(0.1), "c", 3.0, 10)
    with pytest.raises(ValueError, match="number of samples = 1"):
        trends.paired_effect([1.0], 1)
    with pytest.raises(ValueError, match="expected_sign = 2"):
        trends.paired_effect([1.0, 2.0], 2)


# --------------------------------------------------------------------------------------------------- stored results


@pytest.fixture(scope="module")
def stored():
    return {name: vision.read_table(vision.results_file(name)) for name in ("digits.csv", "digits_representations.csv")}


def test_stored_results_follow_the_protocol_of_the_book():
    for name in ("digits.csv", "digits_representations.csv"):
        header = vision.table_protocol(vision.results_file(name))
        assert header["protocol"] == dataclasses.asdict(vision.Protocol())
        assert header["torch"] and header["date"] and header["key"]


def test_stored_results_hold_the_whole_grid_once_for_each_of_five_splits_or_more(stored):
    points, stages = stored["digits.csv"], stored["digits_representations.csv"]
    seeds = np.unique(points["seed"])
    keys = list(zip(points["seed"], points["knob"], points["value"], points["n"], strict=True))
    assert len(seeds) >= 5 and len(keys) == len(set(keys)) == len(seeds) * len(vision.grid())
    assert {(s, *p) for s in seeds for p in vision.grid()} == set(keys)
    assert len(stages) == len(points) * len(vision.STAGES)
    assert set(points["stopped_by"]) <= {"loss", "cap", "divergence"}
    assert ((points["accuracy"] >= 0) & (points["accuracy"] <= 1)).all()


def test_stored_dimensions_obey_their_bounds(stored):
    t = stored["digits_representations.csv"]
    before, after, shared = t["pr_before"], t["pr_after"], t["ensd"]
    assert (np.minimum(before, after) >= 1 - 1e-5).all() and (np.maximum(before, after) < 150).all()
    assert (shared <= np.sqrt(before * after) * (1 + 1e-5)).all()


@pytest.mark.slow
def test_stored_point_is_found_again(stored):
    protocol = vision.Protocol()
    split = protocol.split(0)
    pretrained = vision.pretrain_point(protocol, split, 0)
    result = vision.fine_tune_point(protocol, split, 0, pretrained.model, vision.Point("baseline", 1.0, 50))
    kept = trends.by_seed(stored["digits.csv"], "baseline", 1.0, 50)[0]
    assert result["accuracy"] == pytest.approx(kept, abs=0.05)


# ---------------------------------------------------------------------------------------------------------- imports


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_importing_ptft_does_not_import_torch():
    done = run_python("import sys, ptft; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("missing", ["torch", "torchvision", "sklearn"])
def test_missing_library_is_named_with_its_remedy(missing):
    done = run_python(f"import sys; sys.modules[{missing!r}] = None\nfrom ptft import vision")
    assert "ImportError" in done.stderr and missing in done.stderr and "pip install ptft[vision]" in done.stderr


def test_stored_provenance_is_plain_json():
    header = vision.results_file("digits.csv").read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(header.split(": ", 1)[1]) == "python -m ptft.vision"
