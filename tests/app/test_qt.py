"""Qt and its binding: that they are sound, and that they stay where they belong."""

import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import QObject, Signal

ROOT = Path(__file__).resolve().parents[2]


class Sender(QObject):
    sent = Signal()


def test_emitting_keeps_true_alive():
    """PySide6 6.12.0 drops a reference to True at every emit: Python 3.11 dies of that."""
    sender = Sender()
    before = sys.getrefcount(True)
    for _ in range(100):
        sender.sent.emit()
    assert sys.getrefcount(True) > before - 50


def test_numpy_and_qimage_meet_in_one_file():
    """Only imaging.py builds a QImage."""
    files = (ROOT / "app").rglob("*.py")
    assert [f.name for f in files if "QImage(" in f.read_text("utf-8")] == ["imaging.py"]


def test_the_program_starts_without_torch():
    """Importing main and all that the window needs leaves torch alone."""
    code = "import sys, main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
