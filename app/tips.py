"""Tooltips that name keys: texts with a wish in braces, filled with its present key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

PROPERTY = "tip"
NO_KEY = "no key"


def set_tip(target: QWidget | QAction, tip: str) -> None:
    """Give `target` a tooltip, shown from the next `retip` on.

    "Swap labels ({swap})" names the present key of the wish "swap".
    """
    target.setProperty(PROPERTY, tip)


def retip(root: QObject, keys: Mapping[str, str]) -> None:
    """Write the tooltips under `root`. keys: of each wish, as people read them."""
    known = defaultdict(lambda: NO_KEY, {name: key for name, key in keys.items() if key})
    for target in root.findChildren(QObject):
        tip = target.property(PROPERTY)
        if tip:
            target.setToolTip(tip.format_map(known))
