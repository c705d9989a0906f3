"""How far a training run is: a bar, a sentence, the loss and the newest sheet of samples."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPixmap
from PySide6.QtWidgets import QLabel, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from app.training.loss_curve import LossCurve, read_losses
from core import run_status
from core.run_status import RunStatus

SHEET_HINT = "Samples will appear here: layouts, what the model makes of them, and the photos."


class SheetView(QWidget):
    """Draws a sheet of samples whole, or a hint while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.path: Path | None = None
        self._sheet = QPixmap()
        self.setMinimumHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Samples")

    def sizeHint(self) -> QSize:
        return QSize(480, 220)

    def show_sheet(self, path: Path | None) -> None:
        """The PNG at `path`; None for no sheet."""
        if path != self.path:
            self.path, self._sheet = path, QPixmap(str(path)) if path else QPixmap()
            step = int(path.stem) if path and path.stem.isdigit() else 0
            self.setToolTip(f"Layouts, samples after {step} steps, and the photos" if path else "")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Dark))
        if self._sheet.isNull():
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 8, -24, -8), flags, SHEET_HINT)
            return
        size = self._sheet.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRect(0, 0, size.width(), size.height())
        place.moveCenter(self.rect().center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, self._sheet)


class RunView(QWidget):
    """Shows a run by its status and its folder."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = QProgressBar(textVisible=False)
        self.bar.setAccessibleName("Progress of the training")
        self.text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.curve, self.sheet = LossCurve(), SheetView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.text)
        layout.addWidget(self.bar)
        layout.addWidget(self.curve, 1)
        layout.addWidget(self.sheet, 3)

    def show_run(self, folder: Path | None, status: RunStatus | None, stopping: bool) -> None:
        """A run, or None of it before it began. stopping: it was asked to stop."""
        self.text.setText(told(status, stopping))
        waiting = status is not None and status.state == run_status.PREPARING
        self.bar.setRange(0, 0 if waiting else max(1, status.steps if status else 1))
        self.bar.setValue(status.step if status else 0)
        points = read_losses(folder / "log.csv") if folder else []
        self.curve.show_losses(points, status.steps if status else 1)
        sheets = sorted((folder / "sheets").glob("*.png")) if folder else []
        self.sheet.show_sheet(sheets[-1] if sheets else None)


def told(status: RunStatus | None, stopping: bool = False) -> str:
    """The state of a run as a sentence."""
    if status is None:
        return "Not trained yet."
    at = f"step {status.step} of {status.steps}"
    if stopping:
        return f"Stopping; what was learned up to {at} is being saved…"
    match status.state:
        case run_status.PREPARING:
            return f"Getting ready: {status.text}…"
        case run_status.TRAINING:
            parts = [f"{at[0].upper()}{at[1:]}"]
            parts += [f"{status.rate:.2g} pictures/s"] if status.rate else []
            parts += [f"{duration(status.seconds_left)} left"] if status.seconds_left else []
            return " · ".join(parts)
        case run_status.DONE:
            return f"Done: {status.steps} steps."
        case run_status.STOPPED:
            return f"Stopped at {at}. Continue goes on from there."
        case _:
            return status.text


def duration(seconds: float) -> str:
    """As people say it: 40 s, 12 min, 3 h 5 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
