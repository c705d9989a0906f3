"""How each label came out: a list, the worst first, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QPainter, QPalette
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.percent import percent
from app.swatch import swatch_icon
from core.matching import LabelMatch, Match
from core.palette import Palette

SWATCH, BAR_WIDTH, INSTEAD_WIDTH = 16, 92, 118  # logical pixels
ID_ROLE, LEVEL_ROLE = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


class Bars(QStyledItemDelegate):
    """A share as a bar behind its number: its length tells, no colour needs to."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        self.initStyleOption(option, index)
        level, colors = index.data(LEVEL_ROLE), option.palette
        painter.save()
        room = option.rect.adjusted(2, 4, -6, -4)
        painter.fillRect(room, colors.color(QPalette.ColorRole.Midlight))
        filled = QRect(room)
        filled.setWidth(round(room.width() * level))
        painter.setOpacity(0.55)
        painter.fillRect(filled, colors.color(QPalette.ColorRole.Highlight))
        painter.setOpacity(1.0)
        painter.setPen(colors.color(QPalette.ColorRole.Text))
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, option.text)
        painter.restore()


class MatchPanel(QWidget):
    """fix_wanted(id): a row was entered or double-clicked. chosen(id or None): another row is the
    current one."""

    fix_wanted = Signal(int)
    chosen = Signal(object)

    def __init__(self, buttons: list[QAction]) -> None:
        """buttons: the actions below the list."""
        super().__init__()
        self.heading = QLabel(objectName="faint", wordWrap=True)
        self.heading.setToolTip(
            "As far as the segmenter can tell. Each label below is measured by what photos reach"
        )
        self.rows = self._build_rows()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 10, 8)
        layout.setSpacing(6)
        layout.addWidget(self.heading)
        layout.addWidget(self.rows, 1)
        layout.addLayout(_build_buttons(buttons))
        self.show_nothing("")

    def _build_rows(self) -> QTreeWidget:
        rows = QTreeWidget()
        rows.setAccessibleName("Match of each label")
        rows.setToolTip("The worst label comes first. Enter repaints it where it differs")
        rows.setHeaderHidden(True)
        rows.setColumnCount(3)
        rows.setRootIsDecorated(False)
        rows.setIconSize(QSize(SWATCH, SWATCH))
        rows.setItemDelegateForColumn(1, Bars(rows))
        header = rows.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, BAR_WIDTH), (2, INSTEAD_WIDTH)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        rows.itemActivated.connect(lambda item: self.fix_wanted.emit(item.data(0, ID_ROLE)))
        rows.currentItemChanged.connect(lambda *_: self.chosen.emit(self.current()))
        return rows

    def sizeHint(self) -> QSize:
        return QSize(400, 210)

    # -- showing ----------------------------------------------------------------------------------

    def current(self) -> int | None:
        """The label of the current row."""
        item = self.rows.currentItem()
        return item.data(0, ID_ROLE) if item else None

    def show_nothing(self, why: str) -> None:
        """There is nothing to list, and why."""
        self.heading.setText(why)
        self.rows.clear()
        self.rows.setVisible(False)

    def show_match(self, match: Match) -> None:
        """List the painted labels of a picture; the row that was current stays so."""
        before = self.current()
        self.heading.setText(_summary(match))
        self.rows.setVisible(True)
        self.rows.clear()
        for one in match.labels:
            item = _row(one, match.palette)
            self.rows.addTopLevelItem(item)
            if one.label == before:
                self.rows.setCurrentItem(item)
        if self.rows.currentItem() is None:
            self.rows.setCurrentItem(self.rows.topLevelItem(0))


def _summary(match: Match) -> str:
    text = f"The picture shows {percent(match.agreement)} of what is painted"
    return f"{text}; photos reach {percent(match.ceiling)}." if match.ceiling < 1 else f"{text}."


def describe_label(one: LabelMatch, palette: Palette) -> str:
    """A sentence about a label, for tooltips and screen readers."""
    name = palette[one.label].name
    text = f"{name}: {percent(one.agreement)} match, {one.share:.1%} of the layout"
    return text if one.instead is None else f"{text}; looks like {palette[one.instead].name} there"


def _row(one: LabelMatch, palette: Palette) -> QTreeWidgetItem:
    label = palette[one.label]
    instead = "" if one.instead is None else f"like {palette[one.instead].name}"
    item = QTreeWidgetItem([label.name, percent(one.agreement), instead])
    item.setIcon(0, swatch_icon(label.color, SWATCH))
    item.setData(0, ID_ROLE, one.label)
    item.setData(1, LEVEL_ROLE, one.agreement)
    told = describe_label(one, palette)
    item.setData(0, Qt.ItemDataRole.AccessibleTextRole, told)
    for column in range(3):
        item.setToolTip(column, told)
    return item


def _build_buttons(actions: list[QAction]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for action in actions:
        button = QPushButton(action.text())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(action.trigger)
        _follow(button, action)
        row.addWidget(button)
    return row


def _follow(button: QPushButton, action: QAction) -> None:
    """A button says and can what its action says and can."""

    def follow() -> None:
        button.setText(action.text())
        button.setToolTip(action.toolTip())
        button.setEnabled(action.isEnabled())

    action.changed.connect(follow)
    follow()
