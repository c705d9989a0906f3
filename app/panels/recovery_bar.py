"""The offer to bring back what a crash left behind, above the canvas."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton


class RecoveryBar(QFrame):
    """restore_wanted, discard_wanted: a button. Hidden while there is nothing to offer."""

    restore_wanted = Signal()
    discard_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(objectName="errorBar")
        self.sentence = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.restore = QPushButton("Restore", toolTip="Open the copy; nothing on disk is changed")
        self.discard = QPushButton("Discard", toolTip="Delete the copy and its pictures for good")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.addWidget(self.sentence, 1)
        for button, wanted in (
            (self.restore, self.restore_wanted),
            (self.discard, self.discard_wanted),
        ):
            button.clicked.connect(wanted)
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def offer(self, sentence: str) -> None:
        """Show the sentence with its two answers; "" for nothing to offer."""
        self.sentence.setText(sentence)
        self.setVisible(bool(sentence))
