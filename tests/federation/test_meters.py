"""Meters see what leaves, change nothing of it, and end a session by the owner's limit alone."""

import json

import numpy as np
import pytest

from coordinator import connect
from party.errors import PolicyError
from tests.support.organisations import EXACT_METRICS, make_frames
from tests.support.resuming import expect_equal, outcome, restart, stop_at, train

pytestmark = pytest.mark.usefixtures("stop_is_seen_at_once")

TRAINING = {"epochs": 2, "batch_size": 64, "validation_fraction": 0.1}
ON = {"bob": {"meters": {"labels": True}}, "alice": {"meters": {"columns": ["city", "income"]}}}


def lines_of(organisations, name, run_id):
    path = organisations.state_path(name) / "runs" / run_id / "meters.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_meters(make_organisations):
    organisations = make_organisations(
        training=TRAINING, overrides=ON, frames=make_frames(("alice", "bob"), rows=3000)
    ).start_servers()
    history = train(organisations)
    for name in ("bob", "alice"):
        for line in lines_of(organisations, name, history.run_id):
            print(line)
    assert 0
