"""Limits count what the ledger has, over restarts, and a session that ended is counted with what it released."""

from datetime import UTC, datetime, timedelta

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.run import AlignmentSection, RunConfiguration, TrainingSection
from party.configuration.strict import validate
from party.errors import PolicyError, SessionLostError
from party.ledger.file import Ledger
from party.pb.handshake_pb2 import Purpose
from party.policy.admission import make_admission, record_start
from party.policy.limit_uses import LimitUse, limit_uses
from party.policy.requests import Release, SessionRequest
from tests.support.configuration_cases import feature_party, label_party

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COORDINATOR = "driver"
RUN_ID = bytes(16)


class Owner:
    """A party's ledger with its policy, and a clock that a test turns."""

    def __init__(self, folder, make=label_party, coordinators=None, **section):
        self.now = NOW
        self.folder = folder
        self.numbers = iter(range(10**6))
        self.content = make() | {"policy": section}
        if coordinators is not None:
            self.content["coordinators"] = coordinators
        self.begin()

    def begin(self):
        configuration = validate(PartyConfiguration, self.content, "x")
        self.coordinator = configuration.coordinators[0].name
        self.ledger = Ledger(self.folder / "state", lambda: self.now)
        self.admission = make_admission(
            configuration,
            self.ledger,
            now=lambda: self.now,
            random_bytes=lambda count: next(self.numbers).to_bytes(count, "big"),
        )
        record_start(self.ledger, "test")

    def uses(self):
        configuration = validate(PartyConfiguration, self.content, "x")
        return list(limit_uses(configuration, self.ledger.entries, self.now))

    def restart(self):
        self.ledger.close()
        self.begin()

    def ask(
        self, purpose, dataset="train", resume=False, run_id=RUN_ID, agreed=True, ended=None, held_out=None, **release
    ):
        run = RunConfiguration(
            parties=("bank", "shop"),
            label_party="bank",
            training=TrainingSection(dataset=dataset, validation_dataset=held_out),
            alignment=AlignmentSection(datasets=(dataset,)),
        )
        request = SessionRequest(
            coordinator=self.coordinator, purpose=purpose, run_id=run_id, run=run, dataset=dataset, resume=resume
        )
        grant = self.admission.admit(request)
        grant.reserve(Release(**{"rows": 10, **release}))
        if agreed:
            grant.agreed()
        if ended is not None:
            grant.ended("completed", ended)
        return grant


@pytest.fixture
def make_owner(tmp_path):
    owners = []

    def make(**arguments):
        owners.append(Owner(tmp_path, **arguments))
        return owners[-1]

    yield make
    for owner in owners:
        owner.ledger.close()


def refused(rule, owner, *arguments, **keywords):
    with pytest.raises(PolicyError, match=f"refused by policy.{rule}: ") as caught:
        owner.ask(*arguments, **keywords)
    if rule.startswith("maximum_"):
        assert str(caught.value).endswith(
            "its owner sees with `party ledger --limits` what used it up, and may raise it"
        )
    last = owner.ledger.entries[-1]
    assert (last.event, last.result) == ("refused", str(caught.value))


@pytest.mark.parametrize(
    ("purpose", "rule", "dataset"),
    [
        (Purpose.PURPOSE_TRAIN, "maximum_runs", "train"),
        (Purpose.PURPOSE_MEASURE, "maximum_measurements", "train"),
        (Purpose.PURPOSE_EVALUATE, "maximum_evaluations", "test"),
        (Purpose.PURPOSE_PREDICT, "maximum_predictions", "test"),
    ],
)
def test_sessions_of_each_purpose_are_counted_over_restarts(make_owner, purpose, rule, dataset):
    owner = make_owner(**{rule: 3})
    for number in range(3):
        owner.ask(purpose, dataset, run_id=bytes([number] * 16), ended={})
        owner.restart()
    refused(rule, owner, purpose, dataset, run_id=bytes([9] * 16))
    owner.now += timedelta(days=400)
    refused(rule, owner, purpose, dataset, run_id=bytes([9] * 16))


def table_owner():
    content = feature_party()
    del content["data"]["datasets"]
    content["data"]["tables"] = {"users": "users.csv"}
    return content


@pytest.mark.parametrize(
    ("purpose", "rule"),
    [(Purpose.PURPOSE_EVALUATE, "maximum_evaluations"), (Purpose.PURPOSE_PREDICT, "maximum_predictions")],
)
def test_new_names_of_datasets_are_no_new_limits_of_a_table(make_owner, purpose, rule):
    """The label party and the coordinator choose the names; the entities behind them are the same."""
    owner = make_owner(make=table_owner, **{rule: 3})
    for number in range(3):
        owner.ask(purpose, f"test{number}", ended={})
    refused(rule, owner, purpose, "another")
    owner.restart()
    refused(rule, owner, purpose, "yet-another")
    shown = {use.what: use.used for use in owner.uses()}
    assert shown[f"{'evaluate' if rule == 'maximum_evaluations' else 'predict'} on all datasets together"] == 3


