"""The start page: scenes to begin with, and five lines about what to do."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QIcon,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.examples import Example
from app.tips import set_tip

PER_ROW = 5
SMALLEST, LARGEST = 84, 176  # logical pixels of a card's picture
GAP, PADDING = 6, 6  # between cards, and in them
SCALE = 2  # drawn this much larger than shown, for dense screens
INSET = 0.34  # the label map in the corner, as a share of the picture
HINT = (
    "Take a label from the palette and paint where it belongs.",
    "{generate} makes the picture, {variations} eight others to choose from.",
    "{toggle_layout} shows the picture in place of the layout; {undo} takes a stroke back.",
    "The guidance slider decides how closely the picture follows the layout.",
    "{keys} lists all keys. Everything happens on this computer.",
)


class StartPage(QScrollArea):
    """example_wanted(Example), empty_wanted: what to begin with. left: nothing of it."""

    example_wanted = Signal(object)
    empty_wanted = Signal()
    left = Signal()

    def __init__(self, examples: tuple[Example, ...]) -> None:
        super().__init__(objectName="start")
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(240, 200)
        page = QWidget(objectName="startPage")
        self._layout = QVBoxLayout(page)
        self._layout.setContentsMargins(20, 8, 20, 8)
        self._layout.setSpacing(7)
        self._layout.addStretch(1)
        self._layout.addWidget(QLabel("Begin with a scene", objectName="title"))
        self._examples = examples
        self.cards = [self._card(example) for example in examples]
        self._layout.addLayout(self._build_cards())
        self.hint = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self._layout.addWidget(self.hint)
        self._layout.addLayout(self._build_buttons())
        self._layout.addStretch(2)
        self.setWidget(page)

    # -- building ---------------------------------------------------------------------------------

    def _card(self, example: Example) -> QToolButton:
        card = QToolButton(text=example.title)
        card.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        card.setToolTip(f"Open “{example.title}” and its picture (Enter)")
        card.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        card.clicked.connect(lambda: self.example_wanted.emit(example))
        card.installEventFilter(self)
        return card

    def _build_cards(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(GAP)
        for index, card in enumerate(self.cards):
            grid.addWidget(card, *divmod(index, PER_ROW))
        grid.setColumnStretch(PER_ROW, 1)
        return grid

    def _build_buttons(self) -> QHBoxLayout:
        self.empty = QPushButton("Empty scene")
        set_tip(self.empty, "Begin with an empty map ({new})")
        self.empty.clicked.connect(self.empty_wanted)
        self.close_button = QPushButton("Go on with the present scene", objectName="primary")
        set_tip(self.close_button, "Close this page (Esc); Help, Start page brings it back")
        self.close_button.clicked.connect(self.left)
        for button in (self.empty, self.close_button):
            button.installEventFilter(self)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.close_button)
        row.addWidget(self.empty)
        row.addStretch(1)
        return row

    # -- showing ----------------------------------------------------------------------------------

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the hint with the present keys, and draw the cards if that was never done."""
        for card, example in zip(self.cards, self._examples, strict=True):
            if card.icon().isNull():
                card.setIcon(card_icon(example))
        named = {name: f"<b>{escape(key or '–')}</b>" for name, key in keys.items()}
        lines = "<br>".join(HINT).format_map(named)
        self.hint.setText(f'<p style="line-height: 150%">{lines}</p>')
        self._scale()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The cards share the breadth, and the height that the text leaves them."""
        super().resizeEvent(event)
        self._scale()

    def _scale(self) -> None:
        margins, room = self._layout.contentsMargins(), self.viewport().size()
        breadth = (room.width() - margins.left() - margins.right()) // PER_ROW - GAP
        rows = -(-len(self.cards) // PER_ROW)
        texts = self._layout.totalHeightForWidth(room.width())
        texts -= rows * self.cards[0].iconSize().height()
        side = min(LARGEST, breadth - 2 * PADDING, (room.height() - texts) // rows)
        side = max(SMALLEST, side)
        for card in self.cards:
            card.setIconSize(QSize(side, side))
            card.setFixedWidth(max(breadth, SMALLEST + 2 * PADDING))

    # -- keys -------------------------------------------------------------------------------------

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:
        """On the page, Esc closes it, Enter opens a card, and arrows walk the cards."""
        keys = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
        if event.type() not in keys or not self._is_own(watched, event):
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.KeyPress:
            self._follow(watched, event)
        event.accept()
        return True

    def _is_own(self, watched: QWidget, event: QKeyEvent) -> bool:
        if event.modifiers() not in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        ):
            return False
        opens = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        return event.key() == Qt.Key.Key_Escape or opens or (watched in self.cards and _way(event))

    def _follow(self, watched: QWidget, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif _way(event) and watched in self.cards:
            index = self.cards.index(watched) + _way(event)
            if 0 <= index < len(self.cards):
                self.cards[index].setFocus()
        else:
            watched.click()


def _way(event: QKeyEvent) -> int:
    """How many cards an arrow key goes on."""
    key = Qt.Key
    ways = {key.Key_Left: -1, key.Key_Right: 1, key.Key_Up: -PER_ROW, key.Key_Down: PER_ROW}
    return ways.get(event.key(), 0)


def card_icon(example: Example) -> QIcon:
    """The picture with rounded corners, and its label map small in a corner."""
    side = LARGEST * SCALE
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    whole = QRect(0, 0, side, side)
    _draw_rounded(painter, whole, QPixmap(str(example.picture)), 10)
    inset = QRect(0, 0, round(side * INSET), round(side * INSET))
    inset.moveBottomRight(whole.adjusted(0, 0, -10, -10).bottomRight())
    painter.fillRect(inset.adjusted(-3, -3, 3, 3), QColor(255, 255, 255, 220))
    painter.drawPixmap(inset, QPixmap(str(example.layout)))
    painter.end()
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Active, QIcon.Mode.Selected):
        icon.addPixmap(pixmap, mode)
    return icon


def _draw_rounded(painter: QPainter, place: QRect, image: QPixmap, radius: int) -> None:
    outline = QPainterPath()
    outline.addRoundedRect(QRectF(place), radius, radius)
    painter.setClipPath(outline)
    painter.drawPixmap(place, image)
    painter.setClipping(False)
