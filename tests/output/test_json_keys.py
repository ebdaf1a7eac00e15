"""docs/json.md names the keys of every document that `party` prints: those of its type, no more and no fewer."""

import pytest

from party.audit.report.audit_part import AuditPart
from party.certificate import MadeCertificate
from party.checked import CheckedParty
from party.cli import main
from party.drafting.new_party import CreatedParty
from party.exported import ExportedModels
from party.health import HealthyPort
from party.invitation.accepted import AcceptedPartners
from party.invitation.sending import WrittenInvitation
from party.ledger_lines import ListedLedger, UsedLimits, VerifiedLedger
from party.own_report.written_page import WrittenOwnPage
from party.policy.budget_uses import BudgetUse
from party.reload import Reloaded
from party.runs import RemovedFromParty, SavedRuns
from party.stored_data import RemovedData, StoredData
from tests.support.json_keys import documented_keys, keys_of_document, keys_of_type, undocumented

TYPES = {
    "party accept": AcceptedPartners,
    "party audit": AuditPart,
    "party certificate": MadeCertificate,
    "party check": CheckedParty,
    "party data": StoredData,
    "party data --remove": RemovedData,
    "party export": ExportedModels,
    "party health": HealthyPort,
    "party init": CreatedParty,
    "party invite": WrittenInvitation,
    "party ledger": ListedLedger,
    "party ledger --budget": BudgetUse,
    "party ledger --limits": UsedLimits,
    "party ledger --verify": VerifiedLedger,
    "party reload": Reloaded,
    "party remove": RemovedFromParty,
    "party report": WrittenOwnPage,
    "party runs": SavedRuns,
}
BESIDES = {"party audit": {"part_file", "page"}}  # keys of files that it wrote
MADE_OF_FINDINGS = {"party doctor"}  # compared with what it prints, in tests/doctor


@pytest.mark.parametrize("title", TYPES)
def test_the_page_has_the_keys_of_the_type(title):
    assert documented_keys()[title] == keys_of_type(TYPES[title]) | BESIDES.get(title, set())


def test_the_page_has_every_command_with_the_option():
    titles = {title for title in documented_keys() if title.startswith("party ")}
    assert titles == {*TYPES, *MADE_OF_FINDINGS}
    having = {f"party {name}" for name, one in main.commands.items() if any("--json" in p.opts for p in one.params)}
    assert {" ".join(title.split()[:2]) for title in titles} == having


def test_a_key_that_the_page_lacks_is_found():
    document = {"command": "party x", "a": [{"b": 1, "c": {"k": 2}}], "d": None, "e": []}
    assert keys_of_document(document) == {"command", "a[].b", "a[].c.k"}
    assert undocumented(document, {"a[].b", "a[].c.*"}) == []
    assert undocumented(document, {"a[].c.*"}) == ["a[].b"]
