"""A file without a header line: its first row is somebody's, and no error shows any of it, not even in a log."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.data.files.columns import check_names
from party.errors import DataError

# What the cells of a person look like: some are near to names of columns, some are words.
PERSON = ["Ada", "Lovelace", "ada@example.org", "0171 555 23", "1815-12-10", "London", "F", "towns", "agent", "mails"]
NEEDED = ["id", "age", "town", "mail", "income", "street"]


def told(header, needed):
    with pytest.raises(DataError) as caught:
        check_names(header, dict.fromkeys(needed, "data.features"), "alice: train.csv")
    assert "\n" not in str(caught.value)
    return f"{caught.value} {caught.value.public_message}"


def shown(text, cells, needed):
    """The cells that a text shows, besides names that the configuration has anyway."""
    without_names = text
    for name in sorted(needed, key=len, reverse=True):
        without_names = without_names.replace(name, "")
    return [cell for cell in cells if cell not in needed and cell in text and cell in without_names]


@pytest.mark.parametrize("count", range(1, len(NEEDED) + 1))
@pytest.mark.parametrize("found", [0, 1])
def test_a_row_of_a_person_is_not_shown_even_if_a_cell_is_a_name(count, found):
    needed = NEEDED[:count]
    if found == count:
        return
    header = [*needed[:found], *PERSON]
    for seed in range(5):
        random.Random(seed).shuffle(header)
        assert shown(told(header, needed), PERSON, needed) == []


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_names_that_are_near_are_shown_only_where_all_others_are_found(data):
    needed = data.draw(st.lists(st.sampled_from(NEEDED), min_size=1, unique=True))
    missing = data.draw(st.lists(st.sampled_from(needed), min_size=1, unique=True))
    cells = data.draw(st.lists(st.sampled_from(PERSON), unique=True))
    header = data.draw(st.permutations([*(name for name in needed if name not in missing), *cells]))
    text = told(header, needed)
    found = len(needed) - len(missing)
    looks_like_a_row = {"ada@example.org", "0171 555 23", "1815-12-10"} & set(cells)
    if found < 2 or (len(missing) > 1 and 5 * len(missing) > len(needed)) or looks_like_a_row:
        assert shown(text, cells, needed) == []
    else:
        assert len(shown(text, cells, needed)) <= len(missing)
    public = text.rpartition("a file of its data lacks")[2]
    assert not [word for word in [*PERSON, *NEEDED] if word in public.split()]


def test_another_spelling_of_a_name_tells_nothing_new():
    assert "age (did you mean AGE?)" in told(["x", "AGE", "z"], ["id", "age"])
    assert "user_id (did you mean User ID?)" in told(["User ID", "z"], ["user_id", "age", "town"])
    assert "did you mean" not in told(["éage", "age!", "ageé"], ["id", "age"])


def test_a_misspelt_name_of_a_header_is_found():
    assert "incme (did you mean income?)" in told(["id", "age", "income"], ["id", "age", "incme"])
    assert "did you mean" not in told(["id", "income", "17"], ["id", "age", "incme"])
