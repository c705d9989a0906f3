"""The grid of variations: walk it with the arrows, take one with Enter or a click."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt

from PySide6.QtCore import QEvent, QModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.imaging import picture_image
from app.variations import Variation, read_scales

PICTURE_ROLE = Qt.ItemDataRole.UserRole
STATE_ROLE = Qt.ItemDataRole.UserRole + 1  # "original", "finished" or "forming"
MIN_SIDE = 72  # logical pixels of a picture; below, the grid scrolls
MAX_SEEDS, DEFAULT_SEEDS = 32, 8  # with the original they fill three by three


class Grid(QTableWidget):
    """Pictures in rows and columns. walked(index), taken(index): of the list that was shown."""

    walked = Signal(int)
    taken = Signal(int)
    left = Signal()

    def __init__(self) -> None:
        super().__init__(0, 0)
        self._places: list[tuple[int, int]] = []
        self.setObjectName("grid")
        self.setAccessibleName("Variations")
        self.setToolTip("Arrows walk, Enter or a click takes a picture, Esc leaves")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.setItemDelegate(PictureDelegate(self))
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
            header.setMinimumSectionSize(1)
        self.currentCellChanged.connect(self._tell_walk)
        self.cellEntered.connect(self.setCurrentCell)
        self.cellClicked.connect(self._tell_choice)

    def show_pictures(self, pictures: list[Variation], per_row: int) -> None:
        """Lay the grid out anew. per_row: 0 for a square; else the original has a column alone."""
        lead = int(bool(pictures) and pictures[0].original)
        columns = lead + per_row if per_row else max(1, ceil(sqrt(len(pictures))))
        self._places = [
            divmod(i, columns)
            if not per_row or i < lead
            else ((i - lead) // per_row, lead + (i - lead) % per_row)
            for i in range(len(pictures))
        ]
        self.blockSignals(True)
        self.clear()
        self.setColumnCount(columns if pictures else 0)
        self.setRowCount(1 + max((row for row, _ in self._places), default=-1))
        for row in range(self.rowCount()):
            for column in range(self.columnCount()):
                self._put_empty(row, column)
        for index, picture in enumerate(pictures):
            self.show_picture(index, picture)
        self.blockSignals(False)
        self._scale()

    def _put_empty(self, row: int, column: int) -> None:
        item = QTableWidgetItem()
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.setItem(row, column, item)

    def show_picture(self, index: int, picture: Variation) -> None:
        """Show one picture in its place."""
        item = self.item(*self._places[index])
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
        state = "finished" if picture.result else "forming"
        item.setData(STATE_ROLE, "original" if picture.original else state)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, describe(picture))
        if picture.image is not None:
            item.setData(PICTURE_ROLE, picture_image(picture.image))

    def walk_to(self, index: int) -> None:
        """Make picture `index` the current one."""
        self.setCurrentCell(*self._places[index])

    def current(self) -> int | None:
        """The index of the current picture."""
        place = self.currentRow(), self.currentColumn()
        return self._places.index(place) if place in self._places else None

    def _tell_walk(self) -> None:
        index = self.current()
        if index is not None:
            self.walked.emit(index)

    def _tell_choice(self) -> None:
        index = self.current()
        if index is not None:
            self.taken.emit(index)

    # -- keys and size ----------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Esc and Enter are the grid's own while it has the focus, whatever else they mean."""
        if event.type() == QEvent.Type.ShortcutOverride and self._deed(event) is not None:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        deed = self._deed(event)
        if deed is not None:
            deed()
        else:
            super().keyPressEvent(event)

    def _deed(self, event: QKeyEvent) -> Callable[[], None] | None:
        key = Qt.Key(event.key())
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            return self._tell_choice
        return self.left.emit if plain and key == Qt.Key.Key_Escape else None

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._scale()

    def _scale(self) -> None:
        rows, columns = self.rowCount(), self.columnCount()
        if not rows:
            return
        room = self.contentsRect().size()
        side = max(MIN_SIDE, min(room.width() // columns, room.height() // rows))
        for column in range(columns):
            self.setColumnWidth(column, side)
        for row in range(rows):
            self.setRowHeight(row, side)


class PictureDelegate(QStyledItemDelegate):
    """Draws a picture whole, framed while it is the current one, faint while it is forming."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        state = index.data(STATE_ROLE)
        if state is None:
            return
        painter.save()
        place = option.rect.adjusted(3, 3, -3, -3)
        painter.fillRect(place, option.palette.color(QPalette.ColorRole.Dark))
        image = index.data(PICTURE_ROLE)
        if image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.setOpacity(0.6 if state == "forming" else 1.0)
            painter.drawImage(_fitted(image.size(), place), image)
            painter.setOpacity(1.0)
        if state == "original":
            _draw_tag(painter, place, self.tr("original"))
        if index == option.widget.currentIndex():
            painter.setPen(QPen(option.palette.color(QPalette.ColorRole.Highlight), 3))
            painter.drawRect(option.rect.adjusted(2, 2, -3, -3))
        painter.restore()


def _fitted(size: QSize, place: QRect) -> QRectF:
    fitted = QRectF(QRect(place.topLeft(), size.scaled(place.size(), _KEEP)))
    fitted.moveCenter(QRectF(place).center())
    return fitted


def _draw_tag(painter: QPainter, place: QRect, text: str) -> None:
    metrics = painter.fontMetrics()
    tag = QRect(0, 0, metrics.horizontalAdvance(text) + 10, metrics.height() + 2)
    tag.moveBottomLeft(place.bottomLeft())
    painter.fillRect(tag, QColor(0, 0, 0, 170))
    painter.setPen(QColor("white"))
    painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)


_KEEP = Qt.AspectRatioMode.KeepAspectRatio


class VariationsPanel(QWidget):
    """begin_wanted(count, scales): other pictures are wanted. walked(index), taken(index): of the
    pictures shown. left: no picture is wanted."""

    begin_wanted = Signal(int, object)
    walked = Signal(int)
    taken = Signal(int)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._pictures: list[Variation] = []
        self.grid = Grid()
        self.grid.walked.connect(self._on_walk)
        self.grid.taken.connect(self.taken)
        self.grid.left.connect(self.left)
        self.caption = QLabel(objectName="faint")
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 10, 0)
        layout.setSpacing(6)
        layout.addLayout(self._build_wish())
        layout.addWidget(self.grid, 1)
        layout.addWidget(self.caption)
        layout.addLayout(self._build_buttons())
        self._read()

    def sizeHint(self) -> QSize:
        return QSize(400, 400)

    # -- building ---------------------------------------------------------------------------------

    def _build_wish(self) -> QHBoxLayout:
        self.seeds = QSpinBox(minimum=1, maximum=MAX_SEEDS, value=DEFAULT_SEEDS, suffix=" seeds")
        self.seeds.setAccessibleName("Number of seeds")
        self.seeds.setToolTip("How many other seeds to try")
        self.seeds.setFixedWidth(96)
        self.scales = QLineEdit(placeholderText="guidance as set")
        self.scales.setAccessibleName("Guidance scales")
        self.scales.setToolTip(
            "Empty: the guidance as it is set. Several, such as 1, 1.5, 3: every seed at each"
        )
        self.again = QPushButton("Sample")
        self.again.setToolTip("Sample other pictures (Enter)")
        self.again.clicked.connect(self.begin)
        self.scales.returnPressed.connect(self.begin)
        for editor in (self.seeds.valueChanged, self.scales.textChanged):
            editor.connect(self._read)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.seeds)
        row.addWidget(self.scales, 1)
        row.addWidget(self.again)
        return row

    def _build_buttons(self) -> QHBoxLayout:
        self.take = QPushButton("Use this picture", enabled=False)
        self.take.setToolTip("Make it the picture of the scene (Enter on the grid)")
        self.take.clicked.connect(self._take_current)
        self.leave = QPushButton("Leave")
        self.leave.setToolTip("Back to the picture as it was (Esc on the grid)")
        self.leave.clicked.connect(self.left)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.take, 2)
        row.addWidget(self.leave, 1)
        return row

    # -- asking -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask for pictures as the controls say; a wish that cannot be read stays in its field."""
        scales = self._read()
        if scales is None:
            self.scales.setFocus()
        else:
            self.begin_wanted.emit(self.seeds.value(), scales)

    def _read(self) -> tuple[float, ...] | None:
        """The scales wanted, or None with the reason in the caption."""
        try:
            scales = read_scales(self.scales.text(), self.seeds.value())
        except ValueError as error:
            self.caption.setText(str(error))
            self.caption.setToolTip(str(error))
            self.again.setEnabled(False)
            return None
        self.again.setEnabled(True)
        self._tell()
        return scales

    # -- showing ----------------------------------------------------------------------------------

    def show_pictures(self, pictures: list[Variation], per_row: int) -> None:
        """Show the grid from its start. per_row: see `Grid.show_pictures`."""
        self._pictures = list(pictures)
        self.grid.show_pictures(pictures, per_row)
        if pictures:
            self.grid.walk_to(0)
            self.grid.setFocus()
        self._tell()

    def show_picture(self, index: int, picture: Variation) -> None:
        """Picture `index` is new."""
        self._pictures[index] = picture
        self.grid.show_picture(index, picture)
        if index == self.grid.current():
            self._tell()

    def _on_walk(self, index: int) -> None:
        self._tell()
        self.walked.emit(index)

    def _take_current(self) -> None:
        index = self.grid.current()
        if index is not None:
            self.taken.emit(index)

    def _tell(self) -> None:
        index = self.grid.current()
        shown = self._pictures[index] if index is not None and self._pictures else None
        self.take.setEnabled(shown is not None and shown.result is not None)
        self.caption.setText(describe(shown) if shown else "")
        self.caption.setToolTip(self.caption.text())


def describe(picture: Variation) -> str:
    """One line about a picture, for the caption and for screen readers."""
    lead = "original · " if picture.original else "" if picture.result else "forming · "
    return f"{lead}seed {picture.seed} · guidance {picture.scale:g}"
