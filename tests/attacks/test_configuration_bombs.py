"""Bombs in an Open over the wire; that none reaches the validator is in tests/configuration/test_extent.py."""

import grpc
import pytest

from tests.attacks.configuration_bombs import refusal
from tests.support.bombs import BOMBS, LONGEST_TEXT
from tests.support.calling import channel_to
from tests.support.organisations import Organisations


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("bombs")) as made:
        made.start_server("alice")
        with channel_to(made, "alice") as opened:
            yield opened


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_as_a_configuration(channel, name):
    status, text, _ = refusal(channel, BOMBS[name])
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert len(text) <= LONGEST_TEXT
