"""The chip in the status bar: one word about what is happening."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel

DOTS = {  # every colour reads on light and on dark
    "loading": "#8a93a0",
    "no model": "#d9534f",
    "idle": "#3aa76d",
    "painting": "#8a6fd1",
    "sampling": "#2f94d6",
    "stale": "#d39a1f",
    "live": "#3aa76d",
    "failed": "#d9534f",
}
TIPS = {
    "loading": "The model is being loaded; you can paint already",
    "no model": "There is no model to make pictures with",
    "idle": "The picture belongs to this layout",
    "painting": "A stroke is under way",
    "sampling": "A picture is being made",
    "live": "The picture follows the brush",
    "stale": "The layout has changed since the picture was made",
    "failed": "The last picture could not be made",
}


class Chip(QLabel):
    """A coloured dot and a text."""

    def show_status(self, state: str, text: str) -> None:
        """Show `text` with the dot of `state`, a key of `DOTS`."""
        self.setText(f'<span style="color:{DOTS[state]}">●</span>&nbsp; {text}')
        self.setToolTip(TIPS[state])
        self.setAccessibleName(text)
