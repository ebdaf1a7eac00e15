import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.alignment import received_elements as module
from party.alignment.curve import ELEMENT_BYTES
from party.alignment.received_elements import ReceivedElements, equal_elements
from party.errors import AlignmentError

# Few different bytes, zeros at either end and the highest bit among them: what a comparison of texts would get wrong.
ELEMENTS = st.lists(st.sampled_from(b"\0\1\x7f\x80\xff"), min_size=3, max_size=3).map(
    lambda three: bytes([three[0]]) + bytes([three[1]]) * (ELEMENT_BYTES - 2) + bytes([three[2]])
)
DISTINCT = st.lists(ELEMENTS, max_size=30, unique=True)


def received(elements, name="here", chunk=4):
    store = ReceivedElements(len(elements), name)
    for start in range(0, len(elements), chunk):
        store.append(b"".join(elements[start : start + chunk]))
    return store


@given(setup=DISTINCT, responses=DISTINCT, chunk=st.integers(1, 8))
def test_equal_elements_are_those_of_a_comparison_one_by_one(setup, responses, chunk):
    positions, places = equal_elements(received(setup, chunk=chunk), received(responses, chunk=chunk))
    pairs = zip(positions.tolist(), places.tolist(), strict=True)
    assert sorted(pairs) == sorted(
        (position, place) for position, one in enumerate(setup) for place, other in enumerate(responses) if one == other
    )
    assert (positions.dtype, places.dtype) == ("int32", "int32")


@given(elements=DISTINCT.filter(bool), data=st.data())
def test_every_repetition_is_counted_on_either_side(elements, data):
    more = data.draw(st.lists(st.sampled_from(elements), min_size=1, max_size=5))
    repeated = data.draw(st.permutations(elements + more))
    pattern = f"^peer: elements that occur more than once; received {len(more)} repetitions$"
    with pytest.raises(AlignmentError, match=pattern):
        equal_elements(received(repeated, "peer"), received(elements))
    with pytest.raises(AlignmentError, match=pattern):
        equal_elements(received(elements), received(repeated, "peer"))


@given(setup=DISTINCT, responses=DISTINCT, more=st.lists(ELEMENTS, max_size=2))
def test_parts_give_what_a_comparison_of_all_at_once_gives(setup, responses, more):
    """In the same order; and repetitions are counted over all parts."""
    outcomes = []
    for together in (module.COMPARED_TOGETHER, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "COMPARED_TOGETHER", together)
            try:
                found = equal_elements(received(setup + more), received(responses))
                outcomes.append([one.tolist() for one in found])
            except AlignmentError as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
