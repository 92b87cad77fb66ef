"""Images: what is loaded from where, checksums, messages, and the split by classes."""

import gzip
import hashlib
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

torch = pytest.importorskip("torch")

from torchvision import datasets  # noqa: E402

from ptft import vision  # noqa: E402
from ptft.vision import data  # noqa: E402

torch.set_num_threads(1)
NOWHERE = "http://127.0.0.1:9/"  # nobody listens: a download fails at once


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No download, no installed package, no cache of the user."""
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [NOWHERE])
    monkeypatch.setattr(datasets.CIFAR10, "url", NOWHERE + "cifar-10.tar.gz")
    monkeypatch.setattr(datasets.CIFAR100, "url", NOWHERE + "cifar-100.tar.gz")
    parts = {name: [NOWHERE + file, file, md5] for name, (_, file, md5) in datasets.SVHN.split_list.items()}
    monkeypatch.setattr(datasets.SVHN, "split_list", parts)
    monkeypatch.setattr(data, "DEBIAN_FASHION_MNIST", tmp_path / "not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PTFT_DATA", raising=False)


def md5(content):
    return hashlib.md5(content).hexdigest()


def write_cifar(folder, kind, train, test, monkeypatch, classes=100):
    """CIFAR's files, pickles of rows of 3072 bytes, with their checksums declared to torchvision."""
    base = folder / kind.base_folder
    base.mkdir(parents=True)
    label, names = ("fine_labels", "fine_label_names") if classes == 100 else ("labels", "label_names")
    lists = {}
    for which, files, (images, labels) in (("train_list", kind.train_list, train), ("test_list", kind.test_list, test)):
        lists[which] = []
        for (name, _), rows, own in zip(
            files, np.array_split(images, len(files)), np.array_split(labels, len(files)), strict=True
        ):
            content = pickle.dumps({"data": rows.reshape(-1, 3072), label: own.tolist()})
            (base / name).write_bytes(content)
            lists[which].append([name, md5(content)])
        monkeypatch.setattr(kind, which, lists[which])
    content = pickle.dumps({names: [f"class {i}" for i in range(classes)]})
    (base / kind.meta["filename"]).write_bytes(content)
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(content)})


def colour(count, classes, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8), np.arange(count) % classes


# ------------------------------------------------------------------------------------------------------------- sets


def test_digits_are_1797_grey_images_without_a_published_test_set():
    digits = vision.load()
    assert digits.train_images.shape == (1797, 1, 8, 8) and digits.train_images.dtype == torch.uint8
    assert digits.train_images.min() == 0 and digits.train_images.max() == 255
    assert digits.train_labels.unique().tolist() == list(range(10)) == list(map(int, digits.classes))
    assert len(digits.test_images) == len(digits.test_labels) == 0
    assert len(digits.train_images.unique()) == 17  # the intensities 0 to 16 stay apart


@pytest.mark.parametrize(("name", "kind", "classes"), [("cifar-100", "CIFAR100", 100), ("cifar-10", "CIFAR10", 10)])
def test_cifar_is_read_from_its_own_file_format(tmp_path, monkeypatch, name, kind, classes):
    train, test = colour(200, classes), colour(100, classes, seed=1)
    write_cifar(tmp_path, getattr(datasets, kind), train, test, monkeypatch, classes)
    found = vision.load(name, tmp_path)
    for (images, labels), got in zip(
        (train, test),
        ((found.train_images, found.train_labels), (found.test_images, found.test_labels)),
        strict=True,
    ):
        np.testing.assert_array_equal(got[0].numpy(), images)
        np.testing.assert_array_equal(got[1].numpy(), labels)
    if classes == 100:
        split = vision.split_dataset(found, n_ft=2, seed=0)
        assert len(split.pretraining_classes) == 98
        assert [len(split.pretraining_labels), len(split.pool_labels), len(split.test_labels)] == [196, 4, 2]


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_with_another_checksum_is_not_opened(tmp_path, monkeypatch):
    write_cifar(tmp_path, datasets.CIFAR100, colour(200, 100), colour(100, 100), monkeypatch)
    sprung = tmp_path / "sprung"
    (tmp_path / datasets.CIFAR100.base_folder / "test").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(FileNotFoundError, match="cifar-100 is not in"):
        vision.load("cifar-100", tmp_path)
    assert not sprung.exists()


def test_svhn_is_read_from_its_own_file_format(tmp_path, monkeypatch):
    images, digits = colour(20, 10)
    parts = {}
    for part in ("train", "test"):
        name = f"{part}_32x32.mat"
        savemat(tmp_path / name, {"X": images.transpose(2, 3, 1, 0), "y": (digits + 1)[:, None]})  # 10 stands for 0
        parts[part] = [NOWHERE, name, md5((tmp_path / name).read_bytes())]
    monkeypatch.setattr(datasets.SVHN, "split_list", parts)
    found = vision.load("svhn", tmp_path)
    np.testing.assert_array_equal(found.train_images.numpy(), images)
    np.testing.assert_array_equal(found.test_labels.numpy(), (digits + 1) % 10)


