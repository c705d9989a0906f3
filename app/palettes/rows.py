"""The list of labels: under headings that fold, or flat while a search is on.

A row has the label's colour and name, the signs of how it is sampled, and the key it is pinned on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QFont, QKeyEvent
from PySide6.QtWidgets import QHeaderView, QMenu, QTreeWidget, QTreeWidgetItem

from app.label_controls import FRESH, LabelControl, LabelControls
from app.palettes.pins import DIGITS, Pins
from app.palettes.signs import CONTROL_ROLE, SignsDelegate
from app.swatch import swatch_icon
from core.palette import LabelClass

ROW_HEIGHT, HEADING_HEIGHT, SWATCH = 26, 22, 18  # logical pixels
PIN_WIDTH = 22
ID_ROLE = Qt.ItemDataRole.UserRole
GROUP_ROLE = Qt.ItemDataRole.UserRole + 1
NO_GROUP = "more"


class RowWish(NamedTuple):
    """An entry of a row's menu. slot: takes the label. checked: of the label, if it is a switch."""

    text: str
    slot: Callable[[int], None]
    checked: Callable[[int], bool] | None = None


class LabelRows(QTreeWidget):
    """taken(id): a label was clicked or entered. left: it was entered, and the keys belong to the
    canvas again. pin_wanted(digit, id), unpin_wanted(id) and alone_wanted(id or None): asked for in
    the menu of a row. more: what else that menu offers."""

    taken = Signal(int)
    left = Signal()
    pin_wanted = Signal(int, int)
    unpin_wanted = Signal(int)
    alone_wanted = Signal(object)

    def __init__(self, pins: Pins, controls: LabelControls) -> None:
        super().__init__()
        self._pins, self._controls = pins, controls
        self._folded: set[str] = set()
        self._alone: int | None = None
        self.more: list[RowWish] = []
        self.setAccessibleName("Labels")
        self.setToolTip("Enter takes the label; the menu key has more")
        self.setIconSize(QSize(SWATCH, SWATCH))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setHeaderHidden(True)
        self.setColumnCount(2)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.header().setStretchLastSection(False)
        self.header().setMinimumSectionSize(PIN_WIDTH)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self.header().resizeSection(1, PIN_WIDTH)
        self.setItemDelegateForColumn(0, SignsDelegate(self))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.itemClicked.connect(self._take)
        self.itemActivated.connect(self._take)
        self.itemCollapsed.connect(self._on_fold)
        self.itemExpanded.connect(self._on_fold)

    # -- what is listed ---------------------------------------------------------------------------

    def show_labels(
        self,
        labels: list[LabelClass],
        grouped: bool,
        patterns: tuple[int, ...] | None,
        alone: int | None,
    ) -> None:
        """List `labels`, under a heading for each group if `grouped`.

        patterns: which one lies on each id, if they are shown.
        """
        self._alone = alone
        self.clear()
        self._items = {label.id: self._row(label, patterns) for label in labels}
        groups = list(dict.fromkeys(label.group or NO_GROUP for label in labels))
        if not grouped or len(groups) < 2:
            self.addTopLevelItems(list(self._items.values()))
            return
        headings = []
        for group in groups:
            members = (label.id for label in labels if (label.group or NO_GROUP) == group)
            heading = self._heading(group)
            heading.addChildren([self._items[label] for label in members])
            _mark(heading, group not in self._folded)
            headings.append(heading)
        self.addTopLevelItems(headings)  # in one go: each change of a shown tree costs a layout
        self.blockSignals(True)
        for group, heading in zip(groups, headings, strict=True):
            heading.setFirstColumnSpanned(True)
            heading.setExpanded(group not in self._folded)
        self.blockSignals(False)

    @property
    def labels(self) -> list[int]:
        """The ids that are listed, from top to bottom, also under folded headings."""
        found = []
        for index in range(self.topLevelItemCount()):
            item = self.topLevelItem(index)
            children = [item.child(row) for row in range(item.childCount())]
            found += [child.data(0, ID_ROLE) for child in children or [item]]
        return found

    def row(self, label: int) -> QTreeWidgetItem | None:
        """The row of a label, if it is listed."""
        return self._items.get(label)

    def select(self, label: int) -> None:
        """Mark the label in hand, or the folded heading that it is under, if it is listed."""
        item = self.row(label)
        if item is not None and item.parent() is not None and not item.parent().isExpanded():
            item = item.parent()
        self.setCurrentItem(item)
        if item is not None:
            self.scrollToItem(item)

    def _row(self, label: LabelClass, patterns: tuple[int, ...] | None) -> QTreeWidgetItem:
        digit, control = self._pins.digit_of(label.id), self._controls.of(label.name)
        item = QTreeWidgetItem([label.name, str(digit or "")])
        patterned = patterns[label.id] if patterns else None
        item.setIcon(0, swatch_icon(label.color, SWATCH, patterned))
        item.setData(0, ID_ROLE, label.id)
        item.setSizeHint(0, QSize(0, ROW_HEIGHT))
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignCenter)
        item.setForeground(1, QBrush(self.palette().placeholderText()))
        if control != FRESH:
            item.setData(0, CONTROL_ROLE, control)
        words = ", ".join((label.name, *label.synonyms))
        words = f"{words} (key {digit})" if digit else words
        item.setToolTip(0, f"{words}\n{control.words}" if control.words else words)
        item.setData(0, Qt.ItemDataRole.AccessibleTextRole, _spoken(label, digit, control))
        if label.id == self._alone:
            _embolden(item)
        return item

    def _heading(self, group: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem([group])
        item.setData(0, GROUP_ROLE, group)
        item.setSizeHint(0, QSize(0, HEADING_HEIGHT))
        item.setForeground(0, QBrush(self.palette().placeholderText()))
        item.setToolTip(0, "Fold or unfold (Enter)")
        item.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{group}, group")
        return item

    # -- hand and keys ----------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter takes the row, whatever the desktop's habit of activating rows is."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentItem():
            is_label = self.currentItem().data(0, ID_ROLE) is not None
            self._take(self.currentItem())
            if is_label:
                self.left.emit()
        else:
            super().keyPressEvent(event)

    def _take(self, item: QTreeWidgetItem) -> None:
        label = item.data(0, ID_ROLE)
        if label is None:
            item.setExpanded(not item.isExpanded())
        else:
            self.taken.emit(label)

    def _on_fold(self, item: QTreeWidgetItem) -> None:
        group = item.data(0, GROUP_ROLE)
        (self._folded.discard if item.isExpanded() else self._folded.add)(group)
        _mark(item, item.isExpanded())

    def _show_menu(self, at: QPoint) -> None:
        item = self.itemAt(at)
        if item is not None and item.data(0, ID_ROLE) is not None:
            self.menu(item.data(0, ID_ROLE)).popup(self.viewport().mapToGlobal(at))

    def menu(self, label: int) -> QMenu:
        """What can be done with a label."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        alone = menu.addAction("Show only this label")
        alone.setCheckable(True)
        alone.setChecked(label == self._alone)
        alone.toggled.connect(lambda on: self.alone_wanted.emit(label if on else None))
        pin = menu.addMenu("Pin to key")
        for digit in DIGITS:
            held = self._pins.label_on(digit)
            text = f"&{digit}" if held is None else f"&{digit}   {self._pins.palette[held].name}"
            action = pin.addAction(text)
            action.setCheckable(True)
            action.setChecked(held == label)
            action.triggered.connect(lambda _=False, d=digit: self.pin_wanted.emit(d, label))
        if self._pins.digit_of(label) is not None:
            menu.addAction("Unpin").triggered.connect(lambda: self.unpin_wanted.emit(label))
        if self.more:
            menu.addSeparator()
        for wish in self.more:
            action = menu.addAction(wish.text)
            action.triggered.connect(lambda _=False, slot=wish.slot: slot(label))
            if wish.checked is not None:
                action.setCheckable(True)
                action.setChecked(wish.checked(label))
        return menu


def _mark(heading: QTreeWidgetItem, expanded: bool) -> None:
    """The sign that tells a folded heading from an open one."""
    group = heading.data(0, GROUP_ROLE)
    sign = "▾" if expanded else "▸"
    count = "" if expanded else f"  {heading.childCount()}"
    heading.setText(0, f"{sign} {group}{count}")


def _spoken(label: LabelClass, digit: int | None, control: LabelControl) -> str:
    key = f"key {digit}" if digit else ""
    return ", ".join(part for part in (label.name, key, control.words) if part)


def _embolden(item: QTreeWidgetItem) -> None:
    font = QFont(item.font(0))
    font.setBold(True)
    item.setFont(0, font)
