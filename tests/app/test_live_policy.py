"""When live painting makes a picture: the policy alone, with a clock of the test's own."""

import pytest

from app.live import BUDGET, HAND_RESTS, LIMIT, PACES, PATIENCE, PAUSE, REST, Due, Live, Pace, Tempo


@pytest.fixture
def live():
    live = Live()
    live.turn(True, 0.0)
    return live


def play(live, seconds, stroke, frame, refine_time=2.0):
    """Simulate a hand and a worker; the times at which pictures showed up, and the longest time
    that a change stayed unseen. stroke(now): "" or "move", "lift" in each millisecond."""
    busy, done, shown, worst, first_unseen, seen_by_job = "", 0.0, [], 0.0, None, None
    for tick in range(int(seconds * 1000)):
        now = tick / 1000
        act = stroke(tick)
        if act == "move":
            live.pen(True)
            live.changed(now)
            first_unseen = now if first_unseen is None else first_unseen
        elif act == "lift":
            live.pen(False)
        if busy and now >= done:
            if busy == "quick":
                live.shown(now)
                shown.append(now)
                first_unseen = seen_by_job
            else:
                live.settle()
            busy = ""
        due = live.due(now, busy)
        if due and due.at <= now:
            live.began(due.what, now)
            if due.what == "quick":
                busy, done, seen_by_job = "quick", now + frame, None
            else:
                busy, done = "picture", now + refine_time
        elif act == "move" and busy == "quick" and seen_by_job is None:
            seen_by_job = now
        if first_unseen is not None:
            worst = max(worst, now - first_unseen)
    return shown, worst


def constant(tick):
    return "move" if tick % 8 == 0 else ""


def dabs(tick):
    """Ten short strokes a second."""
    phase = tick % 100
    return "move" if phase in (0, 8, 16) else "lift" if phase == 17 else ""


@pytest.mark.parametrize("stroke", [constant, dabs])
@pytest.mark.parametrize("frame", [0.06, 0.12, 0.3, 0.45])
def test_no_change_stays_unseen_for_a_second(live, stroke, frame):
    """Whatever the hand does, and however slow the pictures are within reason."""
    shown, worst = play(live, 5, stroke, frame)
    assert worst <= LIMIT and len(shown) >= 0.8 * 5 / (frame + max(0.1, frame))


def test_six_pictures_a_second_while_painting(live):
    """Where a picture takes a tenth of a second, they follow each other without a gap."""
    shown, _ = play(live, 5, constant, 0.1)
    assert len(shown) >= 6 * 5


def test_a_pause_in_a_stroke_is_enough(live):
    """The picture starts when the hand rests, with the pen still down."""
    live.pen(True)
    live.changed(1.0)
    live.changed(1.01)
    assert live.due(1.01, "") == Due("quick", 1.01 + PAUSE)
    live.changed(1.09)
    assert live.due(1.09, "") == Due("quick", 1.0 + PATIENCE)  # it does not wait for ever


def test_the_end_of_a_stroke_waits_for_nothing(live):
    """A picture starts at once, and takes the place of one that is outdated."""
    live.pen(True)
    live.changed(1.0)
    live.began("quick", 1.05)
    assert live.due(1.06, "quick") is None  # it shows all there is
    live.changed(1.1)
    assert live.due(1.1, "quick") is None
    live.pen(False)
    assert live.due(1.11, "quick") == Due("quick", 1.11)


def test_a_full_picture_when_the_hand_rests(live):
    """Once, and not while the pen is down or where it is not wanted."""
    live.pen(True)
    live.changed(1.0)
    live.began("quick", 1.03)
    live.shown(1.1)
    assert live.due(1.2, "") is None
    live.pen(False)
    assert live.due(1.2, "") == Due("full", 1.0 + REST)
    live.began("full", 2.0)
    assert live.due(2.1, "picture") is None and live.due(9.0, "") is None
    live.changed(10.0)
    live.began("quick", 10.1)
    live.refine = False
    assert live.due(20.0, "") is None


