"""The palette: the label in hand, a search, and every label by colour and name."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.icons import set_icon
from app.swatch import swatch_icon, swatch_pixmap
from core.palette import LabelClass, Palette

ROW_HEIGHT, ROW_SWATCH, HAND_SWATCH = 26, 18, 30  # logical pixels
ID_ROLE = Qt.ItemDataRole.UserRole


class PalettePanel(QWidget):
    """label_chosen(id): a row was clicked. swap_wanted: back to the last label. left: the search
    is done and the keys belong to the canvas again."""

    label_chosen = Signal(int)
    swap_wanted = Signal()
    left = Signal()

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._palette = palette
        self._label = 0
        self.search = QLineEdit(placeholderText="Search labels", clearButtonEnabled=True)
        self.search.setAccessibleName("Search labels")
        self.search.setToolTip("Finds synonyms too: “ocean” is sea")
        self.search.textChanged.connect(self._list)
        self.search.returnPressed.connect(self._take_first)
        self.rows = QListWidget()
        self.rows.setIconSize(QSize(ROW_SWATCH, ROW_SWATCH))
        self.rows.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.rows.setAccessibleName("Labels")
        self.rows.setToolTip("Enter or a click takes a label")
        self.rows.itemClicked.connect(self._take)
        self.rows.itemActivated.connect(self._take)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 8)
        layout.setSpacing(8)
        layout.addLayout(self._build_hand())
        layout.addWidget(self.search)
        layout.addWidget(self.rows, 1)
        self._list()

    def _build_hand(self) -> QHBoxLayout:
        """The row on top: the label in hand, and the one before it as a button."""
        self._hand_swatch = QLabel()
        self._hand_name = QLabel(objectName="heading")
        self._swap = QToolButton(toolTip="Swap with the last label (X)")
        self._swap.setAccessibleName("Swap with the last label")
        set_icon(self._swap, "swap")
        self._swap.clicked.connect(self.swap_wanted)
        row = QHBoxLayout()
        row.addWidget(self._hand_swatch)
        row.addWidget(self._hand_name, 1)
        row.addWidget(self._swap)
        return row

    def sizeHint(self) -> QSize:
        return QSize(178, 480)

    def show_palette(self, palette: Palette) -> None:
        """Offer the labels of another palette."""
        if palette is not self._palette:
            self._palette, self._label = palette, palette.erase_id
            self._list()

    def show_labels(self, label: int, previous: int) -> None:
        """Show which label is in hand and which one `X` would bring back."""
        self._label = label
        current, other = self._palette[label], self._palette[previous]
        self._hand_swatch.setPixmap(swatch_pixmap(current.color, HAND_SWATCH))
        self._hand_name.setText(current.name)
        self._swap.setToolTip(f"Swap with the last label: {other.name} (X)")
        self._select()

    def _list(self) -> None:
        self.rows.clear()
        for found in self._palette.search(self.search.text()):
            self.rows.addItem(_row(found))
        self._select()

    def _select(self) -> None:
        """Mark the label in hand, if the search shows it."""
        self.rows.setCurrentRow(-1)
        for index in range(self.rows.count()):
            if self.rows.item(index).data(ID_ROLE) == self._label:
                self.rows.setCurrentRow(index)
                self.rows.scrollToItem(self.rows.item(index))

    def _take(self, item: QListWidgetItem) -> None:
        self.label_chosen.emit(item.data(ID_ROLE))

    def _take_first(self) -> None:
        if self.rows.count():
            self._take(self.rows.item(0))
            self.search.clear()
            self.left.emit()


def _row(label: LabelClass) -> QListWidgetItem:
    item = QListWidgetItem(swatch_icon(label.color, ROW_SWATCH), label.name)
    item.setData(ID_ROLE, label.id)
    item.setSizeHint(QSize(0, ROW_HEIGHT))
    item.setToolTip(", ".join((label.name, *label.synonyms)))
    return item
