"""The layout that our dialogs share: names and fields in rows, what follows below them."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget


def lay_out_form(
    dialog: QDialog, rows: Iterable[tuple[str, QWidget]], below: Iterable[QWidget]
) -> None:
    """Put `rows` of (name, field) into an empty dialog, and the other widgets under them."""
    form = QGridLayout()
    form.setHorizontalSpacing(16)
    form.setVerticalSpacing(10)
    form.setColumnStretch(1, 1)
    for row, (name, field) in enumerate(rows):
        form.addWidget(QLabel(name), row, 0)
        form.addWidget(field, row, 1)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(20, 18, 20, 16)
    layout.setSpacing(14)
    layout.addLayout(form)
    for widget in below:
        layout.addWidget(widget)
