import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.specs import (
    MAXIMUM_HIDDENS,
    MAXIMUM_NAME_LENGTH,
    MAXIMUM_UNITS,
    specs_from_messages,
    specs_to_messages,
)
from party.errors import HandshakeError
from party.pb.tensor_pb2 import Aggregation as AggregationCode
from party.pb.tensor_pb2 import DataType, TensorSpec

names = st.from_regex(r"\A[a-z_][a-z0-9_]{0,30}\Z")
specs = st.builds(HiddenSpec, names, st.integers(1, MAXIMUM_UNITS), st.sampled_from(Aggregation))


@given(st.lists(specs, min_size=1, max_size=8, unique_by=lambda spec: spec.name))
def test_specs_come_back_in_order(specs):
    assert specs_from_messages(specs_to_messages(specs), "shop") == tuple(specs)


def message(name="deep", dtype=DataType.DATA_TYPE_FLOAT32, row_shape=(4,), aggregation=AggregationCode.AGGREGATION_SUM):
    return TensorSpec(name=name, dtype=dtype, row_shape=row_shape, aggregation=aggregation)


def test_the_largest_that_is_allowed():
    assert specs_from_messages([message(row_shape=(MAXIMUM_UNITS,))], "shop")[0].units == MAXIMUM_UNITS
    many = [message(name=f"h{number}") for number in range(MAXIMUM_HIDDENS)]
    assert len(specs_from_messages(many, "shop")) == MAXIMUM_HIDDENS
    assert specs_from_messages([message(name="x" * MAXIMUM_NAME_LENGTH)], "shop")


@pytest.mark.parametrize(
    "wrong",
    [
        message(name=""),
        message(name="1st"),
        message(name="a b"),
        message(name="a/b"),
        message(name="x" * (MAXIMUM_NAME_LENGTH + 1)),
        message(dtype=2),
        message(dtype=0),
        message(row_shape=()),
        message(row_shape=(4, 4)),
        message(row_shape=(0,)),
        message(row_shape=(MAXIMUM_UNITS + 1,)),
        message(row_shape=(2**63,)),
        message(aggregation=0),
        message(aggregation=99),
    ],
)
def test_spec_that_cannot_be_used_is_refused(wrong):
    with pytest.raises(HandshakeError, match=r"^shop: states a hidden that cannot be used; expected float32 of 1 to"):
        specs_from_messages([message("first"), wrong], "shop")


@pytest.mark.parametrize(
    "wrong",
    [[], [message(), message()], [message(name=f"h{number}") for number in range(MAXIMUM_HIDDENS + 1)]],
    ids=["none", "one twice", "too many"],
)
def test_wrong_number_of_specs_is_refused(wrong):
    with pytest.raises(HandshakeError, match=r"^shop: states no hiddens, too many, or one twice"):
        specs_from_messages(iter(wrong), "shop")
