"""Files are there whole or not at all."""

import os

import pytest

from ptft.files import require_writable, write_whole


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_whole(path, b"old")

    def disk_full(*args):
        raise OSError

    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(OSError):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    require_writable(tmp_path, "the folder")
    with pytest.raises(OSError, match=r"the folder .*absent cannot be written"):
        require_writable(tmp_path / "absent", "the folder")
