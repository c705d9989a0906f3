"""A file on disk is the old one or the new one."""

import os

import pytest

from core.files import atomic_path


def test_the_new_file_replaces_the_old(tmp_path):
    """After the block the name holds the new text and nothing else is left."""
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_path(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """An error inside the block (a full disk, say) changes nothing."""
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(OSError), atomic_path(target) as part:
        part.write_text("ne")
        raise OSError(28, "No space left on device")
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_others_may_read_what_was_saved(tmp_path):
    """The file follows the umask, although the temporary one is private."""
    with atomic_path(tmp_path / "a.txt") as part:
        part.write_text("x")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_what_a_killed_program_left_is_removed(tmp_path):
    """An old part of the same file goes with the next write; a young one may be in use."""
    for name in (".a.txt.old.part", ".a.txt.young.part", ".b.txt.old.part"):
        (tmp_path / name).write_text("half")
    for name in (".a.txt.old.part", ".b.txt.old.part"):
        os.utime(tmp_path / name, (0, 0))
    with atomic_path(tmp_path / "a.txt") as part:
        part.write_text("x")
    assert sorted(os.listdir(tmp_path)) == [".a.txt.young.part", ".b.txt.old.part", "a.txt"]
