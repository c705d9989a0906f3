"""The palette editor: labels at the left, the one that is chosen at the right."""

from __future__ import annotations

import re

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.palettes.draft import Draft
from app.palettes.library import Library
from app.swatch import swatch_icon
from core.palette import LabelClass, Palette, PaletteError, bundled_palettes, hex_color, normalise

SWATCH, ROW_HEIGHT = 18, 26  # logical pixels
HEX = re.compile(r"#[0-9a-fA-F]{6}")


class PaletteEditor(QDialog):
    """Works on a draft; saved(draft, palette) comes when its file is written, and only then."""

    saved = Signal(object, object)

    def __init__(self, parent: QWidget, draft: Draft, library: Library) -> None:
        super().__init__(parent)
        self.setWindowTitle("Edit palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(700, 520)
        self._draft, self._library = draft, library
        self._showing = False  # the fields are being filled, nobody is typing
        if draft.palette.name in bundled_palettes():  # those stay as they are
            draft.title += " copy"
        self.title = _line("Title of the palette", draft.title)
        self.title.textChanged.connect(self._retitle)
        self.problem = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.problem.setAccessibleName("What is wrong")
        kinds = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(kinds.Save | kinds.Cancel)
        self.save_button = buttons.button(kinds.Save)
        self.save_button.setObjectName("primary")
        self.save_button.setDefault(True)
        buttons.accepted.connect(self.save)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        head = QFormLayout()
        head.addRow("Title", self.title)
        layout.addLayout(head)
        middle = QHBoxLayout()
        middle.setSpacing(20)
        middle.addLayout(self._build_list(), 1)
        middle.addLayout(self._build_fields(), 1)
        layout.addLayout(middle, 1)
        layout.addWidget(self.problem)
        layout.addWidget(buttons)
        self._list(0)
        self._check()

    def _build_list(self) -> QVBoxLayout:
        self.rows = QListWidget()
        self.rows.setAccessibleName("Labels of the palette")
        self.rows.setToolTip("The number is the label's id in the map")
        self.rows.setIconSize(QSize(SWATCH, SWATCH))
        self.rows.currentRowChanged.connect(self._show_label)
        self.add = _button("&Add", "Add a label below this one", self._add)
        self.remove = _button(
            "&Remove", "Remove this label; what it paints is erased", self._remove
        )
        self.up = _button("&Up", "One place up: a smaller id", lambda: self._move(-1))
        self.down = _button("&Down", "One place down: a larger id", lambda: self._move(1))
        buttons = QGridLayout()
        buttons.setSpacing(8)
        for place, button in enumerate((self.add, self.remove, self.up, self.down)):
            buttons.addWidget(button, place // 2, place % 2)
        column = QVBoxLayout()
        column.addWidget(self.rows, 1)
        column.addLayout(buttons)
        return column

    def _build_fields(self) -> QFormLayout:
        self.name = _line("Name of the label")
        self.name.textEdited.connect(lambda text: self._change(name=text.strip()))
        self.color = _line("Colour of the label as #rrggbb")
        self.color.textEdited.connect(self._recolor)
        self.pick_color = QPushButton("Choose…", toolTip="Choose the colour from a picture of all")
        self.pick_color.setAccessibleName("Choose the colour")
        self.pick_color.setAutoDefault(False)
        self.pick_color.clicked.connect(self._ask_color)
        self.synonyms = _line("Synonyms, separated by commas")
        self.synonyms.textEdited.connect(lambda text: self._change(synonyms=_words(text)))
        self.group = QComboBox(editable=True)
        self.group.setAccessibleName("Group of the label")
        self.group.setToolTip("The heading under which it is listed")
        self.group.editTextChanged.connect(lambda text: self._change(group=text.strip()))
        self.hidden = QCheckBox("Not offered for painting")
        self.hidden.setToolTip("It keeps its id, but the palette does not list it")
        self.hidden.toggled.connect(lambda on: self._change(hidden=on))
        self.erase = QCheckBox("Erasing leaves this label")
        self.erase.setToolTip("The eraser paints it, and unknown pixels become it")
        self.erase.toggled.connect(self._set_erase)
        color = QHBoxLayout()
        color.addWidget(self.color, 1)
        color.addWidget(self.pick_color)
        form = QFormLayout()
        form.setVerticalSpacing(10)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Name", self.name)
        form.addRow("Colour", color)
        form.addRow("Synonyms", self.synonyms)
        form.addRow("Group", self.group)
        form.addRow("", self.hidden)
        form.addRow("", self.erase)
        return form

    # -- the list ---------------------------------------------------------------------------------

    def _list(self, row: int) -> None:
        """Fill the list and go to a row."""
        self.rows.blockSignals(True)
        self.rows.clear()
        for index, one in enumerate(self._draft.rows):
            item = QListWidgetItem()
            item.setSizeHint(QSize(0, ROW_HEIGHT))
            self.rows.addItem(item)
            _show_row(item, index, one.label)
        self.rows.blockSignals(False)
        self.rows.setCurrentRow(row)
        self._show_label(row)

    def _add(self) -> None:
        self._list(self._draft.add(self._row))
        self.name.setFocus()
        self.name.selectAll()
        self._check()

    def _remove(self) -> None:
        row = self._row
        self._draft.remove(row)
        self._list(min(row, len(self._draft.rows) - 1))
        self._check()

    def _move(self, by: int) -> None:
        self._list(self._draft.move(self._row, by))
        self._check()

    @property
    def _row(self) -> int:
        return max(0, self.rows.currentRow())

    # -- the label --------------------------------------------------------------------------------

    def _show_label(self, row: int) -> None:
        """Fill the fields from the draft."""
        label = self._draft.rows[row].label
        self._showing = True
        self.name.setText(label.name)
        self.color.setText(hex_color(label.color))
        self.synonyms.setText(", ".join(label.synonyms))
        groups = sorted({one.label.group for one in self._draft.rows} - {""})
        self.group.clear()
        self.group.addItems(groups)
        self.group.setEditText(label.group)
        self.hidden.setChecked(label.hidden)
        self.erase.setChecked(row == self._draft.erase)
        self.erase.setEnabled(row != self._draft.erase)  # one label has to be it
        self._showing = False
        count = len(self._draft.rows)
        self.add.setEnabled(not self._draft.full)
        self.remove.setEnabled(count > 1)
        self.up.setEnabled(row > 0)
        self.down.setEnabled(row < count - 1)

    def _change(self, **entries: object) -> None:
        if not self._showing:
            self._draft.change(self._row, **entries)
            _show_row(self.rows.currentItem(), self._row, self._draft.rows[self._row].label)
            self._check()

    def _recolor(self, text: str) -> None:
        if HEX.fullmatch(text.strip()):
            red, green, blue = bytes.fromhex(text.strip()[1:])
            self._change(color=(red, green, blue))
        else:
            self._check()

    def _ask_color(self) -> None:
        dialog = QColorDialog(QColor(self.color.text()), self)
        dialog.colorSelected.connect(self._take_color)
        dialog.open()

    def _take_color(self, color: QColor) -> None:
        self.color.setText(color.name())
        self._recolor(color.name())

    def _set_erase(self, on: bool) -> None:
        if on and not self._showing:
            self._draft.erase = self._row
            self.erase.setEnabled(False)

    def _retitle(self, title: str) -> None:
        self._draft.title = title
        self._check()

    # -- checking and saving ----------------------------------------------------------------------

    def _check(self) -> None:
        """Say what is wrong as it is typed; nothing that is wrong can be saved."""
        try:
            self._build()
            self.problem.clear()
        except PaletteError as error:
            self.problem.setText(str(error))
        self.save_button.setEnabled(not self.problem.text())

    def _build(self) -> Palette:
        color = self.color.text().strip()
        if not HEX.fullmatch(color):
            raise PaletteError(f"The colour {color!r} is not of the form #rrggbb, like #2fa3b8.")
        if not normalise(self.name.text()):
            raise PaletteError(
                f"The label {self._row} needs a name with a letter or a digit in it."
            )
        return self._draft.build(self._library.path_for(self._draft.title).stem)

    def save(self) -> None:
        """Write the palette's file; on failure the sentence stands in the dialog."""
        try:
            palette = self._build()
            self._library.save(palette, replaces=self._draft.palette)
        except PaletteError as error:
            self.problem.setText(str(error))
        else:
            self.accept()
            self.saved.emit(self._draft, palette)


def _show_row(item: QListWidgetItem, index: int, label: LabelClass) -> None:
    item.setText(f"{index}   {label.name}")
    item.setIcon(swatch_icon(label.color, SWATCH))


def _line(name: str, text: str = "") -> QLineEdit:
    line = QLineEdit(text)
    line.setAccessibleName(name)
    line.setToolTip(name)
    return line


def _button(text: str, tip: str, slot) -> QPushButton:
    button = QPushButton(text, toolTip=tip)
    button.setAutoDefault(False)
    button.clicked.connect(slot)
    return button


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
