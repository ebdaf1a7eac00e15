"""A grant is the way to every rule, and writes its refusals: of a request before the session opens, of it after."""

from datetime import UTC, datetime, timedelta

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.run import CodecsSection, RunConfiguration, TrainingSection
from party.configuration.strict import validate
from party.cut.hidden import Aggregation, HiddenSpec
from party.errors import PolicyError
from party.ledger.file import Ledger
from party.pb.handshake_pb2 import Purpose
from party.policy import session_lines
from party.policy.admission import make_admission
from party.policy.limit_uses import LimitUse, limit_uses
from party.policy.metric_rules import MetricRules
from party.policy.requests import Release, SessionRequest
from party.protocol.schedule import TrainingSchedule
from tests.support.configuration_cases import feature_party, label_party

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPECS = [HiddenSpec("linear", 1, Aggregation.SUM)]


class Owner:
    """A party's admission by one policy, with a real ledger and a clock that a test turns."""

    def __init__(self, folder, make=label_party, **section):
        self.now = NOW
        self.configuration = validate(PartyConfiguration, make() | {"policy": section}, "x")
        self.ledger = Ledger(folder / "state", lambda: self.now)
        self.admission = make_admission(self.configuration, self.ledger, now=lambda: self.now, random_bytes=bytes)

    def request(self, purpose=Purpose.PURPOSE_TRAIN, **changes):
        fields = {
            "coordinator": self.configuration.coordinators[0].name,
            "purpose": purpose,
            "run_id": bytes(16),
            "run": RunConfiguration(
                parties=("bank", "shop"), label_party="bank", training=TrainingSection(batch_size=10)
            ),
            "dataset": "test",
            "resume": False,
        }
        return SessionRequest(**fields | changes)

    def grant(self, **changes):
        return self.admission.admit(self.request(**changes))

    def events(self):
        return [(entry.event, bool(entry.session)) for entry in self.ledger.entries]


@pytest.fixture
def make_owner(tmp_path):
    owners = []

    def make(**arguments):
        owners.append(Owner(tmp_path, **arguments))
        return owners[-1]

    yield make
    for owner in owners:
        owner.ledger.close()


def test_nothing_is_written_before_it_is_known_what_would_be_released(make_owner):
    owner = make_owner()
    grant = owner.grant()
    assert owner.events() == []
    grant.reserve(Release(rows=5, epochs=2, codecs={"hidden": "int8"}, most={"gradients": 10}))
    grant.agreed()
    grant.ended("completed", {"gradients": 8})
    assert owner.events() == [("opened", True), ("agreed", True), ("ended", True)]
    opened, agreed, ended = owner.ledger.entries
    assert {(one.rows, one.epochs, one.codecs["hidden"]) for one in (opened, agreed, ended)} == {(5, 2, "int8")}
    assert (opened.releases, agreed.releases, ended.releases) == ({}, {"gradients": 10}, {"gradients": 8})


def test_a_refusal_is_written_for_the_request_before_and_for_the_session_after_it_is_opened(make_owner):
    owner = make_owner(allowed_aggregations=["concat"])
    grant = owner.grant()
    with pytest.raises(PolicyError, match="allowed_aggregations"), grant.recording_refusals():
        grant.check_outputs(SPECS, "shop")
    grant.reserve(Release(rows=5))
    with pytest.raises(PolicyError, match="allowed_aggregations"), grant.recording_refusals():
        grant.check_outputs(SPECS, "shop")
    with pytest.raises(PolicyError, match="minimum_metric_rows"), grant.recording_refusals():
        grant.check_metric_rows(1, "rows of x")
    assert owner.events() == [("refused", False), ("opened", True), ("refused", True)]
    assert all("policy.allowed_aggregations" in one.result for one in owner.ledger.entries[::2])


def test_a_coordinator_that_asks_for_too_much_does_not_fill_the_ledger(make_owner, monkeypatch):
    monkeypatch.setattr(session_lines, "REFUSALS_WRITTEN_PER_DAY", 2)
    owner = make_owner(training_datasets=[])

    def ask():
        with pytest.raises(PolicyError, match="training_datasets"):
            owner.grant()

    for _ in range(4):
        ask()
    assert owner.events() == [("refused", False)] * 2
    owner.now += timedelta(days=1)
    ask()
    assert owner.events() == [("refused", False)] * 3


def test_refusals_of_open_sessions_count_like_those_of_requests(make_owner, monkeypatch):
    monkeypatch.setattr(session_lines, "REFUSALS_WRITTEN_PER_DAY", 2)
    owner = make_owner(allowed_aggregations=["concat"])
    for _ in range(3):
        grant = owner.grant()
        grant.reserve(Release(rows=5))
        with pytest.raises(PolicyError, match="allowed_aggregations"), grant.recording_refusals():
            grant.check_outputs(SPECS, "shop")
        grant.ended("refused", {})
        with pytest.raises(PolicyError, match="allowed_aggregations"), grant.recording_refusals():
            grant.check_outputs(SPECS, "shop")
    whole = [("opened", True), ("refused", True), ("ended", True)]
    assert owner.events() == [*whole, *whole, ("opened", True), ("ended", True)]


