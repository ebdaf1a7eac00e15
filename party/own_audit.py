"""`party audit`: what a party's own recording says that a run gave away of its secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from party import __version__
from party.audit.complete_recording import complete_recording
from party.audit.meters.targets import Target, of_classes, of_numbers
from party.audit.received_file import ReceivedFile
from party.audit.received_header import MessageName
from party.audit.recording import SENT_FOLDER, read_conditions, read_ids
from party.audit.report.audit_part import AuditPart, OwnEvaluation
from party.audit.report.audit_row import AuditRow
from party.audit.report.audited_run import ProtectionName, RunConditions
from party.audit.report.spending import LedgerTotals, SpentSecret
from party.audit.sent_rows import (
    ColumnSecrets,
    Guarantee,
    Hijack,
    column_rows,
    label_rows,
    membership_row,
    noting_other_sessions,
)
from party.audit.truth import rows_of, truth_columns, truth_of
from party.configuration.labels import RegressionLabel
from party.configuration.party import PartyConfiguration
from party.data.labels import read_labels
from party.data.table import Table
from party.errors import StorageError
from party.ledger.account import Account, charges_by_session
from party.ledger.entry import Kind, LedgerEntry
from party.ledger.file import RUNS_FOLDER, read_ledger
from party.ledger.tally import Tally
from party.runtime.audited_files import audited_rows, differs
from party.runtime.fingerprint import PRIVATE_COLUMNS, column_fingerprint, label_fingerprint
from party.runtime.own_figures import EVALUATIONS_FILE
from party.runtime.records import RunRecord, RunRecords
from party.runtime.simulated_hijack import SimulatedHijack
from party.security.files import read_private

RECORD_FIX = "train with `audit: {record: true}` in the party's file"


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """A run of this party, with what was recorded of it.

    Attributes:
        configuration: the party's configuration, as it is now.
        record: the run's record.
        folder: the run's folder.
        conditions: the run as it began.
    """

    configuration: PartyConfiguration
    record: RunRecord
    folder: Path
    conditions: RunConditions

    @property
    def sent(self) -> Path:
        """The folder with what this party sent."""
        return self.folder / SENT_FOLDER

    def epsilon(self, name: ProtectionName) -> float | None:
        """Epsilon of a protection that was configured; None without it."""
        return next((one.epsilon for one in self.conditions.protections if one.name == name), None)

    def has(self, name: ProtectionName) -> bool:
        """Whether a protection was configured."""
        return any(one.name == name for one in self.conditions.protections)


def audit_part(configuration: PartyConfiguration, run_id: str | None, *, seed: int, now: datetime) -> AuditPart:
    """Audits a run of a party.

    Args:
        configuration: the party's configuration.
        run_id: id of the run, possibly shortened; None for the latest one.
        seed: of the attackers' choices.
        now: the current time, with a time zone.

    Raises:
        DataError: the files or their settings are not those of the run any more.
        SplitError: a file cannot be read.
        StorageError: the run was not recorded.
    """
    run = recorded_run(configuration, run_id)
    entries = read_ledger(configuration.path(configuration.state))
    spent = ledger_totals(entries, configuration.label_party, run.record.run_id)
    epsilon = run.epsilon("private labels" if configuration.holds_labels else "private columns")
    return AuditPart(
        party=configuration.party,
        made_at=now.isoformat(timespec="seconds"),
        made_with=__version__,
        seed=seed,
        conditions=run.conditions,
        rows=tuple(noting_other_sessions(own_rows(run, seed), spent.all_runs, epsilon)),
        spent=spent,
        evaluation=last_evaluation(run.folder),
    )


def recorded_run(configuration: PartyConfiguration, run_id: str | None) -> RecordedRun:
    """Finds a finished run and what was recorded of it.

    Args:
        configuration: the party's configuration.
        run_id: id of the run, possibly shortened; None for the latest one.

    Raises:
        SessionError: there is no such run.
        StorageError: it was not recorded, or its recording is of another run.
    """
    records = RunRecords(configuration.path(configuration.state) / RUNS_FOLDER, configuration.party)
    record = records.find_trained(run_id)
    folder = records.folder(bytes.fromhex(record.run_id))
    where = f"{configuration.party}: run {record.run_id[:8]}"
    if not (folder / SENT_FOLDER).exists():
        raise StorageError("was not recorded, so there is nothing to audit", where=where, fix=RECORD_FIX)
    conditions = read_conditions(folder / SENT_FOLDER)
    if (conditions.run.run_id, conditions.run.configuration_sha256) != (record.run_id, record.configuration_sha256):
        raise StorageError("its recording is of another run", where=where, fix=RECORD_FIX)
    return RecordedRun(configuration=configuration, record=record, folder=folder, conditions=conditions)


def own_rows(run: RecordedRun, seed: int) -> list[AuditRow]:
    """The rows of the table that this party can fill in.

    Args:
        run: the run.
        seed: of the attackers' choices.
    """
    configuration = run.configuration
    ids = read_ids(run.sent, run.conditions.run.dataset)
    made: list[AuditRow] = []
    if configuration.holds_labels:
        _require(run, label_fingerprint(configuration))
        targets = label_targets(run, ids)
        guarantee = Guarantee(epsilon=run.epsilon("private labels"))
        for sent in sent_in_training(run, "gradient"):
            made += label_rows(sent, targets, guarantee, seed=seed)
    else:
        _require(run, {PRIVATE_COLUMNS: column_fingerprint(configuration).get(PRIVATE_COLUMNS)})
        others = len(run.conditions.run.parties) - 2 if run.has("masked sums") else 0
        guarantee = Guarantee(epsilon=run.epsilon("private columns"), masked_with=others)
        secrets = column_secrets(run, ids)
        for sent in sent_in_training(run, "hidden"):
            made += column_rows(sent, secrets, guarantee, seed=seed, hijack=_hijack(run, ids, seed))
    return [*made, membership_row([name for name in run.conditions.run.parties if name != configuration.party])]


def sent_in_training(run: RecordedRun, kind: MessageName) -> list[ReceivedFile]:
    """All that this party sent to each peer.

    Args:
        run: the run.
        kind: what this party sends.

    Raises:
        StorageError: a peer's file is missing, or batches are.
    """
    about, party = run.conditions.run, run.configuration.party
    receivers = about.parties if about.label_party == party else (about.label_party,)
    others = [name for name in receivers if name != party]
    where = f"{party}: run {run.record.run_id[:8]}"
    return complete_recording(run.sent, kind, others, steps=run.record.steps, where=where)


def _hijack(run: RecordedRun, ids: list[str], seed: int) -> Hijack | None:
    """Simulates a label party that lies; None with private columns, whose draws only the serving party makes."""
    configuration = run.configuration
    if run.has("private columns"):
        return None
    table = _table(run, sorted(configuration.data.feature_columns))
    simulated = SimulatedHijack(configuration, run.record, run.folder, table=table, rows=rows_of(table, ids))
    batch_size = run.conditions.run.batch_size
    return lambda secret, known: simulated.hiddens(secret, known, batch_size=batch_size, seed=seed)


def label_targets(run: RecordedRun, ids: list[str]) -> list[Target]:
    """What an attacker could tell apart of every label.

    Args:
        run: the run, at the label party.
        ids: sample ids in the common order.
    """
    configuration = run.configuration
    table = _table(run, [label.source for label in configuration.data.labels.values()])
    frame = table.aligned(rows_of(table, ids))
    data = configuration.data.model_copy(update={"sample_weight": None})
    values = np.nan_to_num(read_labels(configuration.party, data, frame, table.path.name).values)
    return [
        target
        for place, (name, label) in enumerate(configuration.data.labels.items())
        for target in (
            of_numbers(name, values[:, place])
            if isinstance(label, RegressionLabel)
            else of_classes(name, values[:, place].astype(np.int64))
        )
    ]


def column_secrets(run: RecordedRun, ids: list[str]) -> ColumnSecrets:
    """The secrets that the owner names, and which of them an epsilon bounds.

    Columns are drawn once for each entity of `privacy.columns`. An entity of the audit that has several of those, as a
    user has rows, has several draws, which together tell more than the epsilon allows for one.

    Args:
        run: the run, at a feature party.
        ids: sample ids in the common order.
    """
    section, private = run.configuration.audit, run.configuration.privacy.columns
    table = _table(run, truth_columns(section.secrets, section.entity))
    truth = truth_of(table, ids, section.secrets, section.entity)
    columns = truth_columns(section.secrets, None)
    protected = private.columns if private is not None and section.entity in (None, private.entity) else ()
    names = (name for name, column in zip(section.secrets, columns, strict=True) if column in protected)
    return ColumnSecrets(truth=truth, private=frozenset(names))


def ledger_totals(entries: list[LedgerEntry], label_party: str, run_id: str) -> LedgerTotals:
    """What a ledger says was spent, by a run and by all of them.

    Args:
        entries: all lines.
        label_party: name of the label party.
        run_id: id of the run, hexadecimal.
    """
    of_run = [entry for entry in entries if entry.run_id == run_id]
    tally, releases = Tally(of_run), dict[Kind, int]()
    for entry in tally.agreed():
        for kind, count in tally.released(entry).items():
            releases[kind] = releases.get(kind, 0) + count
    return LedgerTotals(
        run=_spent(of_run, label_party),
        all_runs=_spent(entries, label_party),
        releases={str(kind): count for kind, count in sorted(releases.items())},
        lines=len(entries),
        last_digest=entries[-1].digest if entries else "",
    )


def last_evaluation(folder: Path) -> OwnEvaluation | None:
    """The latest evaluation of a run; None without one, and at a feature party.

    Args:
        folder: the run's folder.

    Raises:
        StorageError: the file cannot be read.
    """
    path = folder / EVALUATIONS_FILE
    if not path.exists():
        return None
    line = json.loads(read_private(path).splitlines()[-1])
    return OwnEvaluation(
        dataset=line["dataset"],
        at=line["at"],
        rows=line["rows"],
        metrics={name: None if value is None else float(value) for name, value in line["metrics"].items()},
    )


def _spent(entries: list[LedgerEntry], label_party: str) -> tuple[SpentSecret, ...]:
    charges = [charge for made in charges_by_session(entries, label_party).values() for charge in made]
    account = Account(charges)
    return tuple(
        SpentSecret(
            secret=secret,
            epsilon=float(account.of_mechanisms(secret)),
            is_exact=account.is_exact(secret),
            receivers=account.receivers(secret),
        )
        for secret in account.secrets
    )


def _table(run: RecordedRun, columns: list[str]) -> Table:
    """The run's rows with the true cells: those to train on, then those held out."""
    datasets = (run.conditions.run.dataset, run.conditions.validation_dataset)
    return audited_rows(run.configuration, run.record, datasets, columns)


def _require(run: RecordedRun, present: Mapping[str, str | None]) -> None:
    """Refuses an audit by other data or settings than those of the run."""
    differing = sorted(name for name, digest in present.items() if run.record.fingerprint.get(name) != digest)
    if differing:
        raise differs(run.configuration, run.record, differing[0])
