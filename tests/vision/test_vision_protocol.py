"""One point of the experiment on images: the grid, the knobs, what is pretrained, and checkpoints."""

import dataclasses
import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ptft import vision  # noqa: E402
from ptft.vision import Point, checkpoints, protocol  # noqa: E402

TINY = vision.Protocol.of_record(
    {
        **vision.DIGITS.record,
        "size": 8,
        "n_test": 10,
        "pretraining_images": 40,
        "pretraining_cap": 1,
        "fine_tuning_cap": 1,
    }
)


def test_grid_runs_the_baseline_once_and_every_knob_at_scales_other_than_one():
    points = vision.grid((10, 20))
    assert len(points) == len(set(points)) == 2 * (2 + sum(map(len, vision.KNOBS.values())))
    assert all(p.value != 1 for p in points if p.knob in vision.KNOBS)
    assert [p.n for p in points if p.knob == "baseline"] == [10, 20]
    assert vision.SAMPLE_SIZES == (10, 20, 50, 100, 200, 500, 1000)
    assert all(len(values) >= 3 for values in vision.KNOBS.values())  # and the baseline makes four


def test_knobs_after_pretraining_share_the_pretraining_of_the_baseline():
    starts = {knob: protocol.start_of(Point(knob, 0.5, 10)) for knob in vision.KNOBS}
    assert starts["gamma"] == starts["weights"] == vision.BASELINE
    assert starts["kappa"] == ("kappa", 0.5) and starts["c"] == ("c", 0.5)


def test_untrained_control_starts_from_the_initialization():
    start = vision.pretrain_point(TINY, TINY.split(0), 0, vision.UNTRAINED)
    assert start.epochs == 0 and torch.equal(start.model.fc.weight, vision.new_model(10, 0).fc.weight)


@pytest.mark.parametrize("n", [1, 10**6])
def test_sample_size_outside_the_pool_is_refused(n):
    network = vision.new_model(10, 0)
    with pytest.raises(ValueError, match=f"n = {n}"):
        vision.fine_tune_point(TINY, TINY.split(0), 0, network, Point("baseline", 1.0, n))


def test_a_sample_is_refused_that_would_have_fewer_images_of_one_class_than_of_the_other():
    split = TINY.split(0)
    first = split.fine_tuning_classes[0]
    few = np.flatnonzero(split.pool_labels == first)[3:]  # all but three of the first class
    kept = np.setdiff1d(np.arange(len(split.pool_labels)), few)
    uneven = dataclasses.replace(split, pool_images=split.pool_images[kept], pool_labels=split.pool_labels[kept])
    protocol.check_sample_size(7, uneven)
    with pytest.raises(ValueError, match=f"n = 8 is not allowed: class number {first} has 3 images in the pool"):
        protocol.check_sample_size(8, uneven)


def test_control_scales_the_early_layers_of_the_pretrained_network(monkeypatch):
    scaled = []

    def spy(model, kappa):
        scaled.append((model, kappa))
        return vision.scale_early_layers(model, kappa)

    monkeypatch.setattr(protocol, "scale_early_layers", spy)
    network = vision.new_model(10, 0)
    assert protocol.start_of(Point("kappa_ft", 0.5, 10)) == vision.BASELINE
    vision.fine_tune_point(TINY, TINY.split(0), 0, network, Point("kappa_ft", 0.5, 10))
    assert scaled == [(network, 0.5)]


def test_control_of_the_rate_divides_that_of_the_early_layers_by_kappa_squared_in_both_stages(monkeypatch):
    rates = []

    def spy(*args, early_rate):
        rates.append(early_rate)
        return vision.train(*args, early_rate=early_rate)

    monkeypatch.setattr(protocol, "train", spy)
    split, point = TINY.split(0), Point("kappa_rate", 0.5, 10)
    assert protocol.start_of(point) == ("kappa_rate", 0.5)
    start = vision.pretrain_point(TINY, split, 0, protocol.start_of(point)).model
    vision.fine_tune_point(TINY, split, 0, start, point)
    vision.fine_tune_point(TINY, split, 0, start, Point("kappa", 0.5, 10))
    assert rates == [4.0, 4.0, 1.0]