def test_releases_of_an_entity_add_up_over_all_datasets(make_owner):
    owner = make_owner(make=table_owner, maximum_releases_per_row=4)
    for dataset in ("one", "two", "three"):
        owner.ask(Purpose.PURPOSE_EVALUATE, dataset, most={"hiddens": 10}, ended={"hiddens": 10})
    owner.ask(Purpose.PURPOSE_TRAIN, most={"hiddens": 10}, ended={"hiddens": 10})
    refused("maximum_releases_per_row", owner, Purpose.PURPOSE_EVALUATE, "four", most={"hiddens": 1})


@pytest.mark.parametrize("make", [label_party, feature_party, table_owner])
def test_a_run_that_holds_a_dataset_out_is_an_evaluation_of_it(make_owner, make):
    """Else its labels, which no run trains on, would be told in each of `maximum_runs` runs, after every epoch."""
    owner = make_owner(make=make, maximum_evaluations=3)
    train, evaluate = Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_EVALUATE
    owner.ask(evaluate, "test", ended={})
    for number in (1, 2):
        owner.ask(train, held_out="test", run_id=bytes([number] * 16), ended={})
        owner.ask(train, held_out="test", run_id=bytes([number] * 16), resume=True, ended={})
    refused("maximum_evaluations", owner, evaluate, "test")
    refused("maximum_evaluations", owner, train, held_out="test", run_id=bytes([9] * 16))
    owner.ask(Purpose.PURPOSE_MEASURE, held_out="test")  # tells no figures
    owner.ask(train, run_id=bytes([9] * 16))
    shown = {use.what: use.used for use in owner.uses() if use.what.startswith("evaluate on")}
    assert 3 in shown.values()


def test_who_may_not_evaluate_may_not_hold_a_dataset_out(make_owner):
    entry = {"name": COORDINATOR, "ca": "x.pem", "purposes": ["align", "train"]}
    owner = make_owner(coordinators=[entry])
    refused("coordinators.purposes", owner, Purpose.PURPOSE_TRAIN, held_out="test")
    owner.ask(Purpose.PURPOSE_TRAIN)


def test_a_run_that_goes_on_is_counted_as_a_restore(make_owner):
    owner = make_owner(maximum_runs=1, maximum_restores=2)
    owner.ask(Purpose.PURPOSE_TRAIN)
    owner.ask(Purpose.PURPOSE_TRAIN, resume=True)
    owner.ask(Purpose.PURPOSE_TRAIN, resume=True)
    refused("maximum_restores", owner, Purpose.PURPOSE_TRAIN, resume=True)
    owner.ask(Purpose.PURPOSE_TRAIN, resume=True, run_id=bytes([1] * 16))
    refused("maximum_runs", owner, Purpose.PURPOSE_TRAIN, run_id=bytes([2] * 16))


def test_what_never_was_agreed_is_no_run(make_owner):
    owner = make_owner(maximum_runs=1)
    for _ in range(4):
        owner.ask(Purpose.PURPOSE_TRAIN, agreed=False)
    owner.ask(Purpose.PURPOSE_TRAIN)
    refused("maximum_runs", owner, Purpose.PURPOSE_TRAIN)


def test_every_resumed_session_counts_but_those_of_training(make_owner):
    """`resume` is a flag of the coordinator's: it must not take an evaluation off the books."""
    owner = make_owner(maximum_evaluations=2)
    owner.ask(Purpose.PURPOSE_EVALUATE, "test", resume=True)
    owner.ask(Purpose.PURPOSE_EVALUATE, "test", resume=True)
    refused("maximum_evaluations", owner, Purpose.PURPOSE_EVALUATE, "test", resume=True)


def test_one_coordinator_cannot_use_up_the_day_of_another(make_owner):
    coordinators = [{"name": name, "ca": "x.pem"} for name in ("driver", "other")]
    owner = make_owner(coordinators=coordinators, maximum_sessions_per_day=2)
    for _ in range(2):
        owner.ask(Purpose.PURPOSE_ALIGN, agreed=False)
    refused("maximum_sessions_per_day", owner, Purpose.PURPOSE_ALIGN)
    owner.coordinator = "other"
    owner.ask(Purpose.PURPOSE_ALIGN, agreed=False)


def test_a_session_that_has_ended_is_not_agreed_on(make_owner):
    owner = make_owner()
    grant = owner.ask(Purpose.PURPOSE_EVALUATE, "test", agreed=False, ended={})
    with pytest.raises(SessionLostError, match="the session has ended"):
        grant.agreed()
    assert owner.ledger.entries[-1].event == "ended"


