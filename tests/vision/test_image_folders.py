"""A user's images: folders of class folders and of Parquet files, and what is said of those that cannot be read."""

import hashlib
import importlib
import io
import json
import shutil
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from ptft import vision  # noqa: E402
from ptft.sweeps.vision import sweep  # noqa: E402
from ptft.vision import protocol  # noqa: E402

SHARED = Path(__file__).parents[3] / "shared" / "data"
NAMES = ("ant", "bee", "cow", "dog")


def pixels(count, seed=0, size=(5, 4)):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def png(array, mode=None):
    image = Image.fromarray(array)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, "png")
    return buffer.getvalue()


def class_folders(folder, counts=(3, 3, 3, 3), seed=0, names=NAMES):
    """Class folders with so many images of each class; returns the pixels in the order in which they are read."""
    arrays = pixels(sum(counts), seed)
    given = iter(arrays)
    for name, count in zip(names, counts, strict=True):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            (folder / name / f"{i}.png").write_bytes(png(next(given)))
    return arrays


def write_parquet(path, contents, labels, image="image", label="label", names=NAMES, paths=None, plain=False):
    """A file as the hub stores it."""
    rows = contents if plain else [{"bytes": c, "path": p} for c, p in zip(contents, paths or contents, strict=True)]
    kind = pa.binary() if plain else pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({image: pa.array(rows, kind), "id": list(range(len(rows))), label: labels})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def hub(folder, count=8, suffix="-00000-of-00001", test="test", seed=0, **columns):
    """A folder of the hub with a training and a test part; returns the pixels."""
    arrays = pixels(count, seed), pixels(4, seed + 1)
    for part, found in zip(("train", test), arrays, strict=True):
        labels = (np.arange(len(found))[::-1] % 4).tolist()
        names = [f"{part}_{i}.png" for i in range(len(found))]
        write_parquet(folder / f"{part}{suffix}.parquet", list(map(png, found)), labels, **{"paths": names, **columns})
    return arrays


def shown(images):
    return images.permute(0, 2, 3, 1).numpy()


# ------------------------------------------------------------------------------------------------------------ layouts


def test_class_folders_are_classes_by_name(tmp_path):
    arrays = class_folders(tmp_path, (3, 1, 2, 3))
    (tmp_path / "bee" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    found = vision.load(tmp_path)
    assert found.classes == NAMES and found.train_labels.tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 3]
    np.testing.assert_array_equal(shown(found.train_images), arrays)
    assert len(found.test_images) == len(found.test_labels) == 0 and found.test_images.shape[1:] == (3, 5, 4)
    assert found.record["training_images"] == [3, 1, 2, 3] and found.record["test_images"] == [0] * 4
    said = (
        "4 classes (ant, bee, cow, dog) with 1 to 3 images for training and none for testing, 4 x 5 pixels, in colour"
    )
    assert f"{said}, SHA" in str(found)


@pytest.mark.parametrize("test", ["test", "val", "valid", "validation"])
def test_parts_are_folders_with_class_folders(tmp_path, test):
    train, tested = class_folders(tmp_path / "train"), class_folders(tmp_path / test / "deep", (0, 2, 0, 1), seed=1)
    for folder in (tmp_path / test / "deep").iterdir():
        shutil.move(folder, tmp_path / test)
    (tmp_path / test / "deep").rmdir()
    found = vision.load(str(tmp_path))
    np.testing.assert_array_equal(shown(found.train_images), train)
    np.testing.assert_array_equal(shown(found.test_images), tested)
    assert found.test_labels.tolist() == [1, 1, 3]


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("{}", {}),
        ("data/{}", {"image": "img", "label": "fine_label", "suffix": ""}),
        ("{}", {"test": "valid", "names": None}),
        ("plain/{}", {"plain": True, "suffix": "_part1"}),
    ],
)
def test_parquet_files_of_the_hub_are_read(tmp_path, where, columns):
    train, test = hub((tmp_path / where.format("x")).parent, **columns)
    found = vision.load(tmp_path)
    np.testing.assert_array_equal(shown(found.train_images), train)
    np.testing.assert_array_equal(shown(found.test_images), test)
    assert found.train_labels.tolist() == [3, 2, 1, 0] * 2 and found.test_labels.tolist() == [3, 2, 1, 0]
    assert found.classes == (("0", "1", "2", "3") if "names" in columns else NAMES)


