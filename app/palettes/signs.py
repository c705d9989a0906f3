"""Signs in a row of the palette: how its label is sampled, where that differs from the rest."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QIcon, QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.icons import themed
from app.label_controls import LabelControl

CONTROL_ROLE = Qt.ItemDataRole.UserRole + 2
LOCK, SMALLER, GAP = 14, 1, 4  # logical pixels; the signs' font is so many points smaller
ICON_ROOM = 8  # of the style, beside the row's icon and text


class SignsDelegate(QStyledItemDelegate):
    """Draws the signs at the right end of the name, which gives way to them."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        control = index.data(CONTROL_ROLE)
        if control is not None:
            taken = _width(control, option.font) + option.decorationSize.width() + ICON_ROOM + GAP
            room = max(0, option.rect.width() - taken)
            elide = Qt.TextElideMode.ElideRight
            option.text = option.fontMetrics.elidedText(option.text, elide, room)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().paint(painter, option, index)
        control = index.data(CONTROL_ROLE)
        if control is None:
            return
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.PlaceholderText
        painter.save()
        painter.setFont(_small(option.font))
        painter.setPen(option.palette.color(role))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(option.rect.adjusted(0, 0, -GAP, 0), right, control.signs)
        painter.restore()
        if control.locked:
            place = QRect(0, 0, LOCK, LOCK)
            place.moveCenter(option.rect.center())
            place.moveLeft(option.rect.right() - _width(control, option.font))
            state = QIcon.State.On if chosen else QIcon.State.Off
            themed("lock").paint(painter, place, state=state)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return index.data(Qt.ItemDataRole.SizeHintRole) or super().sizeHint(option, index)


def _small(font: QFont) -> QFont:
    small = QFont(font)
    if font.pointSize() > 0:
        small.setPointSize(font.pointSize() - SMALLER)
    else:  # a style sheet sets pixels
        small.setPixelSize(font.pixelSize() - SMALLER)
    return small


def _width(control: LabelControl, font: QFont) -> int:
    """What the signs take, in logical pixels."""
    text = QFontMetrics(_small(font)).horizontalAdvance(control.signs)
    return text + (LOCK + GAP if control.locked else 0) + GAP
