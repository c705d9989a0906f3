"""What went wrong, or well, in a sentence inside the window, with the details at hand."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
)

from app.icons import set_icon


class ErrorBar(QFrame):
    """Hidden until there is something to say; the newest thing replaces the one before."""

    def __init__(self) -> None:
        super().__init__(objectName="errorBar")
        self.sentence = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details = QPlainTextEdit(readOnly=True)
        self.details.setFixedHeight(150)
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.details.setTabChangesFocus(True)
        self.details.setAccessibleName("Details of the error")
        self.details.setToolTip("What a report needs; Copy takes it along")
        self.details_button = QPushButton("Details", checkable=True)
        self.details_button.setToolTip("Show what a report needs")
        self.details_button.toggled.connect(self.details.setVisible)
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the sentence and its details")
        self.copy_button.clicked.connect(self._copy)
        self.offer_button = QPushButton("Try smaller")
        self.offer_button.setToolTip("Do this instead")
        self.offer_button.clicked.connect(self._take_offer)
        self._act: Callable[[], None] | None = None
        close = QToolButton(toolTip="Close")
        close.setAccessibleName("Close")
        set_icon(close, "close")
        close.clicked.connect(self.hide)
        row = QHBoxLayout()
        row.addWidget(self.sentence, 1)
        for button in (self.offer_button, self.details_button, self.copy_button, close):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 6, 6)
        layout.addLayout(row)
        layout.addWidget(self.details)
        self.details.hide()
        self.hide()

    def show_error(self, message: str, details: str = "") -> None:
        """Show a sentence; `details` is for those who will report it."""
        self.sentence.setText(message)
        self.details.setPlainText(details)
        self.details_button.setChecked(False)
        self.details_button.setVisible(bool(details))
        self.copy_button.show()
        self.offer_button.hide()
        self._wear(calm=False)
        self.show()

    def show_notice(self, message: str) -> None:
        """Show a sentence about what went well, without the colours of a warning."""
        self.show_error(message)
        self.copy_button.hide()
        self._wear(calm=True)

    def show_offer(self, message: str, text: str, act: Callable[[], None]) -> None:
        """Show a notice, and beside it what can be done now."""
        self.show_notice(message)
        self.offer(text, act)

    def offer(self, text: str, act: Callable[[], None]) -> None:
        """Put a way out beside the sentence that is shown."""
        self._act = act
        self.offer_button.setText(text)
        self.offer_button.setAccessibleName(text)
        self.offer_button.show()

    def _wear(self, calm: bool) -> None:
        """The style sheet looks at a property only when it is asked to."""
        if self.property("calm") != calm:
            self.setProperty("calm", calm)
            for widget in (self, self.sentence, self.offer_button):
                self.style().unpolish(widget)
                self.style().polish(widget)

    def _take_offer(self) -> None:
        self.hide()
        self._act()

    def _copy(self) -> None:
        parts = (self.sentence.text(), self.details.toPlainText())
        QGuiApplication.clipboard().setText("\n\n".join(part for part in parts if part))
