"""Export: what, where, under which names; many files at once."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.export_plan import ExportError, Job, Product, Source, plan, products
from app.worker import failure
from core.errors import InputError
from core.picture import QUALITY

PATTERN = "{name}-{what}"
PATTERN_MANY = "{name}-{what}-{number}-{seed}"
SHOWN = 200  # file names in the list; more would only be scrolled over


class ExportDialog(QDialog):
    """Ticks on the left, names on the right; writes one file a turn of the event loop.

    exported(int, list): so many files were written, with sentences about what they lack.
    """

    exported = Signal(int, list)

    def __init__(self, source: Source, folder: Path, ticked: set[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export")
        self._source = source
        self._jobs: list[Job] = []
        self._written = 0
        self._notices: list[str] = []
        self._build(folder, ticked)
        for signal in (self.folder.textChanged, self.pattern.textChanged):
            signal.connect(self._show_plan)
        for box in self.boxes.values():
            box.toggled.connect(self._show_plan)
        self._show_plan()
        self.resize(860, 520)

    @property
    def chosen(self) -> list[Product]:
        """The kinds of file that are ticked."""
        return [p for p in self._products if self.boxes[p.key].isChecked()]

    # -- building ---------------------------------------------------------------------------------

    def _build(self, folder: Path, ticked: set[str]) -> None:
        self._products = products(self._source)
        self.boxes = {p.key: self._build_box(p, p.key in ticked) for p in self._products}
        columns = QHBoxLayout()
        columns.setSpacing(24)
        columns.addLayout(self._build_left())
        columns.addLayout(self._build_right(folder), 1)
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName("Progress")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 12)
        layout.setSpacing(12)
        layout.addLayout(columns, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self._build_buttons())
        self.progress.hide()

    def _build_box(self, product: Product, ticked: bool) -> QCheckBox:
        box = QCheckBox(product.title)
        there = bool(self._source.results) or not product.per_picture
        box.setEnabled(there and product.possible)
        box.setChecked(box.isEnabled() and ticked)
        tip = product.note or "Exact: nothing is lost"
        box.setToolTip(tip if there else "There is no picture yet: press Generate first")
        return box

    def _build_left(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(4)
        grid.setHorizontalSpacing(12)
        count = len(self._source.results)
        self._heading(grid, "Pictures" if count < 2 else f"Pictures ({count})")
        self._rows(grid, [p for p in self._products if p.per_picture])
        self.quality = QSpinBox(minimum=1, maximum=100, value=QUALITY)
        self.quality.setToolTip("Quality of JPEG and WebP, 1 to 100")
        self.quality.setAccessibleName("Quality")
        self.quality.lineEdit().setTextMargins(4, 0, 0, 0)
        label = QLabel("&Quality of JPEG and WebP")
        label.setBuddy(self.quality)
        row = QHBoxLayout()
        row.setContentsMargins(24, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(label)
        row.addWidget(self.quality)
        row.addStretch(1)
        grid.addLayout(row, grid.rowCount(), 0, 1, 2)
        self._heading(grid, "Layout")
        self._rows(grid, [p for p in self._products if not p.per_picture])
        grid.setRowStretch(grid.rowCount(), 1)
        return grid

    def _heading(self, grid: QGridLayout, text: str) -> None:
        heading = QLabel(text, objectName="heading")
        heading.setContentsMargins(0, 6 if grid.rowCount() > 1 else 0, 0, 0)
        grid.addWidget(heading, grid.rowCount(), 0, 1, 2)

    def _rows(self, grid: QGridLayout, rows: list[Product]) -> None:
        for product in rows:
            row = grid.rowCount()
            grid.addWidget(self.boxes[product.key], row, 0)
            grid.addWidget(QLabel(product.note, objectName="faint"), row, 1)

    def _build_right(self, folder: Path) -> QVBoxLayout:
        many = len(self._source.results) > 1
        self.folder = QLineEdit(str(folder), toolTip="Where the files go")
        self.folder.setAccessibleName("Folder")
        browse = QPushButton("Browse…", toolTip="Choose the folder")
        browse.setAutoDefault(False)
        browse.clicked.connect(self._browse)
        self.pattern = QLineEdit(PATTERN_MANY if many else PATTERN)
        self.pattern.setAccessibleName("Names")
        self.pattern.setToolTip(
            "{name} is the document's, {what} the kind of file, {seed} the picture's, "
            "{number} its place"
        )
        self.files = QPlainTextEdit(readOnly=True, tabChangesFocus=True)
        self.files.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.files.setAccessibleName("Files")
        self.files.setToolTip("The files that will be written")
        self.note = QLabel(wordWrap=True)
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(browse)
        layout = QVBoxLayout()
        layout.setSpacing(6)
        for text, widget, part in (
            ("&Folder", self.folder, row),
            ("&Names", self.pattern, self.pattern),
            ("Files", self.files, self.files),
        ):
            label = QLabel(text)
            label.setBuddy(widget)
            layout.addWidget(label)
            layout.addLayout(part) if part is row else layout.addWidget(part)
        layout.addWidget(self.note)
        return layout

    def _build_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(self)  # in the dialog before a default is set, which then stays
        self.go = buttons.addButton("Export", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setToolTip("Write the files (Enter)")
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        cancel = buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        cancel.setToolTip("Write nothing more (Esc)")
        buttons.accepted.connect(self.start)
        buttons.rejected.connect(self.reject)
        return buttons

    # -- planning ---------------------------------------------------------------------------------

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export to", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _plan(self) -> list[Job]:
        folder = Path(self.folder.text())
        if not folder.is_dir():
            raise ExportError(f"There is no folder {folder}. Choose one that is there.")
        pattern, quality = self.pattern.text(), self.quality.value()
        return plan(self.chosen, self._source, folder, pattern, quality)

    def _show_plan(self) -> None:
        try:
            jobs = self._plan()
        except InputError as error:
            self.files.clear()
            self._tell(str(error), able=False)
            return
        self.files.setPlainText("\n".join(job.path.name for job in jobs[:SHOWN]))
        there = sum(job.path.exists() for job in jobs)
        self._tell(_summary(len(jobs), there), able=bool(jobs))

    def _tell(self, text: str, able: bool) -> None:
        self.note.setText(text)
        self.go.setEnabled(able)

    # -- writing ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Write the files; the dialog closes after the last."""
        try:
            self._jobs = self._plan()
        except InputError as error:
            self._tell(str(error), able=False)
            return
        self._written, self._notices = 0, []
        self.progress.setRange(0, len(self._jobs))
        self.progress.show()
        self.go.setEnabled(False)
        QTimer.singleShot(0, self, self._write_next)

    def _write_next(self) -> None:
        if not self.isVisible():
            return  # it was cancelled
        try:
            notice = self._jobs[self._written].write()
        except Exception as error:  # whatever it is: the dialog stays, to try another place
            self.progress.hide()
            told = f"{failure(error).message} {self._written} of {len(self._jobs)} are written."
            self._tell(told, able=True)
            return
        self._notices += [notice] if notice else []
        self._written += 1
        self.progress.setValue(self._written)
        if self._written == len(self._jobs):
            self.exported.emit(self._written, self._notices)
            self.accept()
        else:
            QTimer.singleShot(0, self, self._write_next)


def _summary(files: int, there: int) -> str:
    if not files:
        return "Nothing is ticked."
    count = "1 file" if files == 1 else f"{files} files"
    if not there:
        return f"{count} will be written."
    return f"{count} will be written; {there} of them replace a file that is there."
