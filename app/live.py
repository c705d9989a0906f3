"""Live painting, as pure policy: when does a change of the scene start a picture, and of what kind.

Nothing here knows Qt or a clock: every method is told the time, in seconds of one clock.
"""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

PAUSE = 0.03  # without a change for so long, the hand rests
PATIENCE = 0.1  # a change waits no longer than this for the hand to rest
HAND_RESTS = 0.35  # without a change for so long, the model takes over from the instant hand
REST = 1.0  # without a change for so long, the scene is worth a full picture
LIMIT = 1.0  # no change stays unseen for longer, whatever the hand does
BUDGET = 0.11  # that a quick picture may take: six a second, and one given up for each stroke
TOO_LONG = LIMIT / 2  # that a quick picture must not take: then it is made smaller
FRAMES = 3  # by which a pace is judged: a first one is slow for reasons of its own

OTHERS = ("loading", "variations", "proposal")  # jobs that live painting does not interrupt


class Due(NamedTuple):
    """What is to be made, "quick" or "full", and when."""

    what: str
    at: float


class Live:
    """The policy. One picture on its way at a time; the newest scene wins.

    on: whether live painting is on. asleep: it cannot go on by itself, until `wake`. refine:
    whether a full picture follows when the hand rests. instant: whether something else shows every
    change at once, so that quick pictures, too, are for the hand that rests, where they are wanted.
    """

    def __init__(self, refine: bool = True) -> None:
        self.on = self.asleep = self._down = self._lifted = False
        self.refine, self.instant = refine, False
        self._refined = True  # whether the scene has a full picture, or none is wanted
        self._last = 0.0  # time of the last change
        self._pending: float | None = None  # time of the first change that no job has seen
        self._unseen: float | None = None  # time of the first change that no picture shows
        self._began = self._took = 0.0
        self._overtook = False  # whether a picture gave way since the last one was shown

    # -- what happens -----------------------------------------------------------------------------

    def turn(self, on: bool, now: float, wanting: bool = False) -> None:
        """Switch it. wanting: the scene has no picture of its own yet."""
        self.on, self.asleep = on, False
        self.settle()
        if on and wanting:
            self.changed(now)

    def changed(self, now: float) -> None:
        """The scene is another one, or what its picture depends on."""
        self._last = now
        self._refined = False
        if self._pending is None:
            self._pending = now
        if self._unseen is None:
            self._unseen = now

    def pen(self, down: bool) -> None:
        """A gesture on the canvas began or ended."""
        self._down = down
        self._lifted = not down

    def settle(self) -> None:
        """The scene has a picture that nothing needs to follow."""
        self._pending = self._unseen = None
        self._refined, self._lifted = True, False

    def sleep(self) -> None:
        """Something must happen first: make nothing until `wake`."""
        self.asleep = True

    def wake(self) -> None:
        """It can go on."""
        self.asleep = False

    def began(self, what: str, now: float) -> None:
        """What was due is on its way."""
        self._overtook = self._lifted and self._unseen != self._pending
        self._pending, self._began, self._lifted = None, now, False
        self._refined = what == "full"  # also if it is given up: not again before a change

    def shown(self, now: float) -> None:
        """The quick picture has come."""
        self._took = now - self._began
        self._unseen = self._pending
        self._overtook = False

    def idle(self) -> None:
        """Nothing is on its way: a picture that another job took the place of is due again."""
        if self._pending is None:
            self._pending = self._unseen

    def full_shown(self) -> None:
        """A full picture has come; it shows all but what has changed since it began."""
        pending = self._pending
        self.settle()
        if pending is not None:
            self.changed(self._last)

    # -- what to do -------------------------------------------------------------------------------

    def due(self, now: float, busy: str) -> Due | None:
        """What comes next, if nothing happens meanwhile; None for nothing before something does.

        busy: what is on its way: "", "quick", "picture" (a full one), or one of `OTHERS`.
        """
        if not self.on or self.asleep or busy in OTHERS:
            return None
        if self._pending is not None:
            return self._next_after_hand(busy) if self.instant else self._next_quick(now, busy)
        if busy or not self.refine or self._refined or self._down:
            return None
        return Due("full", self._last + REST)

    def _next_quick(self, now: float, busy: str) -> Due | None:
        if busy == "quick" and not self._may_overtake(now):
            return None  # its end is the next chance
        if self._lifted:
            return Due("quick", now)
        return Due("quick", min(self._last + PAUSE, self._pending + PATIENCE))

    def _next_after_hand(self, busy: str) -> Due | None:
        if busy == "quick" or not self.refine:
            return None
        return Due("quick", self._last + HAND_RESTS)

    def _may_overtake(self, now: float) -> bool:
        """A stroke has ended, and its picture need not wait for one that is outdated already.

        Only once: of short strokes one after the other, none would ever be seen.
        """
        in_time = now + self._took - self._unseen < LIMIT
        return self._lifted and in_time and not self._overtook


class Pace(NamedTuple):
    """How a quick picture is made: steps, and its size as a share of the scene's."""

    steps: int
    scale: float


# From the best to the quickest. A few-step student takes as long for a step as the model itself.
PACES = (Pace(4, 1.0), Pace(3, 1.0), Pace(2, 1.0), Pace(2, 0.5), Pace(2, 0.25))


class Tempo:
    """Chooses the pace that this machine can keep. It only ever goes down: a picture that changed
    between paces would not stay itself. `begin` goes back to the best."""

    def __init__(self) -> None:
        self._key: object = None
        self.begin()

    def begin(self) -> None:
        """Measure anew."""
        self._notch = 0
        self._times: list[float] = []

    def pace(self, key: object) -> Pace:
        """The pace to keep. key: what the times depend on, such as model and size."""
        if key != self._key:
            self._key = key
            self.begin()
        return PACES[self._notch]

    def took(self, seconds: float) -> None:
        """A quick picture is there."""
        self._times.append(seconds)
        if len(self._times) < FRAMES:
            return
        if self._notch + 1 < len(PACES):
            smaller = PACES[self._notch + 1].scale < PACES[self._notch].scale
            if median(self._times[-FRAMES:]) > (TOO_LONG if smaller else BUDGET):
                self._notch += 1
                self._times.clear()
        del self._times[:-FRAMES]
