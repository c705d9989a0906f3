"""The strip of pictures that were made, newest first."""

from __future__ import annotations

import math
from collections.abc import Iterable

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPointF,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QColor,
    QPainter,
    QPalette,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.history import RECORD
from app.icons import set_icon
from app.record import Record

SIDE, FRAME = 72, 4  # logical pixels of a thumbnail, and of the frame around the chosen one
STAR = (8.0, 3.4)  # its outer and inner radius
BAR = 12  # height of the scroll bar
NOTHING = "Every picture that you make is kept here."


class HistoryPanel(QWidget):
    """looked_at(Record): the cursor went to a picture. taken: Return or a double click on it.
    filtered(text, starred only)."""

    looked_at = Signal(object)
    taken = Signal()
    filtered = Signal(str, bool)

    def __init__(self, model: QAbstractItemModel, actions: Iterable[QAction], limit: QAction):
        super().__init__()
        self._marking = False
        self.strip = Strip()
        self.strip.setModel(model)
        self.strip.selectionModel().currentChanged.connect(self._look)
        self.strip.activated.connect(lambda _index: self.taken.emit())
        self._build_filter()
        self.count = QToolButton(objectName="faint")
        self.count.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.count.setToolTip("How much may be kept…")
        self.count.clicked.connect(limit.trigger)
        self.hint = QLabel(NOTHING, objectName="faint", alignment=Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.search, 1)
        row.addWidget(self.starred)
        row.addSpacing(8)
        for action in actions:
            row.addWidget(_button(action))
        row.addStretch(1)
        row.addWidget(self.count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.strip)
        layout.addWidget(self.hint, 1)

    def _build_filter(self) -> None:
        self.search = QLineEdit(placeholderText="Filter", clearButtonEnabled=True)
        self.search.setMinimumWidth(130)
        self.search.setAccessibleName("Filter the history")
        self.search.setToolTip("Show the pictures with these labels, this seed or this model")
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self.strip.setFocus)
        self.starred = QToolButton(checkable=True)
        self.starred.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.starred.setAccessibleName("Starred pictures only")
        self.starred.setToolTip("Show starred pictures only")
        set_icon(self.starred, "starred")
        self.starred.toggled.connect(self._filter)

    def sizeHint(self) -> QSize:
        return QSize(560, 136)

    # -- showing ----------------------------------------------------------------------------------

    def show_count(self, text: str, empty: bool) -> None:
        """A line about number and size; the hint takes the place of an empty strip."""
        self.count.setText(text)
        self.count.setAccessibleName(text)
        self.hint.setVisible(empty)
        self.strip.setVisible(not empty)

    def mark(self, row: int) -> None:
        """Put the cursor on a row of the model, without reporting it."""
        self._marking = True
        self.strip.setCurrentIndex(self.strip.model().index(row, 0))
        self._marking = False

    def chosen(self) -> list[Record]:
        """The selected records, in the order of the strip."""
        indexes = sorted(self.strip.selectedIndexes(), key=QModelIndex.row)
        return [index.data(RECORD) for index in indexes]

    # -- reporting --------------------------------------------------------------------------------

    def _look(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid() and not self._marking and self.strip.hasFocus():
            self.looked_at.emit(index.data(RECORD))

    def _filter(self) -> None:
        self.filtered.emit(self.search.text(), self.starred.isChecked())


class Strip(QListView):
    """One row of thumbnails; only those in view are ever loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("strip")
        self.setAccessibleName("History")
        self.setToolTip("Arrow keys look at a picture, Return uses its settings and layout")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(SIDE + 2 * FRAME + BAR + 6)
        self.setItemDelegate(Thumbnail(self))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A wheel turns in one direction; the strip lies in the other."""
        turn = event.angleDelta().x() or event.angleDelta().y()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - turn)
        event.accept()


class Thumbnail(QStyledItemDelegate):
    """Draws one picture, with a frame if it is chosen and a star if it has one."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(SIDE + 2 * FRAME, SIDE + 2 * FRAME)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        palette, record = option.palette, index.data(RECORD)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, palette.color(QPalette.ColorRole.Highlight))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(option.rect, palette.color(QPalette.ColorRole.Midlight))
        place = option.rect.adjusted(FRAME, FRAME, -FRAME, -FRAME)
        image = index.data(Qt.ItemDataRole.DecorationRole)
        painter.setClipRect(place)
        if image.isNull():
            painter.fillRect(place, palette.color(QPalette.ColorRole.Dark))
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(_filling(place, image.size()), image)
        if record.starred:
            _draw_star(painter, place)
        painter.restore()


def _filling(place: QRect, size: QSize) -> QRect:
    """The rectangle of a picture that covers all of `place`."""
    whole = size.scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
    covering = QRect(place.topLeft(), whole)
    covering.moveCenter(place.center())
    return covering


def _draw_star(painter: QPainter, place: QRect) -> None:
    middle = QPointF(place.right() - 11, place.bottom() - 11)
    turns = [(STAR[point % 2], point * math.pi / 5) for point in range(10)]
    corners = [middle + QPointF(r * math.sin(turn), -r * math.cos(turn)) for r, turn in turns]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(0, 0, 0, 190), 1.5))  # reads on any picture
    painter.setBrush(QColor("#ffd34d"))
    painter.drawPolygon(QPolygonF(corners))


def _button(action: QAction) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setAccessibleName(action.text().rstrip("…"))
    return button
