"""The import of a label image: what it was recognised as and why, before it takes the scene."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.forms import lay_out_columns
from app.imaging import picture_image
from app.palettes.conversion_dialog import ConversionDialog
from app.share_table import ShareTable
from core.conversion import Conversion
from core.placing import Rest
from core.recognition import Guess

MIN_SIDE, MAX_SIDE = 16, 4096  # pixels of a scene
REST = "What the file has and the palette does not know. Whatever gets a place here is imported so."
PREVIEW = 512  # pixels, the longer side: more would not show


class MapView(QWidget):
    """A label map in its colours, whole, every pixel hard."""

    def __init__(self) -> None:
        super().__init__()
        self._image = None
        self.setMinimumSize(300, 260)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Label map")

    def show_guess(self, guess: Guess) -> None:
        """Show a reading, coarsely: all of a big map would keep the window waiting."""
        labels = guess.every(-(-max(guess.shape) // PREVIEW))
        self._image = picture_image(guess.palette.colors[labels])
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Dark))
        if self._image is not None:
            size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRectF(0, 0, size.width(), size.height())
            place.moveCenter(QRectF(self.rect()).center())
            painter.drawImage(place, self._image)


class ImportDialog(QDialog):
    """Shows the likeliest reading first; the user may choose another one, and the size.

    `as_photo` is True if the user says that it is a photo to trace, not a map.
    """

    def __init__(self, name: str, guesses: list[Guess], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Import {name}")
        self.as_photo = False
        self._guesses = guesses
        self._build()
        self.readings.currentIndexChanged.connect(self._show_guess)
        self.width_box.valueChanged.connect(self._keep_height)
        self.height_box.valueChanged.connect(self._keep_width)
        self._show_guess()
        self._show_size()
        self.resize(780, 480)

    @property
    def guess(self) -> Guess:
        """The reading that was chosen."""
        return self._guesses[self.readings.currentIndex()]

    @property
    def size_chosen(self) -> tuple[int, int]:
        """(height, width) of the scene to be."""
        return self.height_box.value(), self.width_box.value()

    # -- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.view = MapView()
        self.readings = QComboBox(toolTip="What the values or colours of the file mean")
        self.readings.setAccessibleName("Read as")
        self.readings.addItems([guess.title for guess in self._guesses])
        self.readings.setMinimumContentsLength(28)
        self.why = QLabel(wordWrap=True)
        self.unplaced = QLabel(wordWrap=True, objectName="heading")
        self.place_rest = QPushButton("&Place the rest…")
        self.place_rest.setToolTip("Say which labels the pixels without one should have (Alt+P)")
        self.place_rest.setAutoDefault(False)
        self.place_rest.clicked.connect(self._ask_rest)
        self.table = ShareTable()
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Read as", self.readings)
        side = QVBoxLayout()
        side.setSpacing(10)
        side.addLayout(form)
        side.addWidget(self.why)
        side.addWidget(self.table, 1)
        rest = QHBoxLayout()
        rest.addWidget(self.unplaced, 1)
        rest.addWidget(self.place_rest)
        side.addLayout(rest)
        side.addLayout(self._build_size())
        pictures = QVBoxLayout()
        pictures.addWidget(self.view)
        lay_out_columns(self, pictures, side, self._build_buttons())

    def _build_size(self) -> QHBoxLayout:
        self.width_box, self.height_box = (
            QSpinBox(minimum=MIN_SIDE, maximum=MAX_SIDE, suffix=" px", keyboardTracking=False)
            for _ in range(2)
        )
        for box, name in ((self.width_box, "Width"), (self.height_box, "Height")):
            box.setAccessibleName(name)
            box.setToolTip(f"{name} of the scene; labels are never blended")
            box.lineEdit().setTextMargins(4, 0, 0, 0)
        self.keep = QCheckBox("Keep proportions", checked=True)
        self.keep.setToolTip("Width and height change together")
        row = QHBoxLayout()
        label = QLabel("&Size")
        label.setBuddy(self.width_box)
        for widget in (label, self.width_box, QLabel("×"), self.height_box, self.keep):
            row.addWidget(widget)
        row.addStretch(1)
        return row

    def _build_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(self)  # in the dialog before a default is set, which then stays
        take = buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        take.setToolTip("Replace the scene by this map; undo brings the old one back (Enter)")
        take.setObjectName("primary")
        take.setDefault(True)
        photo = buttons.addButton("It is a photo…", QDialogButtonBox.ButtonRole.ActionRole)
        photo.setToolTip("Use it to trace from instead")
        cancel = buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        cancel.setToolTip("Leave the scene as it is (Esc)")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        photo.clicked.connect(self._say_photo)
        return buttons

    # -- showing ----------------------------------------------------------------------------------

    def _show_guess(self) -> None:
        guess = self.guess
        self.view.show_guess(guess)
        self.why.setText(guess.why)
        pixels = math.prod(guess.shape)
        shares = ((label, count / pixels) for label, count in guess.counts.items())
        self.table.show_shares(shares, guess.palette)
        erased = guess.palette[guess.palette.erase_id].name
        self.unplaced.setText(
            f"{guess.unplaced:.1%} has no label here and becomes {erased!r}."
            if guess.unplaced
            else "Every pixel has a label."
        )
        self.place_rest.setVisible(guess.unplaced > 0)

    def _ask_rest(self) -> None:
        """A table of what was not placed, with places by name where there are any."""
        guess = self.guess
        rest = Rest.of(guess)
        conversion = Conversion.between(rest.palette, guess.palette)
        dialog = ConversionDialog(self, conversion, rest.counts, REST, "Place")
        dialog.confirmed.connect(lambda found: self._take_rest(rest.placed(guess, found)))
        dialog.open()

    def _take_rest(self, guess: Guess) -> None:
        self._guesses[self.readings.currentIndex()] = guess
        self._show_guess()

    # -- size -------------------------------------------------------------------------------------

    def _show_size(self) -> None:
        """The map's own size, as far as a scene may have it."""
        height, width = self.guess.shape
        scale = min(1.0, MAX_SIDE / max(height, width))
        self._set(self.width_box, round(width * scale))
        self._set(self.height_box, round(height * scale))

    def _keep_height(self, width: int) -> None:
        if self.keep.isChecked():
            height, full = self.guess.shape
            self._set(self.height_box, round(width * height / full))

    def _keep_width(self, height: int) -> None:
        if self.keep.isChecked():
            full, width = self.guess.shape
            self._set(self.width_box, round(height * width / full))

    def _set(self, box: QSpinBox, value: int) -> None:
        box.blockSignals(True)
        box.setValue(value)
        box.blockSignals(False)

    def _say_photo(self) -> None:
        self.as_photo = True
        self.reject()
