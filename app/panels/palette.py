"""The palette: the label in hand, the last ones, a search, and every label by colour and name."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.icons import set_icon
from app.label_controls import LabelControls
from app.label_view import LabelView
from app.palettes.pins import RECENTS, Pins
from app.palettes.rows import LabelRows
from app.patterns import numbers_of
from app.swatch import swatch_icon, swatch_pixmap
from app.tips import set_tip
from core.palette import Palette

HAND_SWATCH, RECENT_SWATCH, BUTTON = 30, 20, 26  # logical pixels


class PalettePanel(QWidget):
    """label_chosen(id): a label was taken. swap_wanted: back to the last label. left: a label was
    taken by key, and the keys belong to the canvas again. alone_wanted(id or None): the only label
    to show. pin_wanted(digit, id), unpin_wanted(id)."""

    label_chosen = Signal(int)
    swap_wanted = Signal()
    left = Signal()
    alone_wanted = Signal(object)
    pin_wanted = Signal(int, int)
    unpin_wanted = Signal(int)

    def __init__(
        self,
        pins: Pins,
        controls: LabelControls,
        label_view: LabelView,
        menu: QMenu,
        filters: list[QAction],
    ) -> None:
        """menu: of palettes to choose from. filters: the actions behind the two small buttons."""
        super().__init__()
        self._pins, self._label_view = pins, label_view
        self._label = 0
        self._used: frozenset[int] | None = None
        self._build_search()
        self.rows = LabelRows(pins, controls)
        self.rows.taken.connect(self.label_chosen)
        self.rows.left.connect(self.left)
        self.rows.alone_wanted.connect(self.alone_wanted)
        self.rows.pin_wanted.connect(self.pin_wanted)
        self.rows.unpin_wanted.connect(self.unpin_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 8)
        layout.setSpacing(6)
        layout.addLayout(self._build_hand())
        layout.addLayout(self._build_recents())
        layout.addWidget(self._build_palette_button(menu))
        layout.addLayout(self._build_filters(filters))
        layout.addWidget(self.rows, 1)
        pins.changed.connect(self._show_palette)
        pins.touched.connect(self._show_recents)
        label_view.changed.connect(self.relist)
        controls.changed.connect(self.relist)
        self._show_palette()

    def _build_hand(self) -> QHBoxLayout:
        """The row on top: the label in hand, and the one before it as a button."""
        self._hand_swatch = QLabel()
        self._hand_name = QLabel(objectName="heading")
        self._swap = QToolButton()
        set_tip(self._swap, "Swap with the last label ({swap})")
        self._swap.setAccessibleName("Swap with the last label")
        self._swap.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_icon(self._swap, "swap")
        self._swap.clicked.connect(self.swap_wanted)
        row = QHBoxLayout()
        row.addWidget(self._hand_swatch)
        row.addWidget(self._hand_name, 1)
        row.addWidget(self._swap)
        return row

    def _build_recents(self) -> QHBoxLayout:
        """The labels that were in hand last, the newest first."""
        self.recents = [_small_button() for _ in range(RECENTS)]
        row = QHBoxLayout()
        row.setSpacing(0)
        for place, button in enumerate(self.recents):
            button.setIconSize(QSize(RECENT_SWATCH, RECENT_SWATCH))
            button.setAccessibleName("Recent label")
            button.setToolTip("A label that was in hand before")
            button.clicked.connect(lambda _=False, p=place: self._take_recent(p))
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _build_palette_button(self, menu: QMenu) -> QPushButton:
        self.palette_button = QPushButton(objectName="palette")
        self.palette_button.setMenu(menu)
        self.palette_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.palette_button.setMinimumWidth(80)  # a long title is cut, not the window widened
        return self.palette_button

    def _build_search(self) -> None:
        self.search = QLineEdit(placeholderText="Search labels", clearButtonEnabled=True)
        self.search.setAccessibleName("Search labels")
        set_tip(self.search, "Finds synonyms too: “ocean” is sea ({search})")
        self.search.textChanged.connect(self.relist)
        self.search.returnPressed.connect(self._take_first)

    def _build_filters(self, filters: list[QAction]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self.search, 1)
        for action in filters:
            button = _small_button()
            button.setDefaultAction(action)
            button.setFixedWidth(BUTTON)  # also before it has its icon, when it would show its text
            button.setAccessibleName(action.text())
            row.addWidget(button)
        return row

    @property
    def _palette(self) -> Palette:
        return self._pins.palette

    def sizeHint(self) -> QSize:
        return QSize(178, 480)

    # -- showing ----------------------------------------------------------------------------------

    def show_labels(self, label: int, previous: int) -> None:
        """Show which label is in hand and which one a swap would bring back."""
        self._label = label
        other = self._palette[previous].name.replace("{", "{{").replace("}", "}}")
        set_tip(self._swap, f"Swap with the last label: {other} ({{swap}})")
        self._show_hand()
        self.rows.select(label)

    def _show_hand(self) -> None:
        label = self._palette[self._label]
        patterns = self._patterns()
        patterned = patterns[label.id] if patterns else None
        self._hand_swatch.setPixmap(swatch_pixmap(label.color, HAND_SWATCH, patterned))
        self._hand_name.setText(label.name)
        self._hand_name.setToolTip(label.name)

    def show_used(self, used: frozenset[int] | None) -> None:
        """List these labels only; None for all."""
        if used != self._used:
            self._used = used
            self.relist()

    def neighbour(self, by: int) -> int:
        """The label `by` rows below the one in hand as they are listed, round the end."""
        listed = self.rows.labels or [self._label]
        here = listed.index(self._label) if self._label in listed else -(by > 0)
        return listed[(here + by) % len(listed)]

    def _show_palette(self) -> None:
        title = self._palette.title or self._palette.name
        self.palette_button.setText(title)
        self.palette_button.setAccessibleName(f"Palette: {title}")
        self.palette_button.setToolTip("Choose, load or edit a palette (Alt+L)")
        self.relist()

    def _patterns(self) -> tuple[int, ...] | None:
        """Which pattern lies on each label; None while none is shown."""
        return numbers_of(self._palette) if self._label_view.patterns else None

    def _show_recents(self) -> None:
        patterns = self._patterns()
        for place, button in enumerate(self.recents):
            button.setVisible(place < len(self._pins.recents))
            if place < len(self._pins.recents):
                label = self._palette[self._pins.recents[place]]
                patterned = patterns[label.id] if patterns else None
                button.setIcon(swatch_icon(label.color, RECENT_SWATCH, patterned))
                button.setToolTip(label.name)
                button.setAccessibleName(f"Recent label: {label.name}")

    def relist(self) -> None:
        """List the labels that the search and the filter leave, as they are shown now."""
        text = self.search.text()
        labels = self._palette.search(text)
        if self._used is not None:
            labels = [label for label in labels if label.id in self._used]
        view = self._label_view
        self.rows.show_labels(labels, not text, self._patterns(), view.alone)
        self._show_recents()
        if self._label < len(self._palette):  # else another is about to be taken in hand
            self._show_hand()
            self.rows.select(self._label)

    # -- taking -----------------------------------------------------------------------------------

    def _take_recent(self, place: int) -> None:
        self.label_chosen.emit(self._pins.recents[place])

    def _take_first(self) -> None:
        if self.rows.labels:
            self.label_chosen.emit(self.rows.labels[0])
            self.search.clear()
            self.left.emit()


def _small_button() -> QToolButton:
    button = QToolButton()
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setStyleSheet("padding: 2px")
    return button
