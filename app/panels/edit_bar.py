"""The bar over the canvas while a region is marked or a picture is proposed."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from app.shortcuts import readable
from app.tips import set_tip

GAP = 6  # logical pixels to the canvas's lower edge


class EditBar(QFrame):
    """A sentence and some commands as buttons with their keys; lies at the foot of its parent."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, objectName="editBar")
        self.sentence = QLabel()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 6, 6, 6)
        self._row.setSpacing(6)
        self._row.addWidget(self.sentence)
        self._row.addSpacing(8)
        self._buttons: dict[QAction, QPushButton] = {}
        parent.installEventFilter(self)
        self.hide()

    def add(self, action: QAction) -> None:
        """Give the bar a button for an action."""
        button = QPushButton()
        button.setAccessibleName(action.text())
        set_tip(button, f"{action.text()} ({{{action.objectName()}}})")
        button.clicked.connect(action.trigger)
        self._buttons[action] = button
        self._row.addWidget(button)

    def say(self, sentence: str, texts: Mapping[QAction, str]) -> None:
        """Show a sentence with the buttons of some actions, in the words of the moment.

        No sentence hides the bar.
        """
        if not sentence:
            self.hide()
            return
        self.sentence.setText(sentence)
        for action, button in self._buttons.items():
            text = texts.get(action, "")
            key = readable(*(one.toString() for one in action.shortcuts()[:1]))
            button.setText(f"{text}  ({key})" if key else text)
            button.setEnabled(action.isEnabled())
            button.setVisible(bool(text))
        self.show()
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        self.adjustSize()
        room = self.parentWidget()
        self.move((room.width() - self.width()) // 2, room.height() - self.height() - GAP)