def idx(array):
    """The idx format of MNIST: a magic number, the lengths of the axes, the bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_fashion(folder, images, labels, monkeypatch, pack=lambda content: content, suffix=""):
    """Fashion-MNIST's files, with their checksums declared."""
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            (folder / f"{name}{suffix}").write_bytes(pack(idx(array)))
            monkeypatch.setitem(data.FASHION_MNIST, name, hashlib.sha256(idx(array)).hexdigest())


@pytest.mark.parametrize("installed", [True, False], ids=["Debian's package", "a folder of torchvision's"])
def test_fashion_mnist_is_read_where_it_is(tmp_path, monkeypatch, installed):
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    labels = (np.arange(20) % 10).astype(np.uint8)
    if installed:
        write_fashion(tmp_path / "debian", images, labels, monkeypatch, gzip.compress, ".gz")
        monkeypatch.setattr(data, "DEBIAN_FASHION_MNIST", tmp_path / "debian")
    else:
        write_fashion(tmp_path / "mine" / "FashionMNIST" / "raw", images, labels, monkeypatch)
        monkeypatch.setenv("PTFT_DATA", str(tmp_path / "mine"))
    before = sorted(tmp_path.rglob("*"))
    found = vision.load("fashion-mnist")
    np.testing.assert_array_equal(found.train_images[:, 0].numpy(), images)
    np.testing.assert_array_equal(found.test_labels.numpy(), labels)
    assert sorted(tmp_path.rglob("*")) == before  # nothing is written
    for path in [path for path in before if path.name.startswith("train-labels")]:
        content = idx((labels + 1) % 10)  # every label another one
        path.write_bytes(gzip.compress(content) if installed else content)
    with pytest.raises(FileNotFoundError, match=r"fashion-mnist is not in .* has another checksum"):
        vision.load("fashion-mnist")


@pytest.mark.skipif(not data.DEBIAN_FASHION_MNIST.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_the_installed_fashion_mnist_has_6000_and_1000_images_of_each_class(monkeypatch):
    monkeypatch.undo()
    found = vision.load("fashion-mnist")
    assert found.train_images.shape == (60000, 1, 28, 28) and found.test_images.shape == (10000, 1, 28, 28)
    assert (
        found.train_labels.bincount().tolist() == [6000] * 10 and found.test_labels.bincount().tolist() == [1000] * 10
    )


@pytest.mark.parametrize("name", ["fashion-mnist", "svhn", "cifar-10", "cifar-100"])
def test_absent_data_give_one_message_that_says_where_and_how(tmp_path, capsys, name):
    with pytest.raises(FileNotFoundError) as caught:
        vision.load(name, tmp_path / "here")
    message = str(caught.value)
    assert f"{name} is not in {tmp_path / 'here'}" in message and "could not be downloaded" in message
    assert "PTFT_DATA" in message and "\n" not in message
    assert ("apt install dataset-fashion-mnist" in message) == (name == "fashion-mnist")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert capsys.readouterr().out == ""


def test_the_folder_is_the_argument_else_the_variable_else_the_cache(tmp_path, monkeypatch):
    assert data._root(None) == tmp_path / "cache" / "ptft"
    monkeypatch.setenv("PTFT_DATA", str(tmp_path / "variable"))
    assert data._root(None) == tmp_path / "variable"
    assert data._root(tmp_path / "argument") == tmp_path / "argument"


def test_unknown_data_set_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"name = 'cifar-7'.*digits"):
        vision.load("cifar-7")


def test_normalising_maps_black_to_minus_one_white_to_one_resizes_and_gives_grey_three_equal_channels():
    images = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 8, 8)
    small, large = vision.normalize(images), vision.normalize(images, size=16)
    assert small.shape == (2, 3, 8, 8) and large.shape == (2, 3, 16, 16)
    assert (small[0] == -1).all() and (large[1] == 1).all()
    colourful = torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)
    torch.testing.assert_close(vision.normalize(colourful), (colourful / 255.0 - 0.5) / 0.5)


# ------------------------------------------------------------------------------------------------------------ split


def numbered(train_per_class, test_per_class=5, classes=10):
    """A data set whose images carry their number."""
    labels = torch.arange(classes).repeat(train_per_class), torch.arange(classes).repeat(test_per_class)
    counts = [torch.arange(len(part)) + 10_000 * i for i, part in enumerate(labels)]
    images = [n[:, None, None, None] for n in counts]
    return vision.Dataset(images[0], labels[0], images[1], labels[1])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), n_ft=st.integers(2, 8))
