"""docs/json.md names the keys of every document that `coordinator` prints: those of its type, no more and no fewer."""

import json

import pytest

from coordinator.alignment_table import AlignmentResult
from coordinator.audit import joint_audit
from coordinator.cli import main
from coordinator.contributions import Contributions
from coordinator.evaluation_result import EvaluationResult
from coordinator.finished_training import FinishedTraining
from coordinator.new_run import CreatedRun
from coordinator.planning.table import PlanResult
from coordinator.predictions import Predictions
from coordinator.report.written_page import WrittenPage
from coordinator.runs import RemovedRun, StoppedRun
from coordinator.status import Status
from party.audit.report.audit_row import AuditRow
from party.audit.report.audited_run import AuditedRun, ConfiguredProtection
from party.audit.report.signed_part import read_parts
from party.certificate import MadeCertificate
from party.invitation.accepted import AcceptedPartners
from party.invitation.sending import WrittenInvitation
from tests.support.audit_parts import PRIVATE_LABELS, make_identity, make_part, write_signed
from tests.support.json_keys import documented_keys, keys_of_type, undocumented

TYPES = {
    "coordinator accept": AcceptedPartners,
    "coordinator align": AlignmentResult,
    "coordinator certificate": MadeCertificate,
    "coordinator contributions": Contributions,
    "coordinator evaluate": EvaluationResult,
    "coordinator init": CreatedRun,
    "coordinator invite": WrittenInvitation,
    "coordinator plan": PlanResult,
    "coordinator predict": Predictions,
    "coordinator remove": RemovedRun,
    "coordinator report": WrittenPage,
    "coordinator status": Status,
    "coordinator stop": StoppedRun,
    "coordinator train": FinishedTraining,
}
AUDIT, DOCTOR = "coordinator audit", "coordinator doctor"


@pytest.mark.parametrize("title", TYPES)
def test_the_page_has_the_keys_of_the_type(title):
    assert documented_keys()[title] == keys_of_type(TYPES[title])


def test_both_doctors_print_the_same_keys():
    assert documented_keys()[DOCTOR] == documented_keys()["party doctor"]


def test_an_audit_has_the_keys_of_runs_and_rows(tmp_path):
    (part,) = read_parts(write_signed(tmp_path, make_part(protections=(PRIVATE_LABELS,)), make_identity(tmp_path)))
    documented = documented_keys()[AUDIT]
    assert undocumented(json.loads(joint_audit([part], None).to_json()), documented) == []
    for before, kind in (("runs[]", AuditedRun), ("runs[].protections[]", ConfiguredProtection)):
        assert keys_of_type(kind, before) <= documented
    rows = {key for key in documented if key.startswith("runs[].attacks[].")}
    assert rows == keys_of_type(AuditRow, "runs[].attacks[]") | {"runs[].attacks[].owner"}


def test_the_page_has_every_command_with_the_option():
    titles = {title for title in documented_keys() if title.startswith("coordinator ")}
    assert titles == {*TYPES, AUDIT, DOCTOR}
    having = {
        f"coordinator {name}" for name, one in main.commands.items() if any("--json" in p.opts for p in one.params)
    }
    assert titles == having
