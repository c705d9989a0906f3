"""The window of the other tests, and a disk that is full where one wants it."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog

from tests.app.conftest import (  # noqa: F401 - fixtures are found by their names
    canvas,
    closed_window,
    data,
    engine,
    no_waiting_for_the_disk,
    palette,
    patience,
    pen,
    qapp_cls,
    reply,
    store,
    window,
)


@pytest.fixture
def choose(monkeypatch):
    """`choose(path)`: the answer to the next questions for a file."""

    def answer(path):
        for name in ("getSaveFileName", "getOpenFileName"):
            monkeypatch.setattr(QFileDialog, name, lambda *_: (str(path), ""))

    return answer


@pytest.fixture
def broken(monkeypatch):
    """`broken(folder, way, number)`: no file gets onto the disk below `folder` any more. The answer
    mends it. way: where it fails, beside the writing itself: "begin", "sync" or "rename"."""

    def breaking(folder: Path, way: str, number: int = errno.ENOSPC):
        patch = pytest.MonkeyPatch()
        inside = str(folder.resolve())

        def refuse(place):
            if str(place).startswith(inside):
                raise OSError(number, os.strerror(number), str(place))

        def wrapped(work, where):
            def call(*args, **kwargs):
                refuse(where(*args, **kwargs))
                return work(*args, **kwargs)

            return call

        if way == "begin":
            mkstemp = wrapped(tempfile.mkstemp, lambda *_, dir=None, **__: dir)
            patch.setattr("core.files.tempfile.mkstemp", mkstemp)
        elif way == "sync":
            fsync = wrapped(os.fsync, lambda handle: os.readlink(f"/proc/self/fd/{handle}"))
            patch.setattr("core.files.os.fsync", fsync)
        else:
            patch.setattr("core.files.os.replace", wrapped(os.replace, lambda _, target: target))
        menders.append(patch.undo)
        return patch.undo

    menders = []
    yield breaking
    for mend in menders:
        mend()
