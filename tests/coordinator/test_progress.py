import io

import pytest

from coordinator import progress
from coordinator.live_display import LiveDisplay, live_text
from coordinator.progress import PLAIN_LINE_SECONDS, Pace, PlainDisplay, SilentDisplay
from party.output.terminal import text_columns


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
    assert len(lines) == 11, "ten, and the latest state"
    assert lines[:2] == ["  0 %  rows", "  1 %  rows"]


def test_plain_display_always_prints_the_end():
    lines, clock = [], Clock()
    with PlainDisplay(lines.append, clock) as display:
        for done in (1, 2, 3):
            display.update("rows", done, 3, ["", f"row {done}"])
    assert lines == [" 33 %  rows  row 1", "100 %  rows  row 3"]


def test_plain_display_prints_no_state_twice():
    lines = []
    with PlainDisplay(lines.append, Clock()) as display:
        display.update("rows", 3, 3)
    assert lines == ["100 %  rows"]


def test_plain_display_prints_lasting_lines_at_once():
    lines, clock = [], Clock()
    display = PlainDisplay(lines.append, clock)
    display.update("rows", 1, 3)
    display.print_line("epoch 1")
    display.print_line("epoch 2")
    assert lines == [" 33 %  rows", "epoch 1", "epoch 2"]


def test_pace_is_that_of_the_units_of_this_session():
    clock = Clock()
    pace = Pace(100, clock)
    assert pace.left_text(100, 200) == "", "nothing is known yet"
    clock.seconds += 10
    assert pace.left_text(110, 200) == "1 min 30 s left"
    assert pace.left_text(200, 200) == ""


def test_silent_display_prints_nothing(capsys):
    with SilentDisplay() as display:
        display.update("rows", 1, 1)
        display.print_line("epoch 1")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("make", [SilentDisplay, lambda: PlainDisplay(print), lambda: LiveDisplay(io.StringIO())])
def test_display_lets_errors_through(make):
    with pytest.raises(ValueError, match="inside"), make():
        raise ValueError("inside")


class Screen:
    """What a terminal shows of what was written to it: a carriage return goes back, a new line begins the next."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.place = 0

    def isatty(self):
        return True

    def flush(self):
        pass

    def write(self, text):
        for letter in text:
            if letter == "\n":
                self.lines.append("")
                self.place = 0
            elif letter == "\r":
                self.place = 0
            else:
                assert self.place < self.columns, "a line never reaches beyond the terminal"
                line = self.lines[-1]
                self.lines[-1] = line[: self.place] + letter + line[self.place + 1 :]
                self.place += 1

    @property
    def shown(self):
        return [line.rstrip() for line in self.lines]


FIGURES = ["1 min 5 s left", "step 12/2,400", "loss 0.512", "auc 0.71", "81,000 samples/s", "4.5 MB/s"]


@pytest.mark.parametrize("columns", [12, 40, 80, 200])
def test_live_display_shows_what_fits_and_keeps_lines(columns):
    screen, clock = Screen(columns), Clock()
    with LiveDisplay(screen, lambda: columns, clock) as display:
        display.update("a work with a name that is longer than any other one", 9, 10, FIGURES)
        clock.seconds += 1
        display.update("epoch 1/20", 3, 10, FIGURES)
        assert screen.shown[0].startswith(" 30 %"), screen.shown
        display.print_line("epoch 1: " + "  ".join(f"metric_{number} 0.5" for number in range(9)))
        display.update("epoch 2/20", 4, 10, FIGURES)  # too early to be drawn
        assert screen.shown[-1].startswith(" 30 %")
    *kept, last, end = screen.shown
    assert [word for line in kept for word in line.split()][:4] == ["epoch", "1:", "metric_0", "0.5"]
    assert " ".join(kept).count("metric_") == 9
    assert last.startswith(" 40 %")
    assert end == "", "what follows begins a line of its own"
    shown = [part for part in ("epoch 2/20", *FIGURES) if part in last]
    assert shown == ["epoch 2/20", *FIGURES][: len(shown)], "the most important parts stay"
    assert len(shown) == {12: 0, 40: 2, 80: 5, 200: 7}[columns]
    assert ("[########------------]" in last) == (columns == 200)


def test_live_display_shows_a_wide_name_within_the_terminal():
    assert text_columns(live_text("数" * 50, 1, 2, [], columns=39)) <= 39


def test_live_display_that_shows_nothing_leaves_nothing():
    screen = Screen(80)
    with LiveDisplay(screen, lambda: 80) as display:
        display.print_line("one")
    assert screen.shown == ["one", ""]


def test_displays_share_one_interface():
    for display in (SilentDisplay, PlainDisplay, LiveDisplay):
        for name in ("update", "print_line", "__enter__", "__exit__"):
            assert callable(getattr(display, name))
            assert hasattr(progress.Display, name)
