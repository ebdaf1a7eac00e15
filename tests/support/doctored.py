"""Organisations as their people set them up, for doctors: own ports, no pinned secrets, no exact metrics."""

import json
import socket

from party.diagnosis.finding import Severity
from tests.support.organisations import Organisations, make_frames

DATASETS = ("train", "test")


def free_address():
    """An address of this machine that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{trial.getsockname()[1]}"


def set_up(folder, names=("alice", "bob"), **overrides):
    """Two organisations whose files have nothing to warn of."""
    usual = {"pinned_secret": None, "policy": {}}
    given = {name: {**usual, "listen": free_address(), **overrides.get(name, {})} for name in names}
    return Organisations(folder, names, frames=make_frames(names, datasets=DATASETS), overrides=given)


def amiss(diagnosis):
    """The findings that are not ok, as pairs of examination and finding."""
    return [
        (name, one) for name, found in diagnosis.findings.items() for one in found if one.severity is not Severity.OK
    ]


def shown(diagnosis):
    """All that a doctor says, as lines and as JSON."""
    document = diagnosis.to_json()
    assert json.loads(document)["findings"]
    return "\n".join([*diagnosis.lines(None), document])


def expect_fault(diagnosis, examinations, severity, what, fix):
    """Checks that a fault is found by these examinations and no other, in words, with what to do."""
    found = amiss(diagnosis)
    assert {name for name, _ in found} == set(examinations), found
    assert any(
        one.severity == severity and what in f"{one.where}: {one.what}" and fix in one.fix for _, one in found
    ), found
