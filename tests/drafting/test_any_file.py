"""Whatever a file holds: what is written is read by `party check` as it is, or there is nothing to learn."""

import csv
import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from party.configuration.drafts import load_draft
from party.drafting.draft import DataRequest, draft_party
from party.errors import SplitError
from party.runtime.column_keys import PassingColumnKeys
from party.runtime.tables import Tables
from tests.support.guessing import PLACE, Guessing

EXAMPLES = 40
CELLS = st.one_of(
    st.integers(-10_000, 10_000).map(str),
    st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: f"{number:.3f}"),
    st.floats(0, 1e6, allow_nan=False).map(lambda number: f"{number:,.2f}"),
    st.floats(0, 1e6, allow_nan=False).map(lambda number: f"{number:.2f}".replace(".", ",")),
    st.dates().map(str),
    st.datetimes().map(str),
    st.dates().map(lambda one: f"{one.day:02d}.{one.month:02d}.{one.year:04d}"),
    st.sampled_from(["", "?", "NA", "true", "no", "a|b", "b|c", "['a', 1]", "01", "1e400", "1_000", "٣", "=1", "- x"]),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
)
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@st.composite
def files(draw):
    """The text of a CSV file: columns of one sort of cell each, or of any."""
    rows = draw(st.integers(1, 40))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    columns = []
    for _ in names:
        pool = draw(st.lists(CELLS, min_size=1, max_size=6))
        columns.append([draw(st.sampled_from(pool)) for _ in range(rows)])
    text = io.StringIO()
    writer = csv.writer(text, delimiter=draw(st.sampled_from(",;\t|")), lineterminator="\n")
    writer.writerow(["row id", *names])
    writer.writerows([f"r{number}", *cells] for number, cells in enumerate(zip(*columns, strict=True)))
    return text.getvalue()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=files())
def test_what_is_written_is_read(tmp_path, text):
    path = tmp_path / "train.csv"
    path.write_text(text, encoding="utf-8", newline="")
    request = DataRequest(files={"train": (str(path),)}, id="row id", labels=(), left_out=())
    target = tmp_path / "alice.yaml"
    try:
        made = draft_party(PLACE, request, target, Guessing())
    except SplitError as error:
        assert "has no column that a model could learn from" in str(error), str(error)
        return
    target.write_text(made.text, encoding="utf-8")
    configuration = load_draft(target)
    assert configuration.data.features
    tables = Tables(configuration, lambda: PassingColumnKeys(bytes))
    assert tables.problems("train") == []
