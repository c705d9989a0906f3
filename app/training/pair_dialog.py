"""A scene beside its picture, before they go into the set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.forms import form_of, lay_out_columns
from app.panels.result import PictureView
from core.palette import Palette


class Candidate(NamedTuple):
    """What a scene could be paired with. picture: uint8 `[h, w, 3]`. labels: uint8 `[H, W]`, the
    part of the map that belongs to it. note: what one should know of it, or "".
    """

    title: str
    name: str
    picture: np.ndarray
    labels: np.ndarray
    note: str = ""


class PairDialog(QDialog):
    """Shows map and picture; name and picture can be chosen. candidate: the present choice."""

    def __init__(self, candidates: Sequence[Candidate], palette: Palette, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add to my set")
        self.setObjectName("pair")
        self._candidates, self._palette = candidates, palette
        self._build()
        self.source.currentIndexChanged.connect(self._show)
        self._show()
        self.resize(720, 420)

    @property
    def candidate(self) -> Candidate:
        """What is to be saved with the scene."""
        return self._candidates[self.source.currentIndex()]

    def _build(self) -> None:
        self.map, self.view = PictureView(), PictureView()
        self.map.setAccessibleName("Scene")
        self.source = QComboBox(toolTip="What the labels of the scene describe")
        self.source.addItems([candidate.title for candidate in self._candidates])
        self.source.setAccessibleName("Picture")
        self.name = QLineEdit(toolTip="Name of the two files")
        self.name.setAccessibleName("Name")
        self.size_label = QLabel(objectName="faint")
        self.note = QLabel(wordWrap=True)
        rows = ("&Picture", self.source), ("&Name", self.name), ("Size", self.size_label)
        form = form_of(rows)
        side = QVBoxLayout()
        side.setSpacing(12)
        side.addLayout(form)
        side.addWidget(self.note)
        side.addStretch(1)
        pictures = QVBoxLayout()
        pictures.setSpacing(8)
        pictures.addWidget(self.map, 1)
        pictures.addWidget(self.view, 1)
        lay_out_columns(self, pictures, side, self._build_buttons())

    def _build_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(self)  # in the dialog before a default is set, which then stays
        self.go = QPushButton("Add", objectName="primary")
        self.go.setToolTip("Save scene and picture in the folder of the set (Enter)")
        buttons.addButton(self.go, QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setDefault(True)
        cancel = buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        cancel.setToolTip("Leave the set as it is (Esc)")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    def _show(self) -> None:
        candidate = self.candidate
        self.map.show_picture(self._palette.colors[candidate.labels])
        self.view.show_picture(candidate.picture)
        self.name.setText(candidate.name)
        height, width = candidate.picture.shape[:2]
        self.size_label.setText(f"{width} × {height} px")
        self.note.setText(candidate.note)
