"""Plots as SVG, each with a title, a description and a table of the same figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from party.page.axes import AxisScale, scale_of, whole_scale
from party.page.markup import Markup, element
from party.page.palette import SERIES
from party.page.tables import table

WIDTH, HEIGHT = 520, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 42
MARKS = 5
MOST_POINTS = 400  # of a line; more would only make the page large
MOST_ROWS = 60  # of the table beside a plot
BAR_HEIGHT, BAR_GAP = 18, 26
BAR_LEFT, BAR_ROOM = 8, 120
NONE = "–"
EPOCH = "epoch"


@dataclass(frozen=True)
class Series:
    """A line of a plot.

    Attributes:
        name: what it shows.
        values: one for each epoch; None where there is none.
    """

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class LinePlot:
    """Figures by epoch, or by a share.

    Attributes:
        anchor: id of the plot in its page.
        title: what it shows.
        meaning: how to read it, in one sentence.
        epochs: numbers of the epochs, from 1; or shares, ascending.
        series: at least one, at most as many as the palette has colours, each with a value for every epoch.
        text: writes a value.
        across: what stands across; shares unless it is EPOCH.
    """

    anchor: str
    title: str
    meaning: str
    epochs: tuple[float, ...]
    series: tuple[Series, ...]
    text: Callable[[float], str]
    across: str = EPOCH


def line_plot(plot: LinePlot) -> Markup:
    """A plot with a line for each series, and its table.

    Args:
        plot: what to show; with at least one value.
    """
    if len(plot.series) > len(SERIES):
        raise ValueError(f"a plot has at most {len(SERIES)} series")
    places = _thinned(len(plot.epochs), MOST_POINTS)
    known = [value for one in plot.series for place in places if (value := one.values[place]) is not None]
    is_by_epoch = plot.across == EPOCH
    across = whole_scale(int(plot.epochs[-1]), MARKS + 1) if is_by_epoch else scale_of((0.0, 1.0), MARKS + 1)
    down = scale_of(known if is_by_epoch else (0.0, 1.0), MARKS)
    lines = [
        made
        for number, one in enumerate(plot.series)
        for made in _line(number, [(plot.epochs[place], one.values[place]) for place in places], across, down)
    ]
    named = (
        element("title", plot.title, id=f"{plot.anchor}-name"),
        element("desc", plot.meaning, id=f"{plot.anchor}-meaning"),
    )
    drawing = element(
        "svg",
        *named,
        *_axes(across, down, plot.across),
        *lines,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{plot.anchor}-name {plot.anchor}-meaning",
    )
    return element(
        "figure",
        element("figcaption", plot.title, element("small", plot.meaning)),
        element("div", drawing, _key(plot.series)),
        _figures(plot),
        class_="plot",
    )


@dataclass(frozen=True)
class Bar:
    """A bar of a plot.

    Attributes:
        name: what it measures.
        value: at least 0.
        text: the value in words.
    """

    name: str
    value: float
    text: str


def bar_plot(anchor: str, title: str, bars: Sequence[Bar], *, head: tuple[str, str]) -> Markup:
    """Bars below each other, each with its name and value, and their table.

    Args:
        anchor: id of the plot in its page.
        title: what it shows.
        bars: at least one.
        head: titles of the two columns of the table.
    """
    longest = max(one.value for one in bars) or 1.0
    room = WIDTH - BAR_LEFT - BAR_ROOM
    drawn = []
    for number, one in enumerate(bars):
        top = number * (BAR_HEIGHT + BAR_GAP)
        place = {"x": f"{BAR_LEFT}", "y": f"{top + BAR_GAP - 4}", "height": f"{BAR_HEIGHT}"}
        drawn += [
            element("text", one.name, x=f"{BAR_LEFT}", y=f"{top + BAR_GAP - 9}", class_="value"),
            element("rect", class_="track", width=f"{room}", **place),
            element("rect", class_="bar", width=f"{room * one.value / longest:.1f}", **place),
            element("text", one.text, x=f"{BAR_LEFT + room + 8}", y=f"{top + BAR_GAP + 10}", class_="value"),
        ]
    named = (
        element("title", title, id=f"{anchor}-name"),
        element("desc", "; ".join(f"{one.name}: {one.text}" for one in bars), id=f"{anchor}-meaning"),
    )
    drawing = element(
        "svg",
        *named,
        *drawn,
        viewBox=f"0 0 {WIDTH} {len(bars) * (BAR_HEIGHT + BAR_GAP) + 4}",
        role="img",
        aria_labelledby=f"{anchor}-name {anchor}-meaning",
    )
    figures = table(f"{title}: figures", head, [(one.name, one.text) for one in bars], numbers=(1,))
    return element("figure", element("figcaption", title), element("div", drawing), figures, class_="plot")


def _axes(across: AxisScale, down: AxisScale, name: str) -> list[Markup]:
    made = []
    for mark in down.marks:
        height = _height(down, mark)
        made.append(element("line", x1=f"{LEFT}", x2=f"{WIDTH - RIGHT}", y1=height, y2=height, class_="grid"))
        made.append(
            element("text", down.text(mark), x=f"{LEFT - 8}", y=height, text_anchor="end", dominant_baseline="middle")
        )
    foot = HEIGHT - BOTTOM
    for mark in across.marks:
        place = _place(across, mark)
        made.append(element("line", x1=place, x2=place, y1=f"{foot}", y2=f"{foot + 5}", class_="axis"))
        made.append(element("text", across.text(mark), x=place, y=f"{foot + 19}", text_anchor="middle"))
    middle = f"{(LEFT + WIDTH - RIGHT) / 2:.0f}"
    made.append(element("text", name, x=middle, y=f"{HEIGHT - 6}", text_anchor="middle"))
    made.append(element("line", x1=f"{LEFT}", x2=f"{WIDTH - RIGHT}", y1=f"{foot}", y2=f"{foot}", class_="axis"))
    return made


def _line(
    number: int, points: Sequence[tuple[float, float | None]], across: AxisScale, down: AxisScale
) -> list[Markup]:
    """The line of a series, in pieces where values are missing; each value is marked while there is room."""
    pieces: list[list[tuple[str, str]]] = [[]]
    for epoch, value in points:
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((_place(across, epoch), _height(down, value)))
    made = [
        element("polyline", points=" ".join(f"{x},{y}" for x, y in piece), class_=f"line line-{number}")
        for piece in pieces
        if len(piece) > 1
    ]
    if len(points) <= MOST_ROWS:
        marks = (place for piece in pieces for place in piece)
        made += [element("circle", cx=x, cy=y, r="3.2", class_=f"mark-{number}") for x, y in marks]
    return made


def _key(series: Sequence[Series]) -> Markup:
    """What each line is, in words beside a piece of it."""
    made = []
    for number, one in enumerate(series):
        piece = element("line", x1="1", x2="35", y1="6", y2="6", class_=f"line line-{number}")
        sample = element("svg", piece, viewBox="0 0 36 12", aria_hidden="true")
        made.append(element("li", sample, one.name))
    return element("ul", *made, class_="key")


def _figures(plot: LinePlot) -> Markup:
    places = _thinned(len(plot.epochs), MOST_ROWS)
    every = "" if len(places) == len(plot.epochs) else f", {len(places)} of {len(plot.epochs)} epochs"
    rows = [(_across_text(plot, place), *(_text(plot, one.values[place]) for one in plot.series)) for place in places]
    names = (plot.across, *(one.name for one in plot.series))
    return table(f"{plot.title}: figures{every}", names, rows, numbers=range(len(names)))


def _across_text(plot: LinePlot, place: int) -> str:
    return f"{plot.epochs[place]:,}" if plot.across == EPOCH else plot.text(plot.epochs[place])


def _text(plot: LinePlot, value: float | None) -> str:
    return NONE if value is None else plot.text(value)


def _thinned(count: int, most: int) -> list[int]:
    """Places of at most so many of the epochs, evenly, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(number * (count - 1) / (most - 1)) for number in range(most)})


def _place(scale: AxisScale, value: float) -> str:
    return f"{LEFT + scale.share(value) * (WIDTH - LEFT - RIGHT):.1f}"


def _height(scale: AxisScale, value: float) -> str:
    return f"{HEIGHT - BOTTOM - scale.share(value) * (HEIGHT - TOP - BOTTOM):.1f}"
