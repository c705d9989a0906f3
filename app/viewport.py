"""Where the label map lies in the widget: scale and offset, without Qt's widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace

MIN_SCALE, MAX_SCALE = 1 / 16, 64.0


@dataclass(frozen=True)
class Viewport:
    """Widget position = map position * scale + (x, y)."""

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    @classmethod
    def fitting(cls, size: tuple[int, int], room: tuple[int, int], margin: int) -> Viewport:
        """The whole map, `size` (width, height), in the middle of a widget of size `room`."""
        free = [max(1, side - 2 * margin) for side in room]
        scale = _clamp(min(free[0] / size[0], free[1] / size[1]))
        return cls().centred(size, room, scale)

    def centred(self, size: tuple[int, int], room: tuple[int, int], scale: float) -> Viewport:
        """The map at `scale`, its middle in the middle of the widget, on whole pixels."""
        x, y = ((r - s * scale) / 2 for r, s in zip(room, size, strict=True))
        return Viewport(scale, float(round(x)), float(round(y)))

    def to_map(self, x: float, y: float) -> tuple[float, float]:
        """The point of the map at a widget position; outside the map it continues past the edge."""
        return (x - self.x) / self.scale, (y - self.y) / self.scale

    def to_widget(self, x: float, y: float) -> tuple[float, float]:
        """The widget position of a point of the map."""
        return x * self.scale + self.x, y * self.scale + self.y

    def zoomed(self, factor: float, x: float, y: float) -> Viewport:
        """Scaled by `factor`, with the map point at widget position (x, y) staying there."""
        scale = _clamp(self.scale * factor)
        ratio = scale / self.scale
        return Viewport(scale, x - (x - self.x) * ratio, y - (y - self.y) * ratio)

    def moved(self, dx: float, dy: float) -> Viewport:
        """Shifted by widget pixels."""
        return replace(self, x=self.x + dx, y=self.y + dy)


def _clamp(scale: float) -> float:
    return max(MIN_SCALE, min(MAX_SCALE, scale))
