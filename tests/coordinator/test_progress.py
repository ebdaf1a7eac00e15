import io

import pytest
from rich.console import Console

from coordinator import progress
from coordinator.progress import PLAIN_LINE_SECONDS, LiveDisplay, PlainDisplay, SilentDisplay


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


def test_plain_display_prints_at_most_one_line_every_few_seconds():
    lines, clock = [], Clock()
    with PlainDisplay(lines.append, clock) as display:
        for done in range(1, 101):
            display.update("rows", done, 1_000)
            clock.seconds += PLAIN_LINE_SECONDS / 10
    assert len(lines) == 10
    assert lines[:2] == ["1/1,000  rows", "11/1,000  rows"]


def test_plain_display_always_prints_the_end():
    lines, clock = [], Clock()
    display = PlainDisplay(lines.append, clock)
    display.update("rows", 1, 3)
    display.update("rows", 2, 3)
    display.update("rows", 3, 3)
    assert lines == ["1/3  rows", "3/3  rows"]


def test_plain_display_prints_lasting_lines_at_once():
    lines, clock = [], Clock()
    display = PlainDisplay(lines.append, clock)
    display.update("rows", 1, 3)
    display.print_line("epoch 1")
    display.print_line("epoch 2")
    assert lines == ["1/3  rows", "epoch 1", "epoch 2"]


def test_silent_display_prints_nothing(capsys):
    with SilentDisplay() as display:
        display.update("rows", 1, 1)
        display.print_line("epoch 1")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("make", [SilentDisplay, lambda: PlainDisplay(print), LiveDisplay])
def test_display_lets_errors_through(make):
    with pytest.raises(ValueError, match="inside"), make():
        raise ValueError("inside")


def test_live_display_draws_progress_and_keeps_lines():
    display, screen = LiveDisplay(), io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    display._progress.live.console = console
    with display:
        display.update("step 3", 3, 10)
        display.print_line("epoch 1: [loss] 0.5000")
        display._progress.refresh()
    text = screen.getvalue()
    assert "epoch 1: [loss] 0.5000" in text
    assert "3/10" in text
    assert "step 3" in text


def test_displays_share_one_interface():
    for display in (SilentDisplay, PlainDisplay, LiveDisplay):
        for name in ("update", "print_line", "__enter__", "__exit__"):
            assert callable(getattr(display, name))
            assert hasattr(progress.Display, name)