def test_a_grant_has_the_rules_of_its_owner(make_owner):
    owner = make_owner(
        minimum_metric_rows=40,
        running_metrics=True,
        allowed_codecs=["float32", "int8"],
        minimum_intersection=3,
        maximum_peer_rows=9,
        maximum_epochs=2,
        share_schema=True,
    )
    grant = owner.grant()
    assert grant.metrics == MetricRules(minimum_rows=40, running=True, exact=False)
    assert (grant.allows_codec("int8"), grant.allows_codec("int4")) == (True, False)
    assert owner.admission.shares_schema
    assert (grant.alignment.minimum_intersection, grant.alignment.maximum_peer_rows) == (3, 9)
    with pytest.raises(PolicyError, match="minimum_metric_rows: rows of x; expected at least 40; received 39"):
        grant.check_metric_rows(39, "rows of x")
    grant.check_metric_rows(40, "rows of x")


def test_a_grant_checks_training_of_the_run_that_it_was_asked_for(make_owner):
    owner = make_owner(maximum_epochs=2, minimum_metric_rows=1, allowed_codecs=["float32"])
    for training, rule in (
        (TrainingSection(epochs=3), "maximum_epochs"),
        (TrainingSection(codecs=CodecsSection(hidden={"kind": "int8"})), "allowed_codecs"),
    ):
        run = RunConfiguration(parties=("bank", "shop"), label_party="bank", training=training)
        with pytest.raises(PolicyError, match=f"policy.{rule}"):
            owner.grant(run=run).check_training(TrainingSchedule(training, 100, bytes(32)))
    fitting = owner.request().run.training.model_copy(update={"epochs": 2})
    run = owner.request().run.model_copy(update={"training": fitting})
    owner.grant(run=run).check_training(TrainingSchedule(fitting, 100, bytes(32)))


def test_a_run_stays_its_coordinators(make_owner):
    grant = make_owner().grant(run_id=bytes.fromhex("ab" * 16))
    grant.check_run_owner("driver")
    with pytest.raises(PolicyError) as caught:
        grant.check_run_owner("somebody")
    assert str(caught.value) == (
        "bank: run abababab: refused by policy.coordinators: the run is another coordinator's;"
        " expected the coordinator that began it"
    )


@pytest.mark.parametrize(("rows", "refused"), [(9, False), (10, True)])
def test_rows_of_a_peer(make_owner, rows, refused):
    rules = make_owner(maximum_peer_rows=9).grant(purpose=Purpose.PURPOSE_ALIGN).alignment
    if not refused:
        rules.check_peer_rows("train", "shop", rows)
        return
    with pytest.raises(
        PolicyError, match=r"policy\.maximum_peer_rows of party bank refuses.*at most 9.*received 10 rows"
    ):
        rules.check_peer_rows("train", "shop", rows)


@pytest.mark.parametrize(("rows", "refused"), [(3, False), (2, True)])
def test_rows_in_common(make_owner, rows, refused):
    rules = make_owner(minimum_intersection=3).grant(purpose=Purpose.PURPOSE_ALIGN).alignment
    if not refused:
        rules.check_intersection("train", rows)
        return
    with pytest.raises(PolicyError, match=r"policy\.minimum_intersection of party bank.*at least 3.*received 2 rows"):
        rules.check_intersection("train", rows)


def test_what_is_used_of_the_limits_is_what_was_granted(make_owner):
    owner = make_owner(make=feature_party, maximum_runs=5, maximum_releases_per_row=7, maximum_sessions_per_day=6)
    grant = owner.grant()
    grant.reserve(Release(rows=10, most={"hiddens": 30}))
    grant.agreed()
    uses = list(limit_uses(owner.configuration, owner.ledger.entries, owner.now))
    assert LimitUse(f"sessions of {owner.request().coordinator} within 24 hours", 1, 6) in uses
    assert LimitUse("train on dataset train", 1, 5) in uses
    assert LimitUse("hiddens and gradients per row of dataset train", 3.0, 7) in uses


def test_no_text_of_a_caller_makes_a_line_long(make_owner):
    owner = make_owner()
    hostile = {"coordinator": "\x1b" * 10**6, "run_id": bytes(10**6), "dataset": "[/x]\x1b" * 10**6}
    with pytest.raises(PolicyError, match="coordinators"):
        owner.grant(purpose=Purpose.PURPOSE_EVALUATE, **hostile)
    (refused,) = owner.ledger.entries
    assert refused.event == "refused"
    assert "\x1b" not in refused.datasets[0]
    assert len(refused.to_line()) < 2000
