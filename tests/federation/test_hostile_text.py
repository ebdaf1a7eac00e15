"""Text of a party that is not itself any more, or of a file, does not steer anybody's terminal."""

from datetime import UTC, datetime

import pytest

from party.ledger.entry import Content
from party.ledger.file import Ledger
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import DatasetRows
from party.transport import report_reply
from party.transport.service import PartyService
from tests.support.commands import run_party
from tests.support.organisations import LABEL_PARTY

ESCAPE = "\x1b]0;owned\x07\x1b[2J\r\n"


@pytest.fixture
def hostile(make_organisations, monkeypatch):
    """A federation whose parties put escapes wherever a coordinator shows their text."""
    describe, finish, message = PartyService.describe, PartyService.finish, report_reply.metrics_message
    report = PartyService.report

    def described(service, *arguments):
        reply = describe(service, *arguments)
        reply.state += ESCAPE
        reply.datasets.append(DatasetRows(dataset="other" + ESCAPE, rows=1))
        return reply

    def finished(service, *arguments):
        reply = pb.FinishReply.FromString(finish(service, *arguments))
        reply.files.append("file" + ESCAPE)
        return reply.SerializeToString()

    def reported(service, *arguments):
        reply = report(service, *arguments)
        reply.timings.add(activity="think" + ESCAPE, seconds=1.0, count=1)
        return reply

    def told(*arguments):
        reply = message(*arguments)
        reply.values.add(name="auc" + ESCAPE, value=0.5)
        return reply

    monkeypatch.setattr(PartyService, "describe", described)
    monkeypatch.setattr(PartyService, "finish", finished)
    monkeypatch.setattr(PartyService, "report", reported)
    monkeypatch.setattr(report_reply, "metrics_message", told)
    organisations = make_organisations(training={"maximum_steps": 3}).start_servers()
    organisations.write_run(alignment={"datasets": ["train"]}, evaluate_dataset="train")
    return organisations


def test_no_command_prints_an_escape_of_a_party(hostile):
    shown = {}
    for command in ("align", "plan", "train", "evaluate", "predict", "status"):
        done = hostile.coordinator(command)
        assert done.returncode == 0, done.stderr
        shown[command] = done.stdout
        assert not set(done.stdout) & set("\x1b\x07\r"), repr(done.stdout)
    for command, text in {
        "plan": "think?]0;owned",
        "train": "auc?]0;owned",
        "evaluate": "auc?]0;",
        "predict": "file?]0;",
        "status": "other?",
    }.items():
        assert text in shown[command], "what was sent is shown, without the escapes"


def test_a_version_that_is_no_version_is_refused_without_its_escapes(make_organisations, monkeypatch):
    monkeypatch.setattr("party.transport.description.__version__", "9" + ESCAPE)
    organisations = make_organisations().start_servers()
    organisations.write_run()
    refused, status = organisations.coordinator("align"), organisations.coordinator("status")
    for text in (refused.stderr, status.stdout):
        assert "received 9?]0;owned" in text
        assert not set(text) & set("\x1b\x07\r"), repr(text)


def test_a_security_officer_reads_a_ledger_whatever_text_is_in_it(make_organisations):
    """Lines stay for good: one that cannot be shown would hide all others."""
    organisations = make_organisations()
    ledger = Ledger(organisations.state_path("alice"), lambda: datetime.now(UTC))
    for text in ("started", ESCAPE + "[/x]", ":smile: [red]"):
        ledger.append(Content(event="started", coordinator=text, peers=(text,), datasets=(text,), result=text))
    done = run_party("ledger", "--config", organisations.party_path("alice"))
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout) & set("\x1b\x07\r"), repr(done.stdout)
    assert done.stdout.count("?]0;owned??[2J??[/x]") == done.stdout.count(":smile: [red]") == 4


def test_names_of_columns_are_shown_as_they_are(make_organisations):
    features = {"alice": [{"column": "city", "kind": "vocabulary", "name": "[/x]\x1b[2J"}], LABEL_PARTY: []}
    organisations = make_organisations(features=features)
    done = run_party("check", "--config", organisations.party_path("alice"))
    assert done.returncode == 0, done.stderr
    assert "[/x]?[2J" in done.stdout
    assert "\x1b" not in done.stdout
