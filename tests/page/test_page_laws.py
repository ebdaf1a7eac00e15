"""What all pages are built of: escaping, contrast, axes, plots, words; and the laws that pages hold."""

import math
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.page.axes import scale_of, whole_scale
from party.page.document import Section, document
from party.page.markup import Markup, element, joined, prose
from party.page.metric_figures import balance_of_labels, main_metric, metric_plots, metrics_by_epoch
from party.page.metric_words import is_standard_error, metric_key, tasks_of
from party.page.palette import FILLS, GROUNDS, INKS
from party.page.plots import MOST_ROWS, Bar, LinePlot, Series, bar_plot, line_plot
from party.page.tables import bullets, facts, table, terms, tiles
from tests.support.pages import HOSTILE, ReadPage, broken_laws

READABLE_CONTRAST = 4.5  # WCAG 2.1, level AA, of text


def page_of(*children):
    return document("A page", (), [Section("one", "One", children)])


def plot_of(*values, anchor="plot", name="auc"):
    epochs = tuple(range(1, len(values) + 1))
    series = (Series("training rows", tuple(values)),)
    return line_plot(LinePlot(anchor=anchor, title=name, meaning="m", epochs=epochs, series=series, text=str))


# Escaping


def test_whatever_a_text_holds_it_stays_a_text():
    body = (
        facts([(HOSTILE, HOSTILE)]),
        table(HOSTILE, (HOSTILE, "b"), [(HOSTILE, HOSTILE)], numbers=(1,)),
        bullets([HOSTILE]),
        terms([(HOSTILE, HOSTILE)]),
        tiles([(HOSTILE, HOSTILE)]),
        bar_plot("bars", HOSTILE, [Bar(HOSTILE, 1.0, HOSTILE)], head=(HOSTILE, HOSTILE)),
        plot_of(0.5, 0.6, name=f"{HOSTILE}2"),
    )
    content = document(HOSTILE, [HOSTILE], [Section("one", HOSTILE, body)])
    assert broken_laws(content.replace("src=x", "").replace("src=", "")) == []
    assert ReadPage(content).text.count("<script>alert(1)</script>") >= 20
    assert not [letter for letter in content if not letter.isprintable() and letter != "\n"]


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_an_element_reads_back_as_its_printable_text(text):
    class Reader(HTMLParser):
        content, attribute = "", None

        def handle_starttag(self, tag, attributes):
            self.attribute = dict(attributes)["title"]

        def handle_data(self, data):
            self.content += data

    reader = Reader()
    reader.feed(element("p", text, title=text))
    reader.close()
    expected = "".join(letter if letter.isprintable() else "?" for letter in text)
    assert (reader.content, reader.attribute) == (expected, expected)


def test_markup_is_not_escaped_twice_and_commands_stand_apart():
    assert joined(["<", Markup("<b>"), "&amp;"]) == "&lt;<b>&amp;amp;"
    assert prose("see `party <report>` now") == "see <code>party &lt;report&gt;</code> now"


# Colours


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """Of WCAG 2.1: 1 for equal colours, 21 for black on white."""
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def test_contrast_is_that_of_the_definition():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_ink_can_be_read_on_every_ground(scheme):
    pairs = [(ink, ground) for ink in INKS.values() for ground in GROUNDS.values()]
    pairs += [(text, fill) for fill, text in FILLS.values()]
    low = [
        (getattr(one, scheme), getattr(other, scheme))
        for one, other in pairs
        if contrast(getattr(one, scheme), getattr(other, scheme)) < READABLE_CONTRAST
    ]
    assert low == []


# Axes and plots


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20), st.integers(2, 9))
@settings(max_examples=300, deadline=None)
def test_a_scale_holds_its_values_between_marks_of_even_steps(values, marks):
    scale = scale_of(values, marks)
    assert all(-1e-6 <= scale.share(value) <= 1 + 1e-6 for value in values)
    assert 2 <= len(scale.marks) <= 2 * marks + 2
    assert scale.marks[0] == pytest.approx(scale.low, abs=scale.step * 1e-6)
    assert scale.marks[-1] == pytest.approx(scale.high, abs=scale.step * 1e-6)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.0, 1.0), ["0.00", "0.25", "0.50", "0.75", "1.00"]),
        ((0.71, 0.84), ["0.70", "0.75", "0.80", "0.85"]),
        ((0.0, 4000.0), ["0", "1,000", "2,000", "3,000", "4,000"]),
    ],
)
def test_marks_say_their_values(values, texts):
    scale = scale_of(values, 5)
    assert [float(scale.text(mark).replace(",", "")) for mark in scale.marks] == pytest.approx(list(scale.marks))
    assert [float(one.replace(",", "")) for one in texts] == pytest.approx(list(scale.marks))


@pytest.mark.parametrize("last", [1, 2, 7, 50, 100_000])
def test_epochs_have_whole_marks(last):
    marks = whole_scale(last, 6).marks
    assert all(mark == int(mark) and 1 <= mark <= max(last, 2) for mark in marks)
    assert marks


