"""Words and reference pictures that guide a picture: a row each, the words above."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from html import escape
from urllib.parse import quote, unquote

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.guiding.prompt_edit import PromptEdit
from app.guiding.term import WORDS, Table, Term
from app.guiding.term_row import Labels, TermRow
from core.words import UnknownWord, Vocabulary

EXAMPLES = (
    "golden sunset",
    "foggy dawn, no snow",
    "stormy sea",
    "snowy winter night",
    "lush green summer",
    "dry desert, clear sky",
)
IN_HINT = 3  # of the examples
DROP_HINT = "Or drop a picture here, to be like it."


class GuidePanel(QWidget):
    """edited(key, changes): a control of a row was moved. entered(key): Enter in its words.
    removed(key)."""

    edited = Signal(int, object)
    entered = Signal(int)
    removed = Signal(int)

    def __init__(
        self, adding: Iterable[QAction], earlier: Callable[[], list[str]], labels: Labels
    ) -> None:
        """adding: the actions that add a row. earlier: words of before, newest first. labels: what
        a row may be limited to."""
        super().__init__()
        self._earlier, self._labels = earlier, labels
        self.rows: dict[int, TermRow] = {}
        self._kinds: tuple[str, ...] = ()
        self._vocabulary: Vocabulary | None = None
        self._doubts: dict[int, tuple[UnknownWord, ...]] = {}
        self._missing = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 10, 8)
        layout.setSpacing(6)
        layout.addWidget(self._build_list(), 1)
        layout.addWidget(self._build_hint())
        layout.addLayout(self._build_foot(adding))

    def sizeHint(self) -> QSize:
        return QSize(400, 210)

    # -- building ---------------------------------------------------------------------------------

    def _build_list(self) -> QWidget:
        inside = QWidget()
        self._list = QVBoxLayout(inside)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(5)
        self._list.addStretch(1)
        area = QScrollArea(widgetResizable=True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        self._area = area
        return area

    def _build_hint(self) -> QWidget:
        self.hint = QLabel(objectName="faint", wordWrap=True, textFormat=Qt.TextFormat.RichText)
        flags = Qt.TextInteractionFlag
        self.hint.setTextInteractionFlags(
            flags.LinksAccessibleByMouse | flags.LinksAccessibleByKeyboard
        )
        self.hint.linkActivated.connect(self._follow)
        return self.hint

    def _build_foot(self, adding: Iterable[QAction]) -> QHBoxLayout:
        self.words_button = QPushButton("Words", objectName="palette")
        self.words_button.setToolTip("Examples, earlier words, and all that the model knows")
        words = QMenu(self.words_button)
        words.aboutToShow.connect(lambda: self._fill_words(words))
        self.words_button.setMenu(words)
        self.add_button = QPushButton("Add", objectName="palette")
        self.add_button.setToolTip("Another line of words, or a picture to be like")
        more = QMenu(self.add_button)
        more.addActions(list(adding))
        self.add_button.setMenu(more)
        row = QHBoxLayout()
        row.setSpacing(6)
        for button in (self.words_button, self.add_button):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _fill_words(self, menu: QMenu) -> None:
        menu.clear()
        for title, texts in (("Examples", EXAMPLES), ("Earlier", self._earlier())):
            sub = menu.addMenu(title)
            sub.setEnabled(bool(texts))
            for text in texts:
                sub.addAction(text.replace("&", "&&"), partial(self._write, text))
        menu.addSeparator()
        groups = self._vocabulary.groups() if self._vocabulary else {}
        for group, words in groups.items():
            sub = menu.addMenu(group.capitalize())
            for word in words:
                sub.addAction(word, partial(self._insert, word))

    # -- showing ----------------------------------------------------------------------------------

    def show_table(self, table: Table) -> None:
        """Show the rows without reporting them back."""
        keys = [term.key for term in table]
        for key in [key for key in self.rows if key not in keys]:
            self._drop_row(key)
        for place, term in enumerate(table):
            row = self.rows.get(term.key) or self._add_row(term)
            if self._list.indexOf(row) != place:
                self._list.insertWidget(place, row)
            row.show_term(term)
        self._show_hint()

    def _add_row(self, term: Term) -> TermRow:
        row = TermRow(term, self._earlier, self._labels)
        row.edited.connect(self.edited)
        row.entered.connect(self.entered)
        row.removed.connect(self.removed)
        row.doubted.connect(self._on_doubted)
        if row.words is not None:
            row.words.set_vocabulary(self._vocabulary)
        row.show_abilities(self._kinds)
        self.rows[term.key] = row
        return row

    def _drop_row(self, key: int) -> None:
        row = self.rows.pop(key)
        self._doubts.pop(key, None)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()

    def show_abilities(
        self, kinds: tuple[str, ...], vocabulary: Vocabulary | None, missing: str
    ) -> None:
        """What the model can follow. missing: a sentence about what it cannot, and the way out."""
        self._kinds, self._vocabulary, self._missing = kinds, vocabulary, missing
        for row in self.rows.values():
            row.show_abilities(kinds)
            if row.words is not None:
                row.words.set_vocabulary(vocabulary)
        self.words_button.setEnabled(vocabulary is not None)
        self._show_hint()

    def focus_words(self, key: int | None = None) -> None:
        """Give the keys to a line of words, or to the first."""
        lines = [row.words for row in self.rows.values() if row.words is not None]
        target = self.rows[key].words if key in self.rows else lines[0]
        target.setFocus()
        target.selectAll()
        self._area.ensureWidgetVisible(target)

    def _on_doubted(self, key: int, unknown: tuple[UnknownWord, ...]) -> None:
        self._doubts[key] = unknown
        self._show_hint()

    def _show_hint(self) -> None:
        text = escape(self._missing) or self._doubt() or self._invitation()
        self.hint.setText(text)
        self.hint.setVisible(bool(text))
        links = "<a" in text
        self.hint.setFocusPolicy(Qt.FocusPolicy.TabFocus if links else Qt.FocusPolicy.NoFocus)

    def _doubt(self) -> str:
        for key, unknown in self._doubts.items():
            if unknown:
                word, near = unknown[0].word, unknown[0].near
                found = " or ".join(_link(known, "near", str(key), word, known) for known in near)
                way = f"Take {found}, or leave it out." if found else "Leave it out."
                more = escape(unknown[0].more)
                return f"“{escape(word)}” is not known to the model. {way} {more}".rstrip()
        return ""

    def _invitation(self) -> str:
        lines = [row for row in self.rows.values() if row.words is not None]
        if WORDS not in self._kinds or len(self.rows) > 1 or any(r.words.text() for r in lines):
            return ""
        found = " · ".join(_link(text, "example", text) for text in EXAMPLES[:IN_HINT])
        return f"Try {found}. {DROP_HINT}"

    # -- reporting --------------------------------------------------------------------------------

    def _follow(self, link: str) -> None:
        what, *parts = map(unquote, link.split("/"))
        if what == "example":
            self._write(*parts)
        else:
            key, unknown, known = parts
            self.rows[int(key)].words.replace_word(unknown, known)

    def _write(self, text: str) -> None:
        self._line().set_words(text)
        self._line().setFocus()

    def _insert(self, word: str) -> None:
        self._line().insert_word(word)
        self._line().setFocus()

    def _line(self) -> PromptEdit:
        """Where words of the menu go: the line that was written in last, or the first."""
        lines = [row.words for row in self.rows.values() if row.words is not None]
        return next((line for line in lines if line is self.focusWidget()), lines[0])


def _link(text: str, *parts: str) -> str:
    target = "/".join(quote(part, safe="") for part in parts)
    return f'<a href="{target}">{escape(text)}</a>'
