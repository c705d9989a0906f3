"""A line for words: it completes them, underlines what is not known, and walks earlier lines."""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QInputMethodEvent, QKeyEvent, QTextCharFormat
from PySide6.QtWidgets import QApplication, QCompleter, QLineEdit

from core.words import MAX_TEXT, UnknownWord, Vocabulary

RED = "#e05252"  # told from text and ground in both themes
LONGEST = 4  # words of a spelling
Keys = Qt.Key
AWAY = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)  # for a moment
ENTERS = (Keys.Key_Return, Keys.Key_Enter)


class PromptEdit(QLineEdit):
    """entered: Enter. written(text): by the user, in whatever way. doubted(tuple of UnknownWord):
    of the text as it is now, but for the word that is being typed. earlier: gives the lines of
    before, newest first."""

    entered = Signal()
    written = Signal(str)
    doubted = Signal(object)

    def __init__(self, earlier: Callable[[], list[str]]) -> None:
        super().__init__(clearButtonEnabled=True, maxLength=MAX_TEXT)
        self.setAcceptDrops(False)  # a file that falls here is for the panel
        self._vocabulary: Vocabulary | None = None
        self._earlier = earlier
        self._walk: list[str] = []  # what Up and Down go through, the present text first
        self._place = 0
        self._typing = False  # whether the word before the cursor may be half a word
        self._shown: tuple[UnknownWord, ...] = ()
        self._words = QStringListModel(self)
        self._completer = QCompleter(self._words, self)
        self._completer.setWidget(self)
        self._completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        self._completer.activated.connect(self._take_completion)
        self._completer.popup().setAccessibleName("Words that begin so")
        self.textEdited.connect(self._on_edited)
        self.textChanged.connect(self._review)

    def set_vocabulary(self, vocabulary: Vocabulary | None) -> None:
        """The words that are known; None for any."""
        if vocabulary is not self._vocabulary:
            self._vocabulary = vocabulary
            self._review()

    def set_words(self, text: str) -> None:
        """Put other words in place of the text, as the user's own."""
        self._typing = False
        self.setText(text)
        self._walk = []
        self.written.emit(text)

    def insert_word(self, word: str) -> None:
        """Add a word to the text, behind a comma if need be."""
        text = self.text().rstrip(" ,")
        self.set_words(f"{text}, {word}" if text else word)

    def replace_word(self, unknown: str, known: str) -> None:
        """Put a known word in place of one that is not."""
        pattern = rf"(?<![\w'-]){re.escape(unknown)}(?![\w'-])"
        self.set_words(re.sub(pattern, known, self.text(), flags=re.IGNORECASE))

    # -- keys -------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        popup, key = self._completer.popup(), event.key()
        if popup.isVisible() and key in (Keys.Key_Up, Keys.Key_Down, Keys.Key_Escape):
            event.ignore()  # the list's own
        elif popup.isVisible() and key in ENTERS and popup.currentIndex().isValid():
            event.ignore()
        elif key in ENTERS:
            popup.hide()
            self._walk = []
            self._settle()
            self.entered.emit()
        elif key in (Keys.Key_Up, Keys.Key_Down):
            self._go_back(1 if key == Keys.Key_Up else -1)
        else:
            super().keyPressEvent(event)

    def _go_back(self, by: int) -> None:
        if not self._walk:
            now = self.text()
            self._walk = [now, *(text for text in self._earlier() if text != now)]
            self._place = 0
        place = min(max(self._place + by, 0), len(self._walk) - 1)
        if place != self._place:
            walk = self._walk
            self.set_words(walk[place])
            self._walk, self._place = walk, place

    # -- completion -------------------------------------------------------------------------------

    def _on_edited(self, text: str) -> None:
        self._walk, self._typing = [], True
        self._review()
        self.written.emit(text)
        _, words = self._completions()
        self._words.setStringList(words)
        if words:
            self._completer.complete()
        else:
            self._completer.popup().hide()

    def _completions(self) -> tuple[str, list[str]]:
        """The words before the cursor that others begin with, as many as can be, and those."""
        before = self.text()[: self.cursorPosition()]
        if self._vocabulary is None or not before or not before[-1].isalnum():
            return "", []
        clause = re.split(r"[,;.]", before)[-1].lstrip()
        parts = clause.split()
        for first in range(max(0, len(parts) - LONGEST), len(parts)):
            start = " ".join(parts[first:])
            found = [word for word in self._vocabulary.complete(start) if word != start.lower()]
            if found:
                return start, found
        return "", []

    def _take_completion(self, word: str) -> None:
        start, _ = self._completions()
        place = self.cursorPosition()
        begin = place - len(start)
        text = self.text()
        self.set_words(text[:begin] + word + text[place:])
        self.setCursorPosition(begin + len(word))

    # -- what is not known ------------------------------------------------------------------------

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in AWAY:
            self._settle()

    def _settle(self) -> None:
        """No word is half a word any more."""
        self._typing = False
        self._review()

    def _review(self, *_: object) -> None:
        unknown = self._vocabulary.unknown(self.text()) if self._vocabulary else ()
        start, _ = self._completions() if self._typing else ("", [])
        typed = start.split()[-1].lower() if start else ""
        unknown = tuple(one for one in unknown if one.word != typed)
        self._underline(unknown)
        if [one.word for one in unknown] != [one.word for one in self._shown]:
            self._shown = unknown
            self.doubted.emit(unknown)

    def _underline(self, unknown: tuple[UnknownWord, ...]) -> None:
        """A line edit has no formats of its own, but it draws those of an input method."""
        style = QTextCharFormat()
        style.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        style.setUnderlineColor(QColor(RED))
        marks = [
            QInputMethodEvent.Attribute(
                QInputMethodEvent.AttributeType.TextFormat,
                found.start() - self.cursorPosition(),
                len(one.word),
                style,
            )
            for one in unknown
            for found in re.finditer(rf"(?<![\w'-]){re.escape(one.word)}(?![\w'-])", self._plain())
        ]
        QApplication.sendEvent(self, QInputMethodEvent("", marks))

    def _plain(self) -> str:
        return self.text().lower().replace("’", "'")
