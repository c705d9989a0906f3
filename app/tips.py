"""Tooltips that name keys: texts with a wish in braces, filled with its present key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

PROPERTY, KEYS = "tip", "keys of the tip"
NO_KEY = "no key"


def set_tip(target: QWidget | QAction, tip: str) -> None:
    """Give `target` a tooltip: from the first `retip` on it is shown, also a later one at once.

    "Swap labels ({swap})" names the present key of the wish "swap".
    """
    target.setProperty(PROPERTY, tip)
    keys = target.property(KEYS)
    if keys is not None:
        _write(target, keys)


def retip(root: QObject, keys: Mapping[str, str]) -> None:
    """Write the tooltips under `root`. keys: of each wish, as people read them."""
    known = {name: key for name, key in keys.items() if key}
    for target in [*root.findChildren(QAction), *root.findChildren(QWidget)]:
        if target.property(PROPERTY):
            target.setProperty(KEYS, known)
            _write(target, known)


def _write(target: QWidget | QAction, keys: Mapping[str, str]) -> None:
    known = defaultdict(lambda: NO_KEY, keys)
    target.setToolTip(target.property(PROPERTY).format_map(known))
