"""What went wrong, in a sentence that a user can act on."""

from __future__ import annotations

SHORTAGE = (  # in lower case, as torch, OpenCV and the libraries below them word it
    "out of memory",
    "allocate memory",
    "not enough memory",
    "insufficient memory",
    "alloc_failed",
    "killed by signal: killed",  # what reads photos ahead, ended by the system to have memory
)


def brief(text: object, most: int = 200) -> str:
    """What a file or another program says, fit for a sentence of ours.

    It comes on one line, with nothing in it that cannot be shown, and is cut off at `most` signs.
    """
    said = str(text)
    plain = "".join(sign if sign.isprintable() else " " for sign in said[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one or two plain sentences that name the file, the value and the way out.
    Commands print it and exit with status 2; the window shows it. Anything else that is raised is a
    bug.
    """


class OutputError(InputError):
    """A place that was given for a file cannot be written."""


class RequestError(InputError):
    """A request that no engine could fulfil, or that this engine cannot."""


class NotAPicture(InputError):
    """What came out of a network holds values that are no numbers."""

    def __init__(self) -> None:
        super().__init__(
            "The model's numbers ran over, and no picture came of them. Generate again with "
            "another seed or less guidance; if that does not help, open other weights."
        )


class DeviceLost(InputError):
    """The device that computes does not answer any more. What lay on it is lost.

    reason: what it said last.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The graphics card gave up: {reason}. Generate again: the model is opened anew, "
            "without the card if it stays away."
        )


class OutOfMemory(InputError):
    """A picture that does not fit into memory. size: its (height, width)."""

    def __init__(self, size: tuple[int, int]) -> None:
        height, width = self.size = size
        super().__init__(
            f"There is not enough memory for a picture of {width} × {height}. Close other "
            "programs, or make a smaller one."
        )


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory, of the machine or of its device."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, InputError | OSError):
        return False
    text = text_of(error).lower()
    return any(word in text for word in SHORTAGE)


def text_of(error: BaseException) -> str:
    """What an error says; those of libraries may not even be able to say it."""
    try:
        return str(error).strip()
    except Exception:
        return ""
