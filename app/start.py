"""How work begins: the start page in place of the canvas, and the examples behind it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.examples import EXAMPLES, Example
from app.filing import Filing
from app.panels.start import StartPage
from app.scene import Scene
from app.studio import Studio
from core.picture import read_picture

CAPTION = "an example · Generate makes a picture of your own"


class Start(QObject):
    """`place` shows the canvas, or the start page while that is open. turned: from one to the
    other."""

    turned = Signal()

    def __init__(self, canvas: QWidget, scene: Scene, filing: Filing, studio: Studio) -> None:
        super().__init__(canvas)
        self.page = StartPage(EXAMPLES)
        self.place = QStackedWidget()
        self.place.addWidget(canvas)
        self.place.addWidget(self.page)
        self._canvas, self._filing, self._studio = canvas, filing, studio
        self.page.example_wanted.connect(self.open_example)
        self.page.empty_wanted.connect(self._open_empty)
        self.page.left.connect(self.close)
        scene.replaced.connect(self.close)
        scene.changed.connect(self.close)

    @property
    def open(self) -> bool:
        """Whether the page is shown."""
        return self.place.currentWidget() is self.page

    def show(self, keys: Mapping[str, str]) -> None:
        """Show the page. keys: of each wish, as people read them."""
        self.page.show_keys(keys)
        self.place.setCurrentWidget(self.page)
        self.page.cards[0].setFocus()
        self.turned.emit()

    def close(self) -> None:
        """Show the canvas again."""
        if self.open:
            self.place.setCurrentWidget(self._canvas)
            self._canvas.setFocus()
            self.turned.emit()

    def open_example(self, example: Example = EXAMPLES[0]) -> None:
        """Open a scene with its picture, if the present one may go."""
        if self._filing.open_example(example.layout):
            self.close()
            self.show_picture(example)

    def show_picture(self, example: Example) -> None:
        """Show the picture of an example until there is another one."""
        self._studio.stand_in(read_picture(example.picture).image, CAPTION)

    def _open_empty(self) -> None:
        if self._filing.new():
            self.close()
