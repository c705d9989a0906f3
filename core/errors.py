"""What went wrong, in a sentence that a user can act on."""


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


class OutOfMemory(InputError):
    """A picture that does not fit into memory. size: its (height, width)."""

    def __init__(self, size: tuple[int, int]) -> None:
        height, width = self.size = size
        super().__init__(
            f"There is not enough memory for a picture of {width} × {height}. Close other "
            "programs, or make a smaller one."
        )
