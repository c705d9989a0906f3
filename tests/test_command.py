"""Progress in a pipe: a line now and then."""

from core.command import ProgressLines, progress_bar


def test_a_pipe_gets_a_line_now_and_then(capsys):
    """A third is done after 40 s, so 80 are left; nothing is said before 30 s or twice within."""
    times = iter([0, 10, 40, 50, 400])
    with ProgressLines(3, "Measuring", every=30, clock=lambda: next(times)) as progress:
        for amount in (0.5, 0.5, 1, 1):
            progress.update(amount)
    assert progress.n == 3
    assert capsys.readouterr().err == "Measuring  33%, 00:40 < 01:20\n"


def test_without_a_terminal_there_is_no_bar(capsys):
    """A log file has no use for carriage returns."""
    with progress_bar(2, "Measuring") as bar:
        bar.update(1)
    assert isinstance(bar, ProgressLines) and capsys.readouterr().err == ""
