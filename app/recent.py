"""The menu of documents that were last opened or saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QMenu, QWidget

from app.settings import Store


class RecentMenu(QMenu):
    """Filled each time it is shown, so it knows what is there now."""

    def __init__(self, parent: QWidget, store: Store, choose: Callable[[Path], None]) -> None:
        super().__init__("Open recent", parent)
        self._store, self._choose = store, choose
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for number, path in enumerate(self._store.recent(), start=1):
            action = self.addAction(f"&{number % 10}  {path.name.replace('&', '&&')}")
            action.setToolTip(str(path))
            action.setEnabled(path.is_file())
            action.triggered.connect(partial(self._take, path))
        if self.isEmpty():
            self.addAction("Nothing yet").setEnabled(False)
            return
        self.addSeparator()
        self.addAction("Forget these").triggered.connect(lambda: self._store.keep_recent(None))

    def _take(self, path: Path, _checked: bool = False) -> None:
        self._choose(path)
