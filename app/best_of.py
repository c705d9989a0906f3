"""Best of N: sample some seeds, and take the picture that shows most of what is painted."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.percent import percent
from app.variations import Variation, Variations
from core.matching import Match

NOTICEABLE = 0.002  # of the picture's agreement: less is not worth a word


class BestOf(QObject):
    """Waits for the variations that it asked for and adopts the best, in one undo step.

    told(sentence): which was taken, and why.
    """

    told = Signal(str)

    def __init__(self, variations: Variations) -> None:
        super().__init__()
        self._variations = variations
        self._wanted = False
        variations.filled.connect(self._review)
        variations.left.connect(self._stop)

    def begin(self, begin: Callable[[], None]) -> None:
        """Let `begin` ask for variations, and take the best of them."""
        begin()
        self._wanted = self._variations.open

    def _stop(self) -> None:
        self._wanted = False

    def _review(self, _: int) -> None:
        pictures, first = self._variations.pictures, self._variations.first
        if not self._wanted or any(picture.match is None for picture in pictures[first:]):
            return
        known = [index for index, picture in enumerate(pictures) if picture.match]
        best = max(known, key=lambda index: pictures[index].match.agreement)
        sentence = why(pictures[best], [pictures[index] for index in known if index != best])
        if self._variations.adopt(best):
            self.told.emit(sentence)


def why(chosen: Variation, others: list[Variation]) -> str:
    """A sentence or two about the choice among pictures whose matches are known."""
    figures = percent(chosen.match.agreement)
    beside = sorted(other.match.agreement for other in others)
    ends = dict.fromkeys(percent(agreement) for agreement in beside[:1] + beside[-1:])
    if ends:
        figures += f" against {' to '.join(ends)}"
    lead = (
        "The picture stays: none of the others shows more of what is painted"
        if chosen.original
        else f"Seed {chosen.seed} shows most of what is painted"
    )
    return f"{lead}: {figures}.{_gain(chosen.match, [other.match for other in others])}"


def _gain(match: Match, others: list[Match]) -> str:
    """Which label makes the difference: by share of the layout, against the mean of the others."""
    gains = {}
    for one in match.labels:
        beside = [found.agreement for other in others if (found := other.of(one.label))]
        if beside:
            gains[one.label] = one.share * (one.agreement - sum(beside) / len(beside))
    label = max(gains, key=gains.get, default=None)
    if label is None or gains[label] < NOTICEABLE:
        return ""
    agreement = percent(match.of(label).agreement)
    return f" Above all {match.palette[label].name} came out better ({agreement})."
