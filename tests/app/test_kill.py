"""Killed at any moment: the file is the old one or the new one, and the recovery copy opens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks")


def kill(count, folder):
    command = [sys.executable, "-m", "tests.app.killing", str(count), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout)


def test_killed_five_times(tmp_path):
    """Five kills at random moments lose nothing."""
    kill(5, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_fifty_times(tmp_path):
    """Fifty kills at random moments lose nothing."""
    kill(50, tmp_path)