@pytest.mark.parametrize(
    "values",
    [(0.5,), (0.5, None, 0.7), (None, None, 0.7), (0.5,) * 3, (0.0, 0.0), (-1e9, 1e9), tuple(range(5000))],
    ids=["one", "gap", "late", "flat", "zero", "wide", "many"],
)
def test_plots_of_any_history_hold_the_laws(values):
    content = page_of(plot_of(*values))
    assert broken_laws(content) == []
    marked = ReadPage(content).count("circle")
    assert marked == (sum(value is not None for value in values) if len(values) <= MOST_ROWS else 0)


def test_a_line_breaks_where_a_value_is_missing():
    page = ReadPage(page_of(plot_of(1.0, 2.0, None, 3.0, 4.0)))
    lines = [one["points"].split() for one in page.attributes("polyline")]
    assert [len(points) for points in lines] == [2, 2]
    heights = [float(point.split(",")[1]) for points in lines for point in points]
    assert heights == sorted(heights, reverse=True), "a larger value stands higher"


def test_the_table_beside_a_long_plot_has_its_first_and_last_epoch():
    page = ReadPage(page_of(plot_of(*(float(number) for number in range(1000)))))
    assert f"{MOST_ROWS} of 1000 epochs" in page.text
    assert {"1", "1,000"} <= set(page.text.split())


def test_bars_are_as_long_as_their_values():
    bars = [Bar("a", 1.0, "1"), Bar("b", 3.0, "3"), Bar("c", 0.0, "0")]
    page = ReadPage(page_of(bar_plot("bars", "t", bars, head=("x", "y"))))
    widths = [float(one["width"]) for one in page.attributes("rect") if one["class"] == "bar"]
    assert widths[0] == pytest.approx(widths[1] / 3, abs=0.1)
    assert widths[2] == 0
    assert broken_laws(page_of(bar_plot("bars", "t", [Bar("a", 0.0, "0")], head=("x", "y")))) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda page: page.replace("</section>", "", 1),
        lambda page: page.replace('scope="col"', "", 1),
        lambda page: page.replace("<h1>", "<h1>x</h1><h1>", 1),
        lambda page: page.replace('id="one-title"', 'id="one"', 1),
        lambda page: page.replace("</main>", "<script>1</script></main>"),
        lambda page: page.replace("</main>", "http://x</main>"),
        lambda page: page.replace("</main>", f"{'x' * 1_000_000}</main>"),
        lambda page: page.replace("<desc", "<text").replace("</desc>", "</text>"),
        lambda page: page.replace('href="#one"', 'href="#two"'),
        lambda page: page.replace("default-src", "default"),
    ],
)
def test_a_page_that_breaks_a_law_is_noticed(damage):
    content = page_of(plot_of(0.5, 0.6))
    assert broken_laws(content) == []
    assert broken_laws(damage(content)) != []


# Words


def test_labels_are_told_from_metrics():
    one = ["loss", "auc", "log_loss", "calibration_error", "val_loss", "val_log_loss"]
    several = ["loss", "a_loss", "b_loss", "a_log_loss", "val_loss", "val_a_loss", "a_auc"]
    assert (tasks_of(one), tasks_of(several)) == ((), ("a", "b"))
    assert [metric_key(name) for name in ("x_pr_auc", "x_auc", "log_loss", "x_y", "aloss")] == [
        "pr_auc",
        "auc",
        "log_loss",
        "",
        "",
    ]
    assert is_standard_error("auc_error", ["auc", "auc_error"])
    assert not is_standard_error("calibration_error", ["calibration", "calibration_error"])
    assert is_standard_error("calibration_error", ["calibration", "calibration_error", "auc", "auc_error"])


def test_metrics_of_a_history_are_padded_and_shown_with_quality_first():
    series = {"x_gate": [0.5, 0.5], "loss": [1.0, math.nan], "val_loss": [0.9], "none": [None, None], "auc": [0.5, 0.6]}
    metrics = metrics_by_epoch(series, 2)
    assert [one.name for one in metrics] == ["x_gate", "loss", "auc"]
    assert (metrics[1].train, metrics[1].held_out) == ((1.0, None), (0.9, None))
    assert main_metric(metrics).name == "auc"
    assert main_metric([]) is None
    titles = [one.split("<figcaption>")[1].split("<")[0] for one in metric_plots(metrics, (1, 2), str)]
    assert titles == ["loss by epoch", "auc by epoch", "x_gate by epoch"]


def test_shares_of_the_loss_add_up_and_one_label_has_none():
    several = metrics_by_epoch({"loss": [4.0], "a_loss": [1.0], "b_loss": [3.0]}, 1)
    text = "".join(balance_of_labels(several, (1,), str))
    assert "1.0, 25%" in text
    assert "3.0, 75%" in text
    assert balance_of_labels(metrics_by_epoch({"loss": [1.0]}, 1), (1,), str) == []
