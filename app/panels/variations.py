"""The grid of variations: walk it with the arrows, take one with Enter or a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, sqrt

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.imaging import picture_image
from app.percent import percent
from app.tips import set_tip
from app.variations import Variation, read_scales

NOWHERE = QModelIndex()  # the parent of every cell of a table
MIN_SIDE = 72  # logical pixels of a picture; below, the grid scrolls
MAX_SEEDS, DEFAULT_SEEDS = 32, 8  # with the original they fill three by three


class Places(QAbstractTableModel):
    """Where each picture lies: in a square row by row, or a row for each scale and the original in
    a column of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures: list[Variation] = []
        self._places: list[tuple[int, int]] = []
        self._per_row = 0
        self._images: dict[int, QImage] = {}
        self._size = 0, 0

    def lay_out(self, pictures: list[Variation], per_row: int) -> None:
        """Take other pictures. per_row: of one scale; 0 for a square."""
        self._pictures, self._images, self._per_row = list(pictures), {}, per_row
        self.arrange(range(len(pictures)), per_row)

    def rank(self, ranked: bool) -> None:
        """The best match first, behind the original, in a square; or as they were sampled."""
        numbers = range(len(self._pictures))
        if ranked:
            self.arrange(sorted(numbers, key=lambda n: _rank(self._pictures[n])), 0)
        else:
            self.arrange(numbers, self._per_row)

    def arrange(self, numbers: Sequence[int], per_row: int) -> None:
        """Lay the pictures out in the order of `numbers`."""
        self.beginResetModel()
        lead = int(bool(self._pictures) and self._pictures[0].original)
        columns = lead + per_row if per_row else ceil(sqrt(len(numbers)))
        places = [
            divmod(i, columns)
            if not per_row or i < lead
            else ((i - lead) // per_row, lead + (i - lead) % per_row)
            for i in range(len(numbers))
        ]
        self._places = [place for _, place in sorted(zip(numbers, places, strict=True))]
        self._size = 1 + max((row for row, _ in places), default=-1), columns
        self.endResetModel()

    def show(self, number: int, picture: Variation) -> None:
        """Picture `number` is new."""
        self._pictures[number] = picture
        self._images.pop(number, None)
        index = self.place(number)
        self.dataChanged.emit(index, index)

    def place(self, number: int) -> QModelIndex:
        """Where picture `number` lies."""
        return self.index(*self._places[number])

    def number(self, index: QModelIndex) -> int | None:
        """The picture that lies there."""
        place = index.row(), index.column()
        return self._places.index(place) if place in self._places else None

    def picture(self, number: int) -> Variation:
        """Picture `number`."""
        return self._pictures[number]

    def image(self, number: int) -> QImage | None:
        """Picture `number` to draw; None while nothing of it is there."""
        picture = self._pictures[number].image
        if picture is not None and number not in self._images:
            self._images[number] = picture_image(picture)
        return self._images.get(number)

    # -- what Qt asks -----------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else self._size[0]

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else self._size[1]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        number = self.number(index)
        told = (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole)
        return describe(self._pictures[number]) if number is not None and role in told else None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flag = Qt.ItemFlag
        there = self.number(index) is not None
        return flag.ItemIsEnabled | flag.ItemIsSelectable if there else flag.NoItemFlags


class Grid(QTableView):
    """Pictures in rows and columns. walked(number), taken(number): of the list that was shown.
    left: Esc."""

    walked = Signal(int)
    taken = Signal(int)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.places = Places()
        self.setModel(self.places)
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
        self.entered.connect(self.setCurrentIndex)
        self.clicked.connect(self._tell_choice)

    def show_pictures(self, pictures: list[Variation], per_row: int) -> None:
        """Lay the grid out anew, and walk to its first picture."""
        self.places.lay_out(pictures, per_row)
        self._scale()
        if pictures:
            self.setCurrentIndex(self.places.place(0))

    def rank(self, ranked: bool) -> None:
        """See `Places.rank`; the current picture stays so."""
        current = self.current()
        self.places.rank(ranked)
        self._scale()
        if current is not None:
            self.setCurrentIndex(self.places.place(current))

    def current(self) -> int | None:
        """The number of the current picture."""
        return self.places.number(self.currentIndex())

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        """The arrows, the pointer or a click went to another picture."""
        super().currentChanged(current, previous)
        if self.isVisible():  # asked for the first time, a viewport takes PySide6 long to name
            self.viewport().update()
        number = self.places.number(current)
        if number is not None:
            self.walked.emit(number)

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
        rows, columns = self.places.rowCount(), self.places.columnCount()
        if not rows:
            return
        room = self.contentsRect().size()
        side = max(MIN_SIDE, min(room.width() // columns, room.height() // rows))
        spare = max(0, room.width() - side * columns)
        self.setViewportMargins(spare // 2, 0, 0, 0)
        for column in range(columns):
            self.setColumnWidth(column, side)
        for row in range(rows):
            self.setRowHeight(row, side)


class PictureDelegate(QStyledItemDelegate):
    """Draws a picture whole, framed while it is the current one, faint while it is forming."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        places: Places = index.model()
        number = places.number(index)
        if number is None:
            return
        picture, image = places.picture(number), places.image(number)
        painter.save()
        place = option.rect.adjusted(3, 3, -3, -3)
        painter.fillRect(place, option.palette.color(QPalette.ColorRole.Dark))
        if image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.setOpacity(1.0 if picture.result else 0.6)
            painter.drawImage(_fitted(image.size(), place), image)
            painter.setOpacity(1.0)
        if picture.original:
            _draw_tag(painter, place, "original", left=True)
        if picture.match is not None:
            _draw_tag(painter, place, percent(picture.match.agreement), left=False)
        if index == option.widget.currentIndex():
            painter.setPen(QPen(option.palette.color(QPalette.ColorRole.Highlight), 3))
            painter.drawRect(option.rect.adjusted(2, 2, -3, -3))
        painter.restore()


def _fitted(size: QSize, place: QRect) -> QRectF:
    fitted = QRectF(QRect(place.topLeft(), size.scaled(place.size(), _KEEP)))
    fitted.moveCenter(QRectF(place).center())
    return fitted


def _draw_tag(painter: QPainter, place: QRect, text: str, left: bool) -> None:
    metrics = painter.fontMetrics()
    tag = QRect(0, 0, metrics.horizontalAdvance(text) + 10, metrics.height() + 2)
    if left:
        tag.moveBottomLeft(place.bottomLeft())
    else:
        tag.moveTopRight(place.topRight())
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
        set_tip(self.again, "Sample other pictures ({variations})")
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
        self.by_match = QCheckBox("Best match first")
        self.by_match.setToolTip("Sort the finished pictures by how much they show what is painted")
        self.by_match.toggled.connect(self.grid.rank)
        self.take = QPushButton("Use this picture", enabled=False)
        self.take.setToolTip("Make it the picture of the scene (Enter on the grid)")
        self.take.clicked.connect(self._take_current)
        self.leave = QPushButton("Leave")
        self.leave.setToolTip("Back to the picture as it was (Esc on the grid)")
        self.leave.clicked.connect(self.left)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.by_match)
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
        """Show the grid from its start. per_row: see `Places.lay_out`."""
        self.grid.show_pictures(pictures, per_row)
        self.by_match.setEnabled(False)
        self._rank()
        if pictures:
            self.grid.setFocus()
        self._tell()

    def show_picture(self, index: int, picture: Variation) -> None:
        """Picture `index` is new."""
        self.grid.places.show(index, picture)
        if picture.match is not None and not picture.original:
            self.by_match.setEnabled(True)
            self._rank()
        if index == self.grid.current():
            self._tell()

    def _rank(self) -> None:
        if self.by_match.isChecked():
            self.grid.rank(True)

    def _on_walk(self, index: int) -> None:
        self._tell()
        self.walked.emit(index)

    def _take_current(self) -> None:
        index = self.grid.current()
        if index is not None:
            self.taken.emit(index)

    def _tell(self) -> None:
        index = self.grid.current()
        shown = None if index is None else self.grid.places.picture(index)
        self.take.setEnabled(shown is not None and shown.result is not None)
        self.caption.setText(describe(shown) if shown else "")
        self.caption.setToolTip(self.caption.text())


def describe(picture: Variation) -> str:
    """One line about a picture, for the caption and for screen readers."""
    lead = "original · " if picture.original else "" if picture.result else "forming · "
    text = f"{lead}seed {picture.seed} · guidance {picture.scale:g}"
    if picture.match is None:
        return text
    worst = picture.match.labels[0]
    name = f"{picture.match.palette[worst.label].name} {percent(worst.agreement)}"
    return f"{text} · match {percent(picture.match.agreement)}, worst {name}"


def _rank(picture: Variation) -> tuple[bool, float]:
    """The original first, then by match; those whose match is not known come last."""
    agreement = picture.match.agreement if picture.match else -1.0
    return not picture.original, -agreement