def test_parts_may_be_folders_of_numbered_files_and_others_are_left_alone(tmp_path):
    arrays = [pixels(4, seed) for seed in range(3)]
    for name, found in zip(("train/0000", "train/0001", "test/0000"), arrays, strict=True):
        write_parquet(tmp_path / f"{name}.parquet", list(map(png, found)), [0, 1, 2, 3], plain=True)
    write_parquet(tmp_path / "extra" / "0000.parquet", [b"not read"], [0], plain=True)
    write_parquet(tmp_path / "trainer.parquet", [b"not read"], [0], plain=True)
    found = vision.load(tmp_path)
    np.testing.assert_array_equal(shown(found.train_images), np.concatenate(arrays[:2]))
    np.testing.assert_array_equal(shown(found.test_images), arrays[2])


def test_the_test_part_is_preferred_to_that_for_validation(tmp_path):
    _, test = hub(tmp_path)
    write_parquet(tmp_path / "validation.parquet", [png(pixels(1, 9)[0])], [0], plain=True)
    np.testing.assert_array_equal(shown(vision.load(tmp_path).test_images), test)


def test_the_column_of_labels_can_be_named(tmp_path):
    hub(tmp_path, label="coarse")
    with pytest.raises(ValueError, match=r"has no column of labels label or fine_label, only image, id, coarse: name"):
        vision.load(tmp_path)
    assert vision.load(tmp_path, label="coarse").classes == NAMES
    with pytest.raises(ValueError, match="has no column of labels fine, only"):
        vision.load(tmp_path, label="fine")


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("RGBA", 3), ("P", 3), ("L", 1), ("LA", 1), ("1", 1)])
def test_every_kind_of_png_is_read(tmp_path, mode, channels):
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(png(pixels(1, seed)[0], mode))
    found = vision.load(tmp_path)
    expected = [np.asarray(Image.open(tmp_path / name / "x.png").convert("RGB")) for name in ("a", "b")]
    assert found.train_images.shape == (2, channels, 5, 4)
    np.testing.assert_array_equal(shown(found.train_images.expand(-1, 3, -1, -1)), expected)


def test_jpeg_is_read_and_grey_beside_colour_becomes_colour(tmp_path):
    class_folders(tmp_path, (1, 1), names=("a", "b"))
    Image.new("L", (4, 5), 99).save(tmp_path / "a" / "grey.jpeg")
    found = vision.load(tmp_path)
    assert found.train_images.shape == (3, 3, 5, 4) and (found.train_images[1] == 99).all()


def test_images_of_different_sizes_can_be_resized(tmp_path):
    class_folders(tmp_path, (1, 1), names=("a", "b"))
    Image.new("RGB", (9, 7), (1, 2, 3)).save(tmp_path / "b" / "other.png")
    with pytest.raises(ValueError, match=r"other.png has 9 x 7 pixels, those before 4 x 5: sizes must not differ"):
        vision.load(tmp_path)
    found = vision.load(tmp_path, size=6)
    assert found.train_images.shape == (3, 3, 6, 6)
    assert found.train_images[2, :, 0, 0].tolist() == [1, 2, 3]


def test_sizes_must_agree_between_the_parts_too(tmp_path):
    class_folders(tmp_path / "train")
    (tmp_path / "test" / "ant").mkdir(parents=True)
    Image.new("RGB", (9, 7)).save(tmp_path / "test" / "ant" / "x.png")
    with pytest.raises(ValueError, match=r"x.png has 9 x 7 pixels"):
        vision.load(tmp_path)


