"""Makes the parts of an evaluation or a prediction: the model of a finished run, and the rows."""

from __future__ import annotations

from party.configuration.labels import Labels
from party.configuration.party import PartyConfiguration
from party.data.encoders import encoders_from_json
from party.data.known_labels import rows_with_labels
from party.data.text_columns import TextColumns
from party.errors import DataError, SessionError
from party.models.assembly import TEACHER, PartyModels
from party.models.packing import PackedFeatures, pack
from party.pb.handshake_pb2 import Purpose
from party.protocol.schedule import InferenceSchedule
from party.runtime.batch_setup import BatchSetup, private_labels
from party.runtime.column_keys import column_protection
from party.runtime.common_rows import common_rows
from party.runtime.fingerprint import PRIVATE_COLUMNS, column_fingerprint
from party.runtime.left_out import require_learned_absences
from party.runtime.metric_groups import metric_groups
from party.runtime.proposal import Opening
from party.runtime.records import ENCODERS_FILE, RunRecord
from party.runtime.run_origin import known_run
from party.runtime.session_labels import prepare_labels
from party.runtime.session_rows import SessionRows
from party.runtime.shuffled_columns import with_shuffled
from party.security.files import read_private


def inference_setup(opening: Opening) -> BatchSetup:
    """Makes the parts of an evaluation or a prediction.

    Args:
        opening: the granted proposal.

    Raises:
        PolicyError: the run belongs to another coordinator, or there are fewer rows than the owner requires.
        SessionError: the model never learned to do without a party that is left out, or that lacks some rows.
        SplitError: the run does not exist, or the data does not fit it.
    """
    configuration, dataset = opening.context.configuration, opening.proposal.dataset
    if dataset in configuration.data.unlabelled and opening.proposal.purpose != Purpose.PURPOSE_PREDICT:
        raise DataError(
            f"dataset {dataset} has no labels: it can only be predicted",
            where=configuration.party,
            fix="name another --dataset",
            public_message=f"dataset {dataset} has no labels: it can only be predicted; name another --dataset",
        )
    record = _trained_run(opening)
    _check_labels(record, configuration)
    _check_columns(record, configuration)
    rows = SessionRows(common_rows(opening.context, opening.run.parties, dataset))
    columns = rows.columns()
    if configuration.holds_labels:
        require_learned_absences(opening, record, rows)
        _check_metric_rows(opening, columns)
    packed = with_shuffled(opening, _encoded(opening, rows, columns))
    models = PartyModels(record.base, record.fuse, configuration.folder)
    models.load(opening.folder)
    teacher = None
    if private_labels(configuration.data.labels) and opening.proposal.purpose != Purpose.PURPOSE_PREDICT:
        teacher = PartyModels(record.base, record.fuse, configuration.folder, head=TEACHER)
        teacher.load(opening.folder)
    labels = prepare_labels(opening, rows)
    row_key = bytes.fromhex(record.row_key) if rows.by_entity else b""
    return BatchSetup(
        opening=opening,
        rows=rows,
        schedule=InferenceSchedule(len(rows), opening.run.training.evaluation_batch_size, row_key),
        row_key=row_key,
        read_labels=labels.read,
        protection=labels.protection or column_protection(configuration, rows.table),
        models=models,
        teacher=teacher,
        packed=packed,
        metric_groups=metric_groups(opening, columns),
        record=record,
        away=frozenset(opening.proposal.without if configuration.holds_labels else ()),
    )


def _check_metric_rows(opening: Opening, columns: TextColumns) -> None:
    """Refuses metrics over too few rows: of an evaluation, those that have a label count."""
    dataset, data = opening.proposal.dataset, opening.context.configuration.data
    count, what = columns.count, f"rows of dataset {dataset}"
    if data.unlabelled_rows == "drop" and opening.proposal.purpose == Purpose.PURPOSE_EVALUATE:
        count, what = int(rows_with_labels(data.labels, columns).sum()), f"{what} with a label"
    opening.grant.check_metric_rows(count, what)


def _trained_run(opening: Opening) -> RunRecord:
    """The record of a finished training run, checked against the proposal."""
    record = known_run(opening)
    where = f"{opening.context.party}: run {opening.run_id.hex()[:8]}"
    if record is None:
        raise SessionError("no such run here", where=where, fix="train first, or name another --run")
    if record.state != "trained":
        raise SessionError("the run did not finish training", where=where, fix="resume it, or train again")
    return record


def _check_labels(record: RunRecord, configuration: PartyConfiguration) -> None:
    """Refuses labels that the model was not trained for; metrics and weights may differ."""
    if record.fuse is None:
        return
    trained, present = record.fuse.labels, configuration.data.labels
    _check_privacy(trained, configuration)
    same = [(name, label.kind, label.units) for name, label in trained.items()] == [
        (name, label.kind, label.units) for name, label in present.items()
    ]
    if not same:
        raise SessionError(
            "data.labels differ from those that the run was trained with",
            where=configuration.party,
            expected=", ".join(trained),
            received=", ".join(present),
            fix="restore the configuration or train anew",
        )


def _check_privacy(trained: Labels, configuration: PartyConfiguration) -> None:
    """Refuses other private labels than the run was trained with, as its teacher would tell of the others."""
    before, now = (private_labels(labels) for labels in (trained, configuration.data.labels))
    if before != now:
        raise SessionError(
            "privacy of data.labels differs from what the run was trained with",
            where=configuration.party,
            expected=", ".join(f"{name} private" for name in before) or "no private label",
            received=", ".join(f"{name} private" for name in now) or "no private label",
            fix="restore the configuration or train anew",
        )


def _check_columns(record: RunRecord, configuration: PartyConfiguration) -> None:
    """Refuses other private columns than the run was trained with: its weights would tell of the others."""
    if record.fingerprint.get(PRIVATE_COLUMNS) != column_fingerprint(configuration).get(PRIVATE_COLUMNS):
        raise SessionError(
            "privacy.columns differs from what the run was trained with",
            where=configuration.party,
            fix="restore the configuration or train anew",
        )


def _encoded(opening: Opening, rows: SessionRows, columns: TextColumns) -> PackedFeatures | None:
    """All rows, encoded as in training."""
    features = opening.context.configuration.data.features
    if not features:
        return None
    text = read_private(opening.folder / ENCODERS_FILE).decode()
    return pack(encoders_from_json(text, features).encode(columns, rows.source))
