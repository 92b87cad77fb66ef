"""Files are there whole or not at all."""

import os
from pathlib import Path

import pytest

from ptft.files import read_sealed, read_whole, require_writable, write_sealed, write_whole


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_whole(path, b"old")

    def disk_full(*args):
        raise OSError

    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(OSError):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_is_then(tmp_path, monkeypatch):
    done, sync, move = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append(os.path.isdir(f"/dev/fd/{handle}/.")), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("named"), move(*paths)))
    write_whole(tmp_path / "x.json", b"all of it")
    assert done == [False, "named", True]  # the file, its name, the folder


def test_a_link_is_followed_and_never_replaced(tmp_path):
    there, link, circle = tmp_path / "there", tmp_path / "link", tmp_path / "circle"
    link.symlink_to(there)
    for content in (b"new", b"newer"):  # the file that it leads to is not there, and is
        write_whole(link, content)
        assert link.is_symlink() and there.read_bytes() == content
    circle.symlink_to(circle)
    with pytest.raises(OSError, match="circle"):
        write_whole(circle, b"new")
    assert circle.is_symlink() and sorted(p.name for p in tmp_path.iterdir()) == ["circle", "link", "there"]


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match=f"it is not a file: '{path}'"):
            read_whole(path)
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "absent")


def test_a_sealed_file_is_read_only_as_what_was_written(tmp_path):
    content = bytes(range(256))
    path = write_sealed(tmp_path, "all.bytes", ".bin", content)
    assert read_sealed(path) == content
    for at in range(0, 256, 17):
        for bit in range(8):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
            with pytest.raises(ValueError, match="its content has another digest"):
                read_sealed(path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    require_writable(tmp_path, "the folder")
    with pytest.raises(OSError, match=r"the folder .*absent cannot be written"):
        require_writable(tmp_path / "absent", "the folder")