def test_control_of_the_length_pretrains_for_so_many_epochs_whatever_the_loss():
    lax = vision.Protocol.of_record({**TINY.record, "pretraining_loss": 1e6})
    assert vision.pretrain_point(lax, lax.split(0), 0).epochs == 1
    done = vision.pretrain_point(lax, lax.split(0), 0, ("epochs", 3.0))
    assert (done.epochs, done.stopped_by) == (3, "cap")
    with pytest.raises(ValueError, match=r"epochs = 2\.5 is not allowed"):
        vision.pretrain_point(lax, lax.split(0), 0, ("epochs", 2.5))
    with pytest.raises(ValueError, match=r"epochs=2\.5 is not allowed"):
        protocol.knob_values("epochs=2.5")


def test_every_measure_of_a_point_is_what_its_name_says():
    protocol_, point = vision.Protocol.of_record({**TINY.record, "fine_tuning_cap": 3}), Point("gamma", 0.1, 10)
    split = protocol_.split(0)
    network = vision.pretrain_point(TINY, split, 0).model
    found = vision.fine_tune_point(protocol_, split, 0, network, point)
    images, labels = protocol_.prepare(split.pool_images[:10]), split.pool_labels[:10]
    tested = protocol_.prepare(split.test_images), split.test_labels
    given = images, labels, split.fine_tuning_classes, 0, protocol_.fine_tuning, tested
    done = vision.train(vision.scale_readout(network, 0.1), *given)
    assert done.epochs == 3 and found["accuracy_maximum"] == max(done.accuracies)
    assert found["accuracy"] == done.accuracies[-1]
    after = vision.recalibrate(done.model, images)
    assert found["accuracy_recalibrated"] == vision.accuracy(after, *tested, split.fine_tuning_classes)
    pool = protocol_.prepare(split.pool_images[: protocol_.n_measured])
    assert len(pool) > 10  # as published, more than were fine-tuned on
    pairs = {
        "evaluation": [vision.activations(one, pool) for one in (network, done.model)],
        "recalibrated": [vision.activations(one, pool) for one in (vision.recalibrate(network, images), after)],
        "batch": [vision.activations(one, pool, batch_statistics=True) for one in (network, done.model)],
    }
    pairs["published"] = pairs["batch"]
    for row in found["stages"]:
        for convention, pair in pairs.items():
            expected = vision.dimensions(*(one[row["stage"]] for one in pair), centred=convention != "published")
            assert [row[c] for c in vision.columns_of(convention, "fine-tuning")] == pytest.approx(expected)
    assert len({round(value, 6) for value in found["stages"][-1].values() if value != "stage 4"}) == 24


def test_without_an_epoch_there_is_no_maximum():
    found = vision.fine_tune_point(
        vision.Protocol.of_record({**TINY.record, "fine_tuning_cap": 0}),
        TINY.split(0), 0, vision.new_model(10, 0), Point("baseline", 1.0, 4),
    )  # fmt: skip
    assert found["accuracy_maximum"] is None and found["loss"] is None


def test_dead_activations_have_no_dimension():
    dead = np.zeros((4, 3))
    assert np.isnan(protocol._of_stage(dead, dead, centred=True)).all()


def test_a_checkpoint_returns_what_was_saved_and_is_no_pickle():
    model, other = vision.new_model(4, 1), vision.new_model(4, 2)
    content = checkpoints.checkpoint_bytes(model, {"epochs": 3})
    assert checkpoints.load_checkpoint(content, other) == {"epochs": 3}
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    with pytest.raises(ValueError, match="of another network"):
        checkpoints.load_checkpoint(content, vision.new_model(5, 0))
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoints.load_checkpoint(content[:-1], other)
    pickled = io.BytesIO()
    torch.save(model.state_dict(), pickled)
    for nothing in (pickled.getvalue(), b"", b"GET / HTTP/1.1", bytes(100), b"\x05" + bytes(7) + b"[[1]]"):
        with pytest.raises(ValueError, match="is not a checkpoint"):
            checkpoints.load_checkpoint(nothing, other)
