"""A row of the guidance dock: what is wanted, where it acts, and how much."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.guiding.prompt_edit import PromptEdit
from app.guiding.term import PICTURE_KINDS, WORDS, Term, most_of
from app.icons import set_icon, themed
from app.imaging import picture_image

TICKS = 20  # slider positions per unit of weight
SIDE = 26  # logical pixels of a reference
KIND_WIDTH, SCOPE_WIDTH, SLIDER_WIDTH, VALUE_WIDTH = 108, 108, 44, 26
SCOPE_MARGINS = 32
EVERYWHERE = "everywhere"
KIND_TITLES = {
    "style": "Its style",
    "content": "Its content",
    "structure": "Its layout",
    "colours": "Its colours",
}
WEIGHT_TIP = (
    "How much; acts from the next step of a running sample.\n"
    "Afterwards the picture is made again: there is no quick answer as for guidance"
)
Labels = Callable[[], tuple[list[str], list[str]]]  # names: in the scene, and the others


class TermRow(QWidget):
    """Words have a line of their own, and the rest shows once there are some.

    edited(key, changes): a control was moved. entered(key): Enter in the words. removed(key).
    doubted(key, unknown words): what is underlined now.
    """

    edited = Signal(int, object)
    entered = Signal(int)
    removed = Signal(int)
    doubted = Signal(int, object)

    def __init__(self, term: Term, earlier: Callable[[], list[str]], labels: Labels) -> None:
        super().__init__()
        self.key, self._term, self._labels = term.key, term, labels
        self.words = PromptEdit(earlier) if term.kind == WORDS else None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        if self.words is not None:
            layout.addWidget(self._build_words())
            first = []
        else:
            first = [self._build_thumbnail(term), self._build_kind()]
        self._rest = QWidget()
        row = QHBoxLayout(self._rest)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for widget in (*first, self._build_scope(), *self._build_weight(), self._build_remove()):
            row.addWidget(widget, int(widget is self.weight))
        layout.addWidget(self._rest)
        self.show_term(term)

    # -- building ---------------------------------------------------------------------------------

    def _build_words(self) -> QWidget:
        self.words.setPlaceholderText("Words, such as golden sunset")
        self.words.setAccessibleName("Words for the picture")
        self.words.setToolTip(
            "What the picture should be like beside the layout.\n"
            "Enter makes it, Up and Down bring back earlier words"
        )
        self.words.written.connect(lambda text: self._edit(text=text))
        self.words.entered.connect(lambda: self.entered.emit(self.key))
        self.words.doubted.connect(lambda unknown: self.doubted.emit(self.key, unknown))
        return self.words

    def _build_thumbnail(self, term: Term) -> QWidget:
        pixmap = QPixmap.fromImage(picture_image(term.picture.pixels))
        how, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        label = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        label.setFixedSize(SIDE, SIDE)
        label.setPixmap(pixmap.scaled(QSize(SIDE, SIDE), how, smooth))
        label.setToolTip(term.picture.name)
        label.setAccessibleName(f"Reference {term.picture.name}")
        return label

    def _build_kind(self) -> QWidget:
        self.kind = QComboBox()
        self.kind.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.kind.setAccessibleName("What is taken from the reference")
        self.kind.setFixedWidth(KIND_WIDTH)
        self.kind.setToolTip("What of this picture the new one should have")
        for kind in PICTURE_KINDS:
            self.kind.addItem(KIND_TITLES[kind], kind)
        self.kind.activated.connect(self._choose_kind)
        return self.kind

    def _build_scope(self) -> QWidget:
        self.scope = QPushButton(objectName="palette")
        self.scope.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.scope.setFixedWidth(SCOPE_WIDTH)
        menu = QMenu(self.scope)
        menu.aboutToShow.connect(lambda: self._fill_scopes(menu))
        self.scope.setMenu(menu)
        return self.scope

    def _build_weight(self) -> tuple[QWidget, QWidget]:
        self.weight = QSlider(Qt.Orientation.Horizontal)
        self.weight.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.weight.setMinimumWidth(SLIDER_WIDTH)
        self.weight.setAccessibleName("Weight")
        self.weight.setToolTip(WEIGHT_TIP)
        self.weight.valueChanged.connect(self._move)
        self.value = QLabel(alignment=Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setFixedWidth(VALUE_WIDTH)
        return self.weight, self.value

    def _build_remove(self) -> QWidget:
        self.remove = QToolButton(toolTip="Take this row away")
        self.remove.setAccessibleName("Take this row away")
        self.remove.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_icon(self.remove, "close")
        self.remove.setIcon(themed("close"))
        self.remove.clicked.connect(lambda: self.removed.emit(self.key))
        return self.remove

    def _fill_scopes(self, menu: QMenu) -> None:
        menu.clear()
        menu.setToolTipsVisible(True)
        present, others = self._labels()
        everywhere = menu.addAction("Everywhere")
        everywhere.setCheckable(True)
        everywhere.setChecked(not self._term.labels)
        everywhere.triggered.connect(lambda: self._edit(labels=()))
        menu.addSeparator()
        self._add_labels(menu, present)
        if others:
            self._add_labels(menu.addMenu("Not in the scene"), others)

    def _add_labels(self, menu: QMenu, names: list[str]) -> None:
        for name in names:
            action = menu.addAction(name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(name in self._term.labels)
            action.triggered.connect(lambda on, name=name: self._choose_label(name, on))

    # -- showing ----------------------------------------------------------------------------------

    def show_term(self, term: Term) -> None:
        """Show a row without reporting it back."""
        self._term = term
        self.blockSignals(True)  # the controls' own signals still run, ours stay in
        if self.words is not None and self.words.text() != term.text:
            self.words.setText(term.text)
        if self.words is None:
            self.kind.setCurrentIndex(PICTURE_KINDS.index(term.kind))
        self.weight.setRange(0, round(most_of(term.kind) * TICKS))
        self.weight.setValue(round(term.weight * TICKS))
        self.blockSignals(False)
        self._term = term
        self.value.setText(f"{term.weight:.1f}")
        self._rest.setVisible(not term.empty)
        self._show_scope(term.labels)

    def _show_scope(self, labels: tuple[str, ...]) -> None:
        text = labels[0] if labels else EVERYWHERE
        more = f" +{len(labels) - 1}" if len(labels) > 1 else ""
        room = SCOPE_WIDTH - SCOPE_MARGINS - self.fontMetrics().horizontalAdvance(more)
        elided = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        where = ", ".join(labels) or EVERYWHERE
        self.scope.setText(elided + more)
        self.scope.setAccessibleName(f"Acts: {where}")
        self.scope.setToolTip(f"Where it acts: {where}. Choose labels")

    def show_abilities(self, kinds: tuple[str, ...]) -> None:
        """The kinds that the model can follow."""
        if self.words is not None:
            self.setEnabled(WORDS in kinds)
            return
        model = self.kind.model()
        for index, kind in enumerate(PICTURE_KINDS):
            model.item(index).setEnabled(kind in kinds)

    # -- reporting --------------------------------------------------------------------------------

    def _edit(self, **changes: object) -> None:
        self.edited.emit(self.key, changes)

    def _move(self, tick: int) -> None:
        self.value.setText(f"{tick / TICKS:.1f}")
        self._edit(weight=tick / TICKS)

    def _choose_kind(self) -> None:
        kind = self.kind.currentData()
        self._edit(kind=kind, weight=min(self._term.weight, most_of(kind)))

    def _choose_label(self, name: str, on: bool) -> None:
        others = tuple(label for label in self._term.labels if label != name)
        self._edit(labels=(*others, name) if on else others)