def test_a_change_overtakes_a_full_picture(live):
    """What it would show is no longer there."""
    live.changed(1.0)
    live.began("full", 2.0)
    live.changed(2.5)
    assert live.due(2.5, "picture") == Due("quick", 2.5 + PAUSE)


@pytest.mark.parametrize("busy", ["loading", "variations", "proposal"])
def test_it_interrupts_nothing_else(live, busy):
    """A grid of variations and a proposal are waited for; then the change is answered."""
    live.changed(1.0)
    assert live.due(1.5, busy) is None
    assert live.due(2.0, "").at <= 2.0


def test_off_and_asleep_are_silent(live):
    """Switched off, or waiting for an answer, nothing is due; awake, the change is still there."""
    live.changed(1.0)
    live.sleep()
    assert live.due(5.0, "") is None
    live.wake()
    assert live.due(5.0, "").what == "quick"
    live.turn(False, 5.0)
    assert live.due(6.0, "") is None


def test_switching_on_makes_a_picture_only_where_one_is_wanting():
    """A scene with a picture of its own waits for the first stroke."""
    live = Live()
    live.turn(True, 1.0)
    assert live.due(5.0, "") is None
    live.turn(True, 5.0, wanting=True)
    assert live.due(5.0, "").what == "quick"


def test_the_tempo_finds_what_the_machine_can_keep():
    """From the best pace down to one that fits; never up again, or the picture would flicker."""
    tempo, seen = Tempo(), []
    for _ in range(20):
        pace = tempo.pace("here")
        seen.append(pace)
        tempo.took(0.02 + 0.04 * pace.steps)
    assert list(dict.fromkeys(seen)) == [p for p in PACES if p in seen]
    assert 0.02 + 0.04 * seen[-1].steps <= BUDGET and seen[-1].scale == 1.0


def test_one_slow_picture_changes_nothing():
    """The first one compiles and allocates."""
    tempo = Tempo()
    tempo.pace("here")
    for seconds in (2.0, 0.05, 0.05, 0.05, 1.0, 0.05):
        tempo.took(seconds)
    assert tempo.pace("here") == PACES[0]


def test_a_large_canvas_gets_smaller_pictures():
    """Where even one step takes too long; another canvas is measured anew."""
    tempo = Tempo()
    for _ in range(30):
        pace = tempo.pace("large")
        tempo.took(4.0 * pace.scale**2)
    assert tempo.pace("large") == Pace(2, 0.25)
    assert tempo.pace("small") == PACES[0]


# -- beside an instant hand -----------------------------------------------------------------------


@pytest.fixture
def beside():
    """Live, beside a hand that shows every change at once."""
    policy = Live()
    policy.instant = True
    policy.turn(True, 0.0)
    return policy


def test_beside_the_hand_a_quick_picture_waits_for_rest(beside):
    """However long one paints, and also at the end of a stroke."""
    for number in range(30):
        beside.changed(1 + 0.1 * number)
        due = beside.due(1 + 0.1 * number, "")
        assert due == ("quick", 1 + 0.1 * number + HAND_RESTS)
    beside.pen(down=False)
    assert beside.due(4.0, "").at == 3.9 + HAND_RESTS


def test_beside_the_hand_nothing_follows_without_refining(beside):
    """Until it is switched on again: then what was painted meanwhile is due."""
    beside.refine = False
    beside.changed(1.0)
    assert beside.due(9.0, "") is None
    beside.refine = True
    assert beside.due(9.0, "").what == "quick"


def test_beside_the_hand_a_quick_picture_under_way_is_not_begun_again(beside):
    """The hand gives it up if it is outdated; nothing else does. Then the full one."""
    beside.changed(1.0)
    beside.began("quick", 1.4)
    assert beside.due(1.5, "quick") is None
    beside.shown(1.6)
    assert beside.due(1.6, "") == ("full", 1.0 + REST)
