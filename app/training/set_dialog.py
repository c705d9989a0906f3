""" "My set": how its labels are covered on the left, the training on it on the right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.forms import form_of
from app.swatch import swatch_icon
from app.training.coverage import Covered
from app.training.recipe import STEPS
from app.training.run_view import RunView
from core.palette import Palette

SWATCH = 14  # logical pixels
MAX_STEPS = 1_000_000
SMALL, WHOLE = 0, 1  # rows of the choice of a kind
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
EMPTY = "Nothing is in the set yet. Paint a scene over a photo, then add both here."


class SetDialog(QDialog):
    """Stays open beside the window. It shows what it is told and says what is wanted.

    add_wanted, folder_wanted, start_wanted, stop_wanted, open_wanted; run_chosen(name).
    """

    add_wanted = Signal()
    folder_wanted = Signal()
    start_wanted = Signal()
    stop_wanted = Signal()
    open_wanted = Signal()
    run_chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("My set")
        columns = QHBoxLayout(self)
        columns.setContentsMargins(16, 16, 16, 16)
        columns.setSpacing(20)
        columns.addLayout(self._build_left(), 2)
        columns.addLayout(self._build_right(), 3)
        self.kind.currentIndexChanged.connect(self._suggest_steps)
        self.name.currentTextChanged.connect(self.run_chosen)
        self.resize(940, 600)

    # -- building ---------------------------------------------------------------------------------

    def _build_left(self) -> QVBoxLayout:
        self.heading = QLabel("My set", objectName="heading")
        self.place = QLabel(objectName="faint")
        self.place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.table = CoverageTable()
        self.problems = QLabel(wordWrap=True)
        self.add = _button("&Add this scene…", "Save the scene and its picture in the set")
        self.add.clicked.connect(self.add_wanted)
        folder = _button("&Folder…", "Choose the folder of the set: one of your own, or a new one")
        folder.clicked.connect(self.folder_wanted)
        row = QHBoxLayout()
        row.addWidget(self.add)
        row.addWidget(folder)
        row.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(self.heading)
        column.addWidget(self.place)
        column.addWidget(self.table, 1)
        column.addWidget(self.problems)
        column.addLayout(row)
        self.problems.hide()
        return column

    def _build_right(self) -> QVBoxLayout:
        self.run = RunView()
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(QLabel("Training", objectName="heading"))
        column.addLayout(self._build_form())
        column.addLayout(self._build_buttons())
        column.addWidget(self.run, 1)
        return column

    def _build_form(self) -> QGridLayout:
        self.name = QComboBox(editable=True, toolTip="Name of the run; take an old one to go on")
        self.name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.name.setCompleter(None)  # a new name may begin as an old one does
        self.name.lineEdit().setPlaceholderText("mine")
        self.kind = QComboBox(toolTip="A small file is quick to learn and rides on the open model")
        self.kind.addItems(["A small file that rides on the model", "A whole model"])
        self.steps = QSpinBox(minimum=1, maximum=MAX_STEPS, singleStep=100, value=STEPS[True])
        self.steps.setToolTip("How many steps of learning; 500 for a small file, 2000 for a whole")
        self.steps.lineEdit().setTextMargins(4, 0, 0, 0)
        self.base = QLabel(objectName="faint")
        rows = ("&Name", self.name), ("&Train", self.kind), ("St&eps", self.steps)
        for text, field in rows:
            field.setAccessibleName(text.replace("&", ""))
        return form_of([*rows, ("From", self.base)])

    def _build_buttons(self) -> QHBoxLayout:
        self.go = _button("Start", "Begin to train, in a process of its own (Enter)")
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        self.halt = _button("Stop", "Save what was learned and end; Continue goes on from there")
        self.open = _button("&Open the model", "Paint with what was learned")
        self.go.clicked.connect(self.start_wanted)
        self.halt.clicked.connect(self.stop_wanted)
        self.open.clicked.connect(self.open_wanted)
        row = QHBoxLayout()
        for button in (self.go, self.halt, self.open):
            row.addWidget(button)
        row.addStretch(1)
        return row

    # -- showing ----------------------------------------------------------------------------------

    def show_set(self, folder: Path, pairs: int) -> None:
        """Where the set is, and how many pairs it has."""
        self.heading.setText("My set: 1 picture" if pairs == 1 else f"My set: {pairs} pictures")
        self.place.setText(EMPTY if not pairs else str(folder))
        self.place.setWordWrap(not pairs)
        self.place.setToolTip(str(folder))

    def show_problems(self, sentences: Sequence[str]) -> None:
        """What is wrong with the set, if anything."""
        more = f" And {len(sentences) - 1} more." if len(sentences) > 1 else ""
        self.problems.setText(sentences[0] + more if sentences else "")
        self.problems.setVisible(bool(sentences))

    def list_runs(self, names: Sequence[str], chosen: str) -> None:
        """The runs to choose from; `chosen` stays in the field."""
        self.name.blockSignals(True)
        self.name.clear()
        self.name.addItems(list(names))
        self.name.setEditText(chosen)
        self.name.blockSignals(False)

    def show_abilities(self, going: str, running: bool, stopping: bool, trained: bool) -> None:
        """going: what the first button is for, "" if it can do nothing. trained: whether there is a
        model to open."""
        self.go.setText(going or "Start")
        self.go.setEnabled(bool(going))
        self.halt.setEnabled(running and not stopping)
        self.open.setEnabled(trained)
        for field in (self.name, self.steps):
            field.setEnabled(not running)
        self.kind.setEnabled(not running and going != "Continue")

    def show_choices(self, steps: int, small: bool) -> None:
        """What a run was begun with."""
        self.steps.setValue(steps)
        self.kind.setCurrentIndex(SMALL if small else WHOLE)
        self.steps.setValue(steps)  # the kind suggests some

    @property
    def small(self) -> bool:
        """Whether a small file is wanted, not a whole model."""
        return self.kind.currentIndex() == SMALL

    def _suggest_steps(self) -> None:
        if self.steps.value() in STEPS.values():
            self.steps.setValue(STEPS[self.small])


class CoverageTable(QTableWidget):
    """Label, share, number of pictures; what is missing stands last."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setAccessibleName("Labels in the set")
        self.setToolTip("How much of the set each label covers, and how many pictures show it")
        self.setHorizontalHeaderLabels(["Label", "Share", "Pictures"])
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (0, 1, 2):
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            self.horizontalHeaderItem(column).setTextAlignment(side)
            if column:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)

    def show_coverage(self, labels: Sequence[Covered], palette: Palette) -> None:
        """Every label of the palette, as they are to be listed."""
        self.setRowCount(len(labels))
        for row, one in enumerate(labels):
            label = palette[one.label]
            name = QTableWidgetItem(swatch_icon(label.color, SWATCH), label.name)
            self.setItem(row, 0, name)
            share = "< 0.1%" if 0 < one.share < 0.0005 else f"{one.share:.1%}"
            texts = (share, str(one.pictures)) if one.share else ("missing", "–")
            for column, text in enumerate(texts, start=1):
                item = QTableWidgetItem(text)
                item.setTextAlignment(RIGHT)
                self.setItem(row, column, item)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text, toolTip=tip)
    button.setAutoDefault(False)
    return button