def test_class_split_is_a_partition_fixed_by_its_seed(seed, n_ft):
    pretraining, fine_tuning = vision.split_classes(10, n_ft, seed)
    assert len(fine_tuning) == n_ft
    assert sorted([*pretraining, *fine_tuning]) == list(range(10))
    np.testing.assert_array_equal(fine_tuning, vision.split_classes(10, n_ft, seed)[1])


@settings(max_examples=50, deadline=None)
@given(n_classes=st.integers(4, 30), n_ft=st.integers(2, 8), splits=st.integers(1, 40))
def test_after_any_number_of_splits_classes_are_fine_tuned_equally_often_up_to_one(n_classes, n_ft, splits):
    n_ft = min(n_ft, n_classes - 2)
    chosen = [vision.split_classes(n_classes, n_ft, seed)[1] for seed in range(splits)]
    assert all(len(set(one)) == n_ft for one in chosen)
    often = np.bincount(np.concatenate(chosen), minlength=n_classes)
    assert often.max() - often.min() <= 1 and often.sum() == n_ft * splits


def test_class_splits_of_different_seeds_differ():
    assert len({tuple(vision.split_classes(10, 2, seed)[1]) for seed in range(20)}) > 10


def test_pretraining_classes_can_be_fewer_and_are_drawn_from_all_others():
    drawn = [vision.split_classes(200, 2, seed, n_pt=98) for seed in range(20)]
    for pretraining, fine_tuning in drawn:
        assert len(set(pretraining)) == 98 and not set(pretraining) & set(fine_tuning)
        assert (np.diff(pretraining) > 0).all()
    often = np.bincount(np.concatenate([one for one, _ in drawn]), minlength=200)
    assert often.min() > 0 and often.max() < 20
    full = vision.split_classes(10, 2, 3)
    for one, other in zip(vision.split_classes(10, 2, 3, n_pt=8), full, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="n_pt = 9 is not allowed: it must be at least 2 and at most 8"):
        vision.split_classes(10, 2, 0, n_pt=9)