def test_the_digest_is_that_of_names_and_contents(tmp_path):
    class_folders(tmp_path / "set")
    first = vision.load(tmp_path / "set").digest
    assert len(bytes.fromhex(first)) == hashlib.sha256().digest_size
    assert vision.load(shutil.move(tmp_path / "set", tmp_path / "moved")).digest == first
    shutil.move(tmp_path / "moved" / "ant" / "0.png", tmp_path / "moved" / "ant" / "00.png")
    renamed = vision.load(tmp_path / "moved").digest
    (tmp_path / "moved" / "ant" / "00.png").write_bytes(png(pixels(1, 7)[0]))
    assert len({first, renamed, vision.load(tmp_path / "moved").digest}) == 3


# ---------------------------------------------------------------------------------------------------------- bad input


def broken_class_folders(folder):
    class_folders(folder)
    (folder / "bee" / "1.png").write_bytes(png(pixels(1)[0])[:40])


def broken_in_parquet(folder):
    hub(folder)
    write_parquet(folder / "train.parquet", [png(pixels(1)[0]), b"GIF89a"], [0, 1], paths=["a.png", "b.png"])
    (folder / "train-00000-of-00001.parquet").unlink()


def deep(folder):
    class_folders(folder)
    Image.new("I;16", (4, 5)).save(folder / "cow" / "deep.png")


