"""Killed at any moment, on a disk that is really full: the file is the old one or the new one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNSHARE = ["unshare", "--map-root-user", "--mount", "sh", "-c"]  # a disk that only we see
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks")


def run(command) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    return done.stdout


@pytest.mark.parametrize("kind, count", [("export", 5), ("train", 2)])
def test_killed_some_times(tmp_path, kind, count):
    """`kill -9` at random moments leaves no half file, and a training goes on."""
    run([sys.executable, "-m", "tests.faults.killing", kind, str(count), str(tmp_path)])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind, count", [("export", 50), ("train", 20)])
def test_killed_many_times(tmp_path, kind, count):
    """The same, for a figure."""
    run([sys.executable, "-m", "tests.faults.killing", kind, str(count), str(tmp_path)])


def test_no_file_may_grow(tmp_path):
    """The system itself refuses (RLIMIT_FSIZE): twelve kinds of file, each as it was."""
    told = run([sys.executable, "-m", "tests.faults.small_disk", str(tmp_path), "limit"])
    assert "12 kinds of file" in told


def small_disks() -> bool:
    """Whether this system lets us have a small disk of our own."""
    if shutil.which("unshare") is None:
        return False
    mount = "mount -t tmpfs -o size=64k none /mnt"
    return subprocess.run([*UNSHARE, mount], capture_output=True).returncode == 0


def test_a_disk_that_is_full(tmp_path):
    """A real one, of a megabyte: twelve kinds of file, each as it was."""
    if not small_disks():
        pytest.skip("no right to mount a small disk")
    command = f"{sys.executable} -m tests.faults.small_disk {tmp_path} disk"
    told = run([*UNSHARE, f"mount -t tmpfs -o size=2m none {tmp_path} && {command}"])
    assert "12 kinds of file" in told and "the disk is full" in told
