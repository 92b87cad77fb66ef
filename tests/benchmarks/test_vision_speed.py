"""Pretraining on two processor cores beside a plain PyTorch loop over the same images (`make bench` prints both).

On a GPU, beside the same steps without their graphs.
"""

import time
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from ptft import vision  # noqa: E402
from ptft.vision import training  # noqa: E402

CLASSES = range(8)


@pytest.fixture(scope="module")
def images():
    """Fashion-MNIST where it is at hand, else noise of its size: (training images, labels, test images, labels)."""
    try:
        data = vision.load("fashion-mnist")
    except FileNotFoundError:
        noise = torch.randint(0, 256, (8000, 1, 28, 28), dtype=torch.uint8)
        labels = torch.randint(0, 10, (8000,))
        data = vision.Dataset(noise, labels, noise[:4000], labels[:4000])
    train, test = data.train_labels < 8, data.test_labels < 8
    first = slice(0, 2560)
    return (
        vision.normalize(data.train_images[train][first]).contiguous(),
        data.train_labels[train][first],
        vision.normalize(data.test_images[test][first]),
        data.test_labels[test][first],
    )


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def plain(model, images, labels, seed, epochs):
    """The loop of a tutorial: float32, a DataLoader, the whole network."""
    loader = DataLoader(TensorDataset(images, labels), 128, shuffle=True, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    model.train()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = cross_entropy(model(x)[:, :8], y)
            loss.backward()
            optimizer.step()
            loss.item()
    return model.eval()


def ours(model, images, labels, seed, epochs):
    stage = replace(vision.PRETRAINING, loss_below=1e-9, max_epochs=epochs, bf16=vision.has_bf16())
    return vision.train(model, images, labels, CLASSES, seed, stage).model


def operations(model):
    """Floating-point operations of a training step per image."""
    with FlopCounterMode(display=False) as counter:
        model.train()(torch.zeros(8, 3, 28, 28)).sum().backward()
    return counter.get_total_flops() / 8


def test_pretraining_beside_a_plain_loop(images):
    x, y, _, _ = images
    model = vision.new_model(10, 0)
    low = torch.bfloat16 if vision.has_bf16() else torch.float32
    a, b = torch.randn(2, 2048, 2048).to(low)
    a @ b
    best = dict.fromkeys(("plain", "ours", "product"), np.inf)
    for _ in range(3):
        for name, call in (
            ("plain", lambda: plain(vision.new_model(10, 0), x, y, 0, 1)),
            ("ours", lambda: ours(model, x, y, 0, 1)),
            ("product", lambda: a @ b),
        ):
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    speed = {name: len(x) / best[name] for name in ("plain", "ours")}
    peak = 2 * 2048**3 / best["product"]
    needed = operations(vision.compact(model, (28, 28))[0])
    ratio = speed["ours"] / speed["plain"]
    print(
        f"\n{speed['ours']:.0f} images/s, plain loop {speed['plain']:.0f}, ratio {ratio:.2f}; {needed / 1e6:.0f} of "
        f"{operations(model) / 1e6:.0f} Mflop an image needed, {needed * speed['ours'] / 1e9:.0f} Gflop/s, "
        f"{needed * speed['ours'] / peak:.1%} of the {peak / 1e9:.0f} Gflop/s of a product of matrices ({low})"
    )
    assert ratio > (1.5 if vision.has_bf16() else 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_beside_the_same_steps_launched_one_by_one(monkeypatch):
    x, y = torch.randn(12_800, 3, 32, 32, device="cuda"), torch.randint(0, 98, (12_800,), device="cuda")
    stage = replace(vision.PRETRAINING, loss_below=0.0, bf16=vision.has_bf16("cuda"))

    def speed():
        """Images a second in the epochs after the first."""
        seconds = [
            vision.train(vision.new_model(98, 0), x, y, range(98), 0, replace(stage, max_epochs=epochs)).seconds
            for epochs in (1, 1, 3)
        ]
        return 2 * len(x) / (seconds[2] - seconds[1])

    replayed = speed()
    monkeypatch.setattr(training.Replayed, "__call__", lambda self: self._work())
    launched = speed()
    print(f"\n{replayed:.0f} images/s, one by one {launched:.0f}, ratio {replayed / launched:.2f}")
    assert replayed > 2 * launched


@pytest.mark.slow
def test_the_accuracy_is_that_of_the_plain_loop(images):
    x, y, test_x, test_y = images
    found = np.array(
        [
            [
                vision.accuracy(train(vision.new_model(10, seed), x, y, seed, 5), test_x, test_y, CLASSES)
                for train in (ours, plain)
            ]
            for seed in range(6)
        ]
    )
    difference = found[:, 0] - found[:, 1]
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    print(f"\naccuracy {found.mean(0)}, difference {difference.mean():+.4f} with standard error {error:.4f}")
    assert abs(difference.mean()) <= 3 * error and error < 0.01