def too_many_pixels(folder):
    class_folders(folder)
    content = bytearray(png(pixels(1)[0]))
    content[16:24] = struct.pack(">II", 20_000, 20_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (folder / "cow" / "bomb.png").write_bytes(content)


def label_outside(folder):
    hub(folder)
    write_parquet(folder / "test-00000-of-00001.parquet", [png(pixels(1)[0])], [4], plain=True)


def negative_labels(folder):
    hub(folder)
    write_parquet(folder / "test-00000-of-00001.parquet", [png(pixels(1)[0])], [-1], plain=True)


def no_bytes(folder):
    hub(folder)
    write_parquet(folder / "test-00000-of-00001.parquet", [None], [0], paths=["elsewhere.png"])


def words_as_labels(folder):
    hub(folder)
    write_parquet(folder / "train-00000-of-00001.parquet", [png(pixels(1)[0])], ["ant"], plain=True)


def other_names(folder):
    hub(folder)
    write_parquet(folder / "test-00000-of-00001.parquet", [png(pixels(1)[0])], [0], names=("x", "y"), plain=True)


def other_test_classes(folder):
    class_folders(folder / "train")
    class_folders(folder / "val", (1,), names=("images",))


BAD = [
    (lambda folder: None, r"there are neither Parquet files nor class folders in .*set"),
    (lambda folder: class_folders(folder, (2,), names=("ant",)), r"set has 1 class: at least 2 are needed"),
    (lambda folder: hub(folder, names=("ant",)), r"set has 1 class: at least 2 are needed"),
    (lambda folder: class_folders(folder, (2, 0, 1, 1)), r"set has no training image of class 'bee'"),
    (lambda folder: hub(folder, count=2), r"set has no training image of class 'cow'"),
    (broken_class_folders, r"set.bee.1.png is broken: Pillow cannot read it \([^<>]+\)"),
    (broken_in_parquet, r"the image 'b.png' \(row 1 of .*train.parquet\) is broken: Pillow cannot read it \([^<>]+\)"),
    (deep, r"deep.png has more than 8 bits a channel \(mode I;16\): that is not read"),
    (too_many_pixels, r"bomb.png is broken: Pillow cannot read it \(Image size .*bomb"),
    (label_outside, r"the image in row 0 of .*test.* has the label 4: those of 4 classes begin with 0"),
    (negative_labels, r"has the label -1: those of 4 classes begin with 0"),
    (no_bytes, r"the image 'elsewhere.png' \(row 0 of .*\) has no bytes"),
    (words_as_labels, r"the labels label of .*train.* must be whole numbers, all of them there"),
    (lambda folder: hub(folder, image="picture"), r"has no column image or img, only picture, id, label"),
    (other_names, r"test-.* has other names of classes than .*train-"),
    (other_test_classes, r"val.images is none of the 4 class folders in .*train"),
    (lambda folder: hub(folder).__class__ and (folder / "train-00000-of-00001.parquet").unlink(), r"begins with train"),
    (lambda folder: (folder / "train.parquet").write_text("x"), r"train.parquet is no Parquet file that can be read"),
]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("make", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_is_wrong_with_a_folder_is_said_in_a_sentence(tmp_path, make, message):
    (tmp_path / "set").mkdir()
    make(tmp_path / "set")
    with pytest.raises(ValueError, match=message) as caught:
        vision.load(tmp_path / "set")
    assert "\n" not in str(caught.value)


def test_without_pillow_the_extra_that_brings_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "ptft.vision.image_folders")
    with pytest.raises(ImportError, match=r"ptft.vision.image_folders needs PIL: pip install 'ptft\[vision\]'"):
        importlib.import_module("ptft.vision.image_folders")


def test_a_folder_that_is_not_there_and_options_that_do_not_apply_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none"):
        vision.load(tmp_path / "none")
    with pytest.raises(ValueError, match=r"name = 'none' is not allowed: it must be one of digits.* or a folder"):
        vision.load("none")
    with pytest.raises(ValueError, match="label = 'fine' is not allowed: it must be None where the images are digits"):
        vision.load("digits", label="fine")
    with pytest.raises(ValueError, match="size = 8 is not allowed: it must be None where the images are digits"):
        vision.load("digits", size=8)
    class_folders(tmp_path / "set")
    with pytest.raises(ValueError, match="label = 'fine' is not allowed: there are no Parquet files"):
        vision.load(tmp_path / "set", label="fine")
    with pytest.raises(ValueError, match="size = 0 is not allowed"):
        vision.load(tmp_path / "set", size=0)


# ----------------------------------------------------------------------------------------------------------- protocol


def test_the_protocol_of_a_folder_knows_its_files(tmp_path):
    class_folders(tmp_path / "zoo", (6, 6, 6, 6))
    made = vision.Protocol.of_folder(tmp_path / "zoo", size=8, held_out=2)
    assert (made.dataset, made.size, len(made.digest)) == ("zoo", 8, 64)
    assert vision.Protocol.of_record(made.record) == made
    split = made.split(0, tmp_path / "zoo")
    assert split.test_images.shape == (4, 3, 8, 8) and len(split.pool_images) == 8
    noted = sweep(made, tmp_path / "zoo").notes["images"]
    assert noted == {
        "classes": list(NAMES),
        "training_images": [6] * 4,
        "test_images": [0] * 4,
        "sha256": made.digest,
    }
    with pytest.raises(ValueError, match="root = None is not allowed: it must be the folder of the images zoo"):
        made.split(0)
    (tmp_path / "zoo" / "ant" / "1.png").write_bytes(png(pixels(1, 5)[0]))
    protocol._images.cache_clear()
    with pytest.raises(ValueError, match=r"the files in .*zoo have the hash .*: the protocol is of"):
        replace(made, held_out=3).split(0, tmp_path / "zoo")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "counts"), [("tiny-imagenet-32", 200, (500, 50)), ("cifar10-jpeg", 10, (5000, 1000))]
)
def test_photographs_at_hand_are_whole(name, classes, counts):
    if not (SHARED / name).is_dir():
        pytest.skip(f"{name} is not at hand")
    found = vision.load(SHARED / name)
    assert found.train_images.shape[1:] == (3, 32, 32) and len(found.classes) == classes
    record = found.record
    assert set(record["training_images"]) == {counts[0]} and set(record["test_images"]) == {counts[1]}
    if name == "cifar10-jpeg":  # as published, in spite of JPEG
        channels = found.train_images.transpose(0, 1).flatten(1)
        means = [float(x.float().mean()) for x in channels]
        np.testing.assert_allclose(means, [125.3, 122.9, 113.9], atol=0.2)
    else:
        split = vision.split_dataset(found, 2, seed=0, n_pt=98, held_out=250)
        assert len(split.pretraining_images) == 49_000
        assert (len(split.pool_images), len(split.test_images)) == (500, 600)