def test_limits_of_a_day_end_with_it(make_owner):
    owner = make_owner(maximum_alignments_per_day=2, maximum_sessions_per_day=5)
    owner.ask(Purpose.PURPOSE_ALIGN)
    owner.ask(Purpose.PURPOSE_ALIGN)
    refused("maximum_alignments_per_day", owner, Purpose.PURPOSE_ALIGN)
    for _ in range(3):
        owner.ask(Purpose.PURPOSE_EVALUATE, agreed=False)
    refused("maximum_sessions_per_day", owner, Purpose.PURPOSE_EVALUATE)
    owner.now += timedelta(days=1)
    owner.ask(Purpose.PURPOSE_ALIGN)


def test_released_rows_are_those_that_were_where_a_session_ended(make_owner):
    owner = make_owner(make=feature_party, maximum_releases_per_row=10)
    train = Purpose.PURPOSE_TRAIN
    owner.ask(train, most={"hiddens": 60}, ended={"hiddens": 20})
    owner.ask(train, most={"hiddens": 80}, ended={"hiddens": 10})
    refused("maximum_releases_per_row", owner, train, most={"hiddens": 71})
    owner.ask(train, most={"hiddens": 70})  # and is killed
    owner.restart()
    assert owner.ledger.entries[-2].result == "interrupted: the process ended"
    assert owner.ledger.entries[-2].releases == {"hiddens": 70}
    refused("maximum_releases_per_row", owner, train, most={"hiddens": 1})


def test_what_is_shown_of_a_limit_is_what_it_counts(make_owner):
    """Also where sessions read different numbers of rows, as after another alignment."""
    owner = make_owner(make=feature_party, maximum_releases_per_row=10)
    train = Purpose.PURPOSE_TRAIN
    for rows, released in ((30, 30), (30, 30), (30, 30), (7, 42)):  # 1 + 1 + 1 + 6
        owner.ask(train, rows=rows, most={"hiddens": released}, ended={"hiddens": released})
    refused("maximum_releases_per_row", owner, train, rows=3, most={"hiddens": 4})
    owner.ask(train, rows=3, most={"hiddens": 3}, ended={"hiddens": 2})
    shown = {use.what: use.used for use in owner.uses()}["hiddens and gradients per row of dataset train"]
    assert shown == pytest.approx(9 + 2 / 3)
    owner.ask(train, rows=3, most={"hiddens": 1})
    refused("maximum_releases_per_row", owner, train, rows=10**6, most={"hiddens": 1})


def test_returns_of_a_run_are_shown(make_owner):
    owner = make_owner(maximum_restores=2)
    owner.ask(Purpose.PURPOSE_TRAIN, run_id=bytes([0xCD] * 16))
    assert not any("returns" in use.what for use in owner.uses())
    for _ in range(2):
        owner.ask(Purpose.PURPOSE_TRAIN, run_id=bytes([0xAB] * 16), resume=True)
    assert LimitUse("returns of run abababab to a checkpoint", 2, 2) in owner.uses()
    refused("maximum_restores", owner, Purpose.PURPOSE_TRAIN, run_id=bytes([0xAB] * 16), resume=True)


def test_a_session_that_was_not_agreed_and_was_killed_released_nothing(make_owner):
    owner = make_owner(make=feature_party, maximum_releases_per_row=10)
    owner.ask(Purpose.PURPOSE_TRAIN, most={"hiddens": 100}, agreed=False)
    owner.restart()
    assert owner.ledger.entries[-2].releases == {}
    owner.ask(Purpose.PURPOSE_TRAIN, most={"hiddens": 100})


def test_labels_of_other_datasets_are_not_trained_on(make_owner):
    owner = make_owner()
    for purpose in (Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE):
        refused("training_datasets", owner, purpose, "test")
        refused("training_datasets", owner, purpose, "test", resume=True)
    owner.ask(Purpose.PURPOSE_EVALUATE, "test")


def test_a_coordinator_has_the_rights_that_its_entry_says(make_owner):
    entry = {"name": COORDINATOR, "ca": "x.pem", "purposes": ["align", "evaluate"], "datasets": ["test"]}
    owner = make_owner(coordinators=[entry])
    owner.ask(Purpose.PURPOSE_ALIGN, "test")
    owner.ask(Purpose.PURPOSE_EVALUATE, "test")
    refused("coordinators.purposes", owner, Purpose.PURPOSE_TRAIN)
    refused("coordinators.purposes", owner, Purpose.PURPOSE_PREDICT, "test")
    refused("coordinators.datasets", owner, Purpose.PURPOSE_ALIGN, "train")
    refused("coordinators.datasets", owner, Purpose.PURPOSE_EVALUATE, "train")
    owner.coordinator = "somebody"
    refused("coordinators", owner, Purpose.PURPOSE_ALIGN, "test")
