"""What a foreign file of weights is, how to keep it, and how far its conversion is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QWidget,
)

from app.forms import lay_out_form
from app.palettes.library import Entry
from app.weights_import.child import Order

STORES = {"bfloat16": "Half size (bfloat16)", "float32": "As they are (float32)"}
NAMES = {"ade": "ade20k", "coco": "coco_stuff", "city": "cityscapes", "celeba": "celebamask_hq"}
ENCODER = "latest_net_E.pth"  # what the SPADE releases call it, beside the generator
EXPLAINED = (
    "Official SDM (.pt) and SPADE (.pth) releases can be imported. Nothing in the file is run: "
    "it is read, checked name by name, and written anew."
)


class WeightsDialog(QDialog):
    """Asks what there is to know of `source`. begun(Order); cancelled(): while it is converted."""

    begun = Signal(object)
    cancelled = Signal()

    def __init__(
        self,
        source: Path,
        palettes: list[Entry],
        present: str,
        place: Callable[[str], Path],
        parent: QWidget,
    ) -> None:
        """present: name of the palette to begin with. place: where a model of a name is kept."""
        super().__init__(parent)
        self.setWindowTitle("Import weights")
        self._source, self._place = source, place
        self.palette_box = QComboBox()
        for title, name in palettes:
            self.palette_box.addItem(title, str(name))
        self.store_box = QComboBox()
        for name, title in STORES.items():
            self.store_box.addItem(title, name)
        self.name = QLineEdit()
        self.bar = QProgressBar(minimum=0, maximum=100, textVisible=False)
        self.said = QLabel(EXPLAINED, objectName="faint", wordWrap=True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        self.begin = self.buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.running = False
        self._name_all()
        self._lay_out()
        self._guess(present)
        self.begin.clicked.connect(self._begin)
        self.buttons.rejected.connect(self.reject)
        self.name.textChanged.connect(self._review)
        self.palette_box.currentIndexChanged.connect(self._propose_name)

    # -- from outside -----------------------------------------------------------------------------

    def show_progress(self, percent: int) -> None:
        """So much of the file is written."""
        self.bar.setRange(0, 100)
        self.bar.setValue(percent)
        self.said.setText(f"Converting {self._source.name}: {percent} %")

    def show_failure(self, sentence: str) -> None:
        """It did not work; everything can be changed and tried again."""
        self._set_running(False)
        self._say(sentence, faint=False)
        self.begin.setFocus()
        self.adjustSize()

    def reject(self) -> None:
        """Esc and Cancel end the conversion, if there is one, and the dialog."""
        if self.running:
            self.cancelled.emit()
        super().reject()

    # -- its own ----------------------------------------------------------------------------------

    def _name_all(self) -> None:
        for widget, name, tip in (
            (self.palette_box, "Palette", "The labels that the model was trained on"),
            (self.store_box, "Precision", "Half size loses nothing that one would see"),
            (self.name, "Name", "What the model is called in the program"),
            (self.bar, "Progress", "How much of the file is written"),
        ):
            widget.setAccessibleName(name)
            widget.setToolTip(tip)
        self.begin.setToolTip("Convert the file and open the model (Enter)")
        self.cancel.setToolTip("Leave everything as it is (Esc)")
        self.begin.setDefault(True)

    def _lay_out(self) -> None:
        source = QLabel(self._source.name)
        source.setTextFormat(Qt.TextFormat.PlainText)
        rows = (
            ("File", source),
            ("&Palette", self.palette_box),
            ("P&recision", self.store_box),
            ("&Name", self.name),
        )
        lay_out_form(self, rows, (self.said, self.bar, self.buttons))
        self.bar.hide()
        self.setMinimumWidth(440)

    def _guess(self, present: str) -> None:
        """The palette that the file's path speaks of, or else the present one."""
        path = "/".join(self._source.parts[-2:]).lower()
        found = next((name for word, name in NAMES.items() if word in path), present)
        self.palette_box.setCurrentIndex(max(0, self.palette_box.findData(found)))
        self._propose_name()

    def _propose_name(self) -> None:
        kind = "-spade" if self._source.suffix == ".pth" else ""
        name = f"{Path(self.palette_box.currentData()).stem}{kind}"
        free = (f"{name}{n}" for n in ["", *(f"-{k}" for k in range(2, 1000))])
        self.name.setText(next((n for n in free if not self._place(n).exists()), name))

    def _review(self) -> None:
        name = self.name.text().strip()
        plain = Path(name).name == name and not name.startswith(".")
        self.begin.setEnabled(bool(name) and plain)

    def _begin(self) -> None:
        encoder = self._source.with_name(ENCODER)
        belongs = self._source.name == "latest_net_G.pth" and encoder.is_file()
        self._set_running(True)
        self._say(f"Converting {self._source.name}…")
        order = Order(
            self._source.resolve(),
            self.palette_box.currentData(),
            self._place(self.name.text().strip()),
            self.store_box.currentData(),
            encoder.resolve() if belongs else None,
        )
        self.begun.emit(order)

    def _say(self, sentence: str, faint: bool = True) -> None:
        self.said.setText(sentence)
        self.said.setObjectName("faint" if faint else "")
        self.said.style().polish(self.said)

    def _set_running(self, running: bool) -> None:
        self.running = running
        for widget in (self.palette_box, self.store_box, self.name, self.begin):
            widget.setEnabled(not running)
        self.bar.setRange(0, 0)  # until the first word: the file is being checked
        self.bar.setVisible(running)
        if running:
            self.cancel.setFocus()
