"""What is in the painter's hand: tool, label, brush."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from core.palette import Palette

MAX_DIAMETER = 500  # pixels
SHAPES = ("round", "square")


class Pen(QObject):
    """The one place that knows the current tool, label and brush; every widget shows it."""

    changed = Signal()

    def __init__(self, palette: Palette, label: int = 0) -> None:
        super().__init__()
        self.palette = palette
        self.tool = "brush"
        self.label = label
        self.previous_label = palette.erase_id
        self.diameter = 16  # label-map pixels
        self.shape = SHAPES[0]
        self.contiguous = True  # fill: the touching area only
        self.preserve = False  # paint over unlabeled pixels only
        self.pressure = True  # a tablet pen's pressure sets the size of the brush
        self.last_point: tuple[float, float] | None = None  # where a straight line would start

    def use(self, tool: str) -> None:
        """Take another tool."""
        self.tool = tool
        self.changed.emit()

    def choose(self, label: int) -> None:
        """Take another label; the old one stays within reach of `swap`."""
        if label != self.label:
            self.previous_label, self.label = self.label, label
        self.changed.emit()

    def adopt(self, palette: Palette) -> None:
        """Paint with the labels of another palette: those of the same name, where it has them."""
        if palette is self.palette:
            return
        kept = [self._found_in(palette, label) for label in (self.label, self.previous_label)]
        self.palette = palette
        self.label, self.previous_label = kept
        self.changed.emit()

    def _found_in(self, palette: Palette, label: int) -> int:
        found = palette.find(self.palette[label].name)
        return palette.erase_id if found is None else found

    def swap(self) -> None:
        """Back to the label before this one."""
        self.choose(self.previous_label)

    def resize(self, diameter: int) -> None:
        """Set the brush to `diameter` pixels, 1 to `MAX_DIAMETER`."""
        self.diameter = max(1, min(MAX_DIAMETER, int(diameter)))
        self.changed.emit()

    def grow(self, steps: int) -> None:
        """Widen (or narrow) the brush by about an eighth per step, by a pixel at least."""
        for _ in range(abs(steps)):
            amount = max(1, round(self.diameter / 8))
            self.resize(self.diameter + (amount if steps > 0 else -amount))

    def reshape(self, shape: str) -> None:
        """Take a round or a square brush."""
        self.shape = shape
        self.changed.emit()

    def set_contiguous(self, contiguous: bool) -> None:
        """Fill the touching area only, or every pixel of the label."""
        self.contiguous = contiguous
        self.changed.emit()

    def set_preserve(self, preserve: bool) -> None:
        """Protect what is labelled already, or not."""
        self.preserve = preserve
        self.changed.emit()

    def set_pressure(self, pressure: bool) -> None:
        """Let a tablet pen's pressure set the size of the brush, or not."""
        self.pressure = pressure
        self.changed.emit()

    def diameter_at(self, pressure: float) -> int:
        """The brush in pixels under a pen pressed with 0..1; a mouse presses with 1."""
        return max(1, round(self.diameter * pressure)) if self.pressure else self.diameter

    def may_cover(self, label: int) -> int | None:
        """The only label that painting `label` may cover now; None if it may cover all.

        With "preserve" on, painting covers what is unlabeled, and the eraser, which paints
        "unlabeled", takes away the label in hand.
        """
        if not self.preserve:
            return None
        nothing = self.palette.erase_id
        return self.label if label == nothing else nothing
