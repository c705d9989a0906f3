"""The dialog that gives commands other keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.shortcuts import RESERVED, Shortcuts, readable

NAME_ROLE = Qt.ItemDataRole.UserRole
HINT = "Choose a command, press Enter, then press its new keys."
MODIFIERS = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta)


class KeyRecorder(QPushButton):
    """A button that, once pressed, takes the next keys. recorded(key): portable text."""

    recorded = Signal(str)

    def __init__(self) -> None:
        super().__init__("Record keys", checkable=True)
        self.setAccessibleName("Record keys")
        self.setToolTip("Press the new keys of the chosen command (Enter in the list)")
        self.setAutoDefault(False)
        self.toggled.connect(self._show_state)

    def listen(self) -> None:
        """Take the next keys."""
        self.setFocus()
        self.setChecked(True)

    def _show_state(self, listening: bool) -> None:
        self.setText("Press keys, or Esc…" if listening else "Record keys")

    def event(self, event: QEvent) -> bool:
        """While it listens, every key is its own: also Tab, and the keys of other commands."""
        if self.isChecked() and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if self.isChecked() and event.type() == QEvent.Type.KeyPress:
            self._take(event)
            return True
        return super().event(event)

    def _take(self, event: QKeyEvent) -> None:
        if event.key() in MODIFIERS or not event.key():
            return
        self.setChecked(False)
        if event.key() != Qt.Key.Key_Escape:
            self.recorded.emit(key_text(event))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.setChecked(False)
        super().focusOutEvent(event)


def key_text(event: QKeyEvent) -> str:
    """The key of an event. Shift counts only where it does not make the character itself."""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    text = event.text()
    if text.isprintable() and text.strip() and not text.isalpha():
        modifiers &= ~Qt.KeyboardModifier.ShiftModifier
    code = event.key() | modifiers.value
    return QKeySequence(code).toString(QKeySequence.SequenceFormat.PortableText)


class ShortcutsDialog(QDialog):
    """Every command with its keys. What is changed here holds at once, and is remembered.

    groups: (title, names of wishes) as the menus have them.
    """

    def __init__(
        self, shortcuts: Shortcuts, groups: Sequence[tuple[str, list[str]]], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._shortcuts = shortcuts
        self._wanted = ""  # a key that another command has
        self.search = QLineEdit(placeholderText="Search commands or keys", clearButtonEnabled=True)
        self.search.setAccessibleName("Search commands or keys")
        self.search.setToolTip("Show only the commands that have this in their name or keys")
        self.search.textChanged.connect(self._filter)
        self.tree = self._build_tree(groups)
        self.sentence = QLabel(HINT, wordWrap=True)
        self.sentence.setMinimumHeight(2 * self.sentence.fontMetrics().height())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(10)
        layout.addWidget(self.search)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.sentence)
        layout.addLayout(self._build_buttons())
        shortcuts.changed.connect(self._show_keys)
        self._show_keys()
        self.tree.setFocus()
        self.resize(620, 560)

    # -- building ---------------------------------------------------------------------------------

    def _build_tree(self, groups: Sequence[tuple[str, list[str]]]) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setHeaderLabels(["Command", "Keys"])
        tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        tree.header().setStretchLastSection(False)
        tree.setAccessibleName("Commands")
        tree.setToolTip("Enter records new keys for the chosen command")
        tree.setRootIsDecorated(False)
        tree.setIndentation(12)
        for title, names in groups:
            group = QTreeWidgetItem(tree, [title])
            group.setFlags(Qt.ItemFlag.ItemIsEnabled)
            font = group.font(0)
            font.setBold(True)
            group.setFont(0, font)
            for name in names:
                text = self._shortcuts.wishes[name].text.rstrip("…")
                row = QTreeWidgetItem(group, [text, ""])
                row.setData(0, NAME_ROLE, name)
        tree.expandAll()
        tree.currentItemChanged.connect(self._on_row)
        tree.itemActivated.connect(self._on_activated)
        return tree

    def _build_buttons(self) -> QHBoxLayout:
        self.record = KeyRecorder()
        self.record.recorded.connect(self._on_recorded)
        self.take_over = _button("Use it here", "Take the keys from the other command")
        self.take_over.clicked.connect(self._take_over)
        self.remove = _button("No keys", "Let the chosen command have no keys")
        self.remove.clicked.connect(lambda: self._assign(()))
        self.reset = _button("Reset", "Give the chosen command its first keys back")
        self.reset.clicked.connect(self._reset)
        self.reset_all = _button("Reset all", "Give every command its first keys back")
        self.reset_all.clicked.connect(self._reset_all)
        self.close_button = _button("Close", "Close (Esc)")
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.setSpacing(6)
        for button in (self.record, self.take_over, self.remove, self.reset):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.reset_all)
        row.addWidget(self.close_button)
        return row

    # -- showing ----------------------------------------------------------------------------------

    def rows(self) -> list[QTreeWidgetItem]:
        """The row of every command."""
        tops = (self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount()))
        return [top.child(i) for top in tops for i in range(top.childCount())]

    def choose(self, name: str) -> None:
        """Make the row of a wish the current one."""
        for row in self.rows():
            if row.data(0, NAME_ROLE) == name:
                self.tree.setCurrentItem(row)

    @property
    def _name(self) -> str | None:
        row = self.tree.currentItem()
        return row.data(0, NAME_ROLE) if row else None

    def _text(self, name: str) -> str:
        return self._shortcuts.wishes[name].text.rstrip("…")

    def _show_keys(self) -> None:
        own = self._shortcuts.changed_names()
        for row in self.rows():
            name = row.data(0, NAME_ROLE)
            row.setText(1, readable(*self._shortcuts.keys(name)))
            font = row.font(1)
            font.setItalic(name in own)
            row.setFont(1, font)
        self._show_abilities()

    def _show_abilities(self) -> None:
        name = self._name
        self.record.setEnabled(name is not None)
        self.remove.setEnabled(name is not None and bool(self._shortcuts.keys(name)))
        self.reset.setEnabled(name in self._shortcuts.changed_names())
        self.reset_all.setEnabled(bool(self._shortcuts.changed_names()))
        self.take_over.setVisible(bool(self._wanted))

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        for row in self.rows():
            known = f"{row.text(0)} {row.text(1)}".casefold()
            row.setHidden(not all(word in known for word in words))
        for index in range(self.tree.topLevelItemCount()):
            group = self.tree.topLevelItem(index)
            children = [group.child(i) for i in range(group.childCount())]
            group.setHidden(all(child.isHidden() for child in children))

    # -- changing ---------------------------------------------------------------------------------

    def _on_row(self) -> None:
        self._say(HINT)

    def _on_activated(self, row: QTreeWidgetItem) -> None:
        if row.data(0, NAME_ROLE):
            self.record.listen()

    def _on_recorded(self, key: str) -> None:
        if key in RESERVED:
            self._say(f"{readable(key)} {RESERVED[key]}; choose other keys.")
            return
        owner = self._shortcuts.owner(key)
        if owner not in (None, self._name):
            self._say(f"{readable(key)} already means “{self._text(owner)}”.", wanted=key)
            self.take_over.setFocus()
        else:
            self._assign((key,))

    def _take_over(self) -> None:
        key = self._wanted
        loser = self._text(self._shortcuts.owner(key))
        self._assign((key,))
        self._say(f"{self.sentence.text()} “{loser}” has lost it.")

    def _assign(self, keys: tuple[str, ...]) -> None:
        name = self._name
        self._wanted = ""
        self._shortcuts.assign(name, keys)
        meaning = f"{readable(*keys)} now means" if keys else "No keys are left for"
        self._say(f"{meaning} “{self._text(name)}”.")
        self.tree.setFocus()

    def _reset(self) -> None:
        name = self._name
        self._shortcuts.reset(name)
        self._say(f"“{self._text(name)}” has its first keys again.")

    def _reset_all(self) -> None:
        self._shortcuts.reset_all()
        self._say("Every command has its first keys again.")

    def _say(self, sentence: str, wanted: str = "") -> None:
        self._wanted = wanted
        self.sentence.setText(sentence)
        self._show_abilities()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text, toolTip=tip)
    button.setAutoDefault(False)
    return button