@pytest.mark.parametrize(("n_classes", "n_ft"), [(10, 1), (10, 9), (3, 2)])
def test_class_split_needs_two_classes_on_each_side(n_classes, n_ft):
    with pytest.raises(ValueError, match=r"n_(ft|classes) = \d+ is not allowed"):
        vision.split_classes(n_classes, n_ft, seed=0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_published_test_images_are_only_tested_and_training_images_only_trained_on(seed):
    dataset = numbered(12)
    split = vision.split_dataset(dataset, n_ft=2, seed=seed)
    parts = [split.pretraining_images, split.pool_images, split.test_images]
    assert [len(part) for part in parts] == [96, 24, 10]
    numbers = [set(part.flatten().tolist()) for part in parts]
    assert numbers[0] | numbers[1] == set(range(120)) and min(numbers[2]) >= 10_000
    for images, labels, source in (
        (split.pretraining_images, split.pretraining_labels, dataset.train_labels),
        (split.pool_images, split.pool_labels, dataset.train_labels),
        (split.test_images, split.test_labels, dataset.test_labels),
    ):
        assert torch.equal(source[images.flatten() % 10_000], labels)
    assert set(split.pretraining_labels.tolist()) == set(split.pretraining_classes.tolist())
    assert set(split.pool_labels.tolist()) == set(split.test_labels.tolist()) == set(split.fine_tuning_classes.tolist())


def test_a_set_without_test_images_has_them_held_out_from_the_pool():
    split = vision.split_dataset(vision.load("digits"), n_ft=2, seed=0, n_test=150)
    labels = [set(x.tolist()) for x in (split.pretraining_labels, split.pool_labels, split.test_labels)]
    assert labels[0] == set(split.pretraining_classes.tolist())
    assert labels[1] == labels[2] == set(split.fine_tuning_classes.tolist())
    pool, test = ({x.numpy().tobytes() for x in part} for part in (split.pool_images, split.test_images))
    assert len(test) == 150 and not pool & test  # all digits are distinct, so equal bytes are the same image
    assert len(pool) + len(test) + len(split.pretraining_images) == 1797


def test_test_images_can_be_held_out_beside_the_published_ones():
    plain, more = (vision.split_dataset(numbered(12), n_ft=2, seed=4, held_out=held) for held in (None, 3))
    assert (len(plain.test_images), len(more.test_images), len(more.pool_images)) == (10, 16, 18)
    assert torch.equal(more.test_images[:10], plain.test_images)
    held = more.test_labels[10:]
    assert [int((held == c).sum()) for c in more.fine_tuning_classes] == [3, 3]
    pool, test = (set(part.flatten().tolist()) for part in (more.pool_images, more.test_images))
    assert not pool & test and pool | test == set(torch.cat([plain.pool_images, plain.test_images]).flatten().tolist())
    assert torch.equal(more.pretraining_images, plain.pretraining_images)
    undivided = vision.split_dataset(vision.load("digits"), n_ft=2, seed=0, held_out=75)
    given = vision.split_dataset(vision.load("digits"), n_ft=2, seed=0, n_test=150)
    assert torch.equal(undivided.test_images, given.test_images)
    assert torch.equal(undivided.pool_images, given.pool_images)


def test_so_many_images_of_each_class_are_the_first_of_each():
    whole = vision.split_dataset(numbered(12), n_ft=2, seed=4, n_pt=5)
    some = vision.split_dataset(numbered(12), n_ft=2, seed=4, n_pt=5, images_per_class=3)
    assert [int((some.pretraining_labels == c).sum()) for c in some.pretraining_classes] == [3] * 5
    assert torch.equal(some.pretraining_images, whole.pretraining_images[:15])


@pytest.mark.parametrize("n", [8, 16, 40])
def test_first_images_of_every_part_are_balanced(n):
    split = vision.split_dataset(numbered(30, 30), n_ft=2, seed=3, pretraining_images=n)
    assert len(split.pretraining_labels) == n
    for labels, classes in (
        (split.pretraining_labels, split.pretraining_classes),
        (split.pool_labels[:n], split.fine_tuning_classes),
        (split.test_labels[:n], split.fine_tuning_classes),
    ):
        assert [int((labels == c).sum()) for c in classes] == [n // len(classes)] * len(classes)


def test_no_image_of_a_larger_class_is_lost():
    dataset = numbered(3)
    more = vision.Dataset(
        torch.cat([dataset.train_images, torch.full((4, 1, 1, 1), 999)]),
        torch.cat([dataset.train_labels, torch.full((4,), 7)]),
        dataset.test_images,
        dataset.test_labels,
    )
    split = vision.split_dataset(more, n_ft=2, seed=0)
    assert len(split.pretraining_images) + len(split.pool_images) == 34


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_test": 3}, "n_test = 3 is not allowed: it must be a multiple of 2 up to 10"),
        ({"n_test": 12}, "n_test = 12"),
        ({"n_test": 1}, "n_test = 1"),
        ({"pretraining_images": 41}, "pretraining_images = 41 is not allowed: there are 40"),
        ({"pretraining_images": 1}, "pretraining_images = 1"),
        ({"images_per_class": 6}, "images_per_class = 6 is not allowed: class '.' has 5 training images"),
        ({"images_per_class": 2, "pretraining_images": 17}, "pretraining_images = 17 is not allowed: there are 16"),
        ({"held_out": 5}, "held_out = 5 is not allowed: class '.' has 5 training images"),
        ({"held_out": 0}, "held_out = 0"),
        ({"held_out": 2, "n_test": 16}, "n_test = 16 is not allowed: it must be a multiple of 2 up to 14"),
        ({"n_pt": 9}, "n_pt = 9"),
    ],
)
def test_sizes_that_the_images_do_not_allow_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        vision.split_dataset(numbered(5), n_ft=2, seed=0, **options)


def of_counts(train, test=None):
    """A data set with so many images of each class."""
    train, test = (torch.repeat_interleave(torch.arange(4), torch.tensor(one)) for one in (train, test or train))
    names = ("ant", "bee", "cow", "dog")
    return vision.Dataset(torch.zeros(len(train), 1, 1, 1), train, torch.zeros(len(test), 1, 1, 1), test, names)


def test_a_fine_tuning_class_with_too_few_test_images_is_named():
    seed = next(seed for seed in range(9) if vision.split_classes(4, 2, seed)[1].tolist() == [1, 3])
    uneven = of_counts([9, 9, 9, 9], [5, 2, 5, 5])
    assert len(vision.split_dataset(uneven, 2, seed).test_labels) == 7
    assert vision.split_dataset(uneven, 2, seed, n_test=4).test_labels.bincount().tolist() == [0, 2, 0, 2]
    with pytest.raises(ValueError, match="n_test = 6 is not allowed: class 'bee' has 2 test images"):
        vision.split_dataset(uneven, 2, seed, n_test=6)
    with pytest.raises(ValueError, match="n_test = None is not allowed: class 'dog' has 0 test images"):
        vision.split_dataset(of_counts([9, 9, 9, 9], [5, 5, 5, 0]), 2, seed)


@pytest.mark.parametrize("n_test", [None, 151, 1000])
def test_without_test_images_the_number_to_hold_out_must_be_given_and_leave_a_pool(n_test):
    with pytest.raises(ValueError, match=f"n_test = {n_test}"):
        vision.split_dataset(vision.load("digits"), n_ft=2, seed=0, n_test=n_test)
