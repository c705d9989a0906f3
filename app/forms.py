"""The layouts that our dialogs share: names and fields in rows, or pictures beside a table."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QVBoxLayout,
    QWidget,
)


def lay_out_form(
    dialog: QDialog, rows: Iterable[tuple[str, QWidget]], below: Iterable[QWidget]
) -> None:
    """Put `rows` of (name, field) into an empty dialog, and the other widgets under them."""
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(20, 18, 20, 16)
    layout.setSpacing(14)
    layout.addLayout(form_of(rows))
    for widget in below:
        layout.addWidget(widget)


def form_of(rows: Iterable[tuple[str, QWidget]]) -> QGridLayout:
    """Names, which may have a key after &, beside their fields, which take the rest of the room."""
    form = QGridLayout()
    form.setHorizontalSpacing(16)
    form.setVerticalSpacing(10)
    form.setColumnStretch(1, 1)
    for row, (name, field) in enumerate(rows):
        label = QLabel(name)
        label.setBuddy(field)
        form.addWidget(label, row, 0)
        form.addWidget(field, row, 1)
    return form


def lay_out_columns(dialog: QDialog, pictures: QLayout, side: QLayout, buttons: QWidget) -> None:
    """Put pictures (three parts wide) beside what is said of them (two), the buttons below."""
    columns = QHBoxLayout()
    columns.setSpacing(16)
    columns.addLayout(pictures, 3)
    columns.addLayout(side, 2)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(16, 16, 16, 12)
    layout.setSpacing(12)
    layout.addLayout(columns, 1)
    layout.addWidget(buttons)
