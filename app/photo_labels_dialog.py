"""What was recognised in a photo, before it takes the scene."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from app.forms import lay_out_columns
from app.panels.result import PictureView
from app.share_table import ShareTable
from core.matching import label_map, recognised
from core.request import ModelInfo

SIDES = (256, 384, 512, 768, 1024, 1536, 2048)  # pixels of the longer side, to choose from
SMOOTHING = (("None", 0.0), ("A little", 0.02), ("Some", 0.04), ("Much", 0.08))
USUAL = 1  # the smoothing that is chosen first


class PhotoLabelsDialog(QDialog):
    """Shows photo, labels and their shares; size and smoothing can be chosen.

    labels: uint8 `[H, W]`, ids of the model's palette, as shown.
    """

    def __init__(
        self,
        name: str,
        photo: np.ndarray,
        probabilities: np.ndarray,
        model: ModelInfo,
        canvas: tuple[int, int],
        parent: QWidget,
    ) -> None:
        """photo: uint8 `[H, W, 3]`. probabilities: float32 `[labels, h, w]` of it. canvas: the
        (width, height) of the scene as it is."""
        super().__init__(parent)
        self.setWindowTitle(f"Labels from {name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._probabilities, self._palette = probabilities, model.palette
        self._sizes = sizes(photo.shape[:2], model.multiple)
        self._build(photo)
        self.size_box.setCurrentIndex(nearest_size(self._sizes, canvas))
        self.size_box.currentIndexChanged.connect(self._show)
        self.smoothing.currentIndexChanged.connect(self._show)
        self._show()
        self.resize(860, 460)

    def _build(self, photo: np.ndarray) -> None:
        view = PictureView()
        view.setAccessibleName("Photo")
        view.show_picture(photo)
        self.view = PictureView()
        self.view.setAccessibleName("Label map")
        self.table = ShareTable()
        self.size_box = QComboBox(toolTip="Size of the canvas, in the proportions of the photo")
        self.size_box.addItems([f"{width} × {height} px" for height, width in self._sizes])
        self.smoothing = QComboBox(toolTip="How large a speck must be to stay")
        self.smoothing.addItems([title for title, _ in SMOOTHING])
        self.smoothing.setCurrentIndex(USUAL)
        self.under = QCheckBox("Lay the photo &under the map")
        self.under.setToolTip("To see what the labels missed, and trace it")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("&Canvas", self.size_box)
        form.addRow("&Smoothing", self.smoothing)
        self.size_box.setAccessibleName("Canvas")
        self.smoothing.setAccessibleName("Smoothing")
        side = QVBoxLayout()
        side.setSpacing(10)
        side.addWidget(QLabel("Recognised", objectName="heading"))
        side.addWidget(self.table, 1)
        side.addLayout(form)
        side.addWidget(self.under)
        pictures = QVBoxLayout()
        pictures.setSpacing(8)
        pictures.addWidget(view, 1)
        pictures.addWidget(self.view, 1)
        lay_out_columns(self, pictures, side, self._build_buttons())

    def _build_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(self)  # in the dialog before a default is set, which then stays
        take = buttons.addButton("Paint on them", QDialogButtonBox.ButtonRole.AcceptRole)
        take.setToolTip("Replace the scene by these labels; undo brings the old one back (Enter)")
        take.setObjectName("primary")
        take.setDefault(True)
        cancel = buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        cancel.setToolTip("Leave the scene as it is (Esc)")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    def _show(self) -> None:
        size = self._sizes[self.size_box.currentIndex()]
        _, smooth = SMOOTHING[self.smoothing.currentIndex()]
        self.labels = label_map(self._probabilities, size, smooth)
        self.view.show_picture(self._palette.colors[self.labels])
        self.table.show_shares(recognised(self.labels, self._palette), self._palette)


def sizes(photo: tuple[int, int], multiple: int) -> list[tuple[int, int]]:
    """(height, width) to choose from, in the photo's proportions, as a model can make them."""
    scales = (side / max(photo) for side in SIDES)
    found = (
        tuple(max(1, round(part * scale / multiple)) * multiple for part in photo)
        for scale in scales
    )
    return list(dict.fromkeys(found))


def nearest_size(choices: list[tuple[int, int]], canvas: tuple[int, int]) -> int:
    """Which of the sizes has about as many pixels as the canvas (width, height)."""
    area = canvas[0] * canvas[1]
    ratios = [max(h * w / area, area / (h * w)) for h, w in choices]
    return ratios.index(min(ratios))
