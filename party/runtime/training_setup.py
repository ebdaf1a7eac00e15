"""Makes the parts of a training session: rows, their order, encoders, models and the record of the run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from party.configuration.labels import group_columns
from party.configuration.large_tables import LARGE_TABLE_ROWS, moves_every_row
from party.cut.hidden import HiddenSpec
from party.data.encoders import fit_encoders
from party.data.groups import row_groups
from party.data.known_labels import rows_with_labels
from party.data.text_columns import TextColumns
from party.errors import one_line
from party.models.assembly import TEACHER, PartyModels, base_layout
from party.models.packing import PackedFeatures, pack
from party.protocol.miniature import MiniatureSchedule
from party.protocol.schedule import TrainingSchedule
from party.runtime.absence import parties_to_do_without
from party.runtime.batch_setup import BatchSetup, private_labels
from party.runtime.column_keys import column_protection
from party.runtime.continued_run import ContinuedRun, continued_run
from party.runtime.label_scales import label_scales
from party.runtime.masked_sums import require_sums
from party.runtime.metric_groups import metric_groups
from party.runtime.proposal import Opening
from party.runtime.records import RunRecord
from party.runtime.run_origin import bound_to_draws, run_record
from party.runtime.session_labels import prepare_labels
from party.runtime.session_rows import SessionRows, training_rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSetup:
    """The parts of a session that trains.

    Attributes:
        batches: the setup of its batches.
        schedule: the session's schedule.
        whole: schedule of the whole run, of which a measuring session runs a miniature.
        encoders_json: the features' encoders as JSON; empty without features.
    """

    batches: BatchSetup
    schedule: TrainingSchedule
    whole: TrainingSchedule
    encoders_json: str


def training_setup(opening: Opening, former: RunRecord | None) -> TrainingSetup:
    """Makes the parts of a training run.

    Args:
        opening: the granted proposal.
        former: record of the run if it began earlier; otherwise None.

    Raises:
        PolicyError: the owner does not allow its schedule.
        SplitError: the data, or something that a resumed run depends on, does not fit.
    """
    rows, row_key = _ordered_rows(opening, former)
    schedule = _read_as(rows, TrainingSchedule(opening.run.training, len(rows.first), row_key, rows.held_out_rows))
    opening.grant.check_training(schedule)
    _warn_of_split_negatives(opening, rows)
    return _setup(opening, former, rows=rows, row_key=row_key, whole=schedule, schedule=schedule)


def measuring_setup(opening: Opening, former: RunRecord | None) -> TrainingSetup:
    """Makes the parts of a run in miniature; encoders are fitted on the training rows of the whole run.

    Args:
        opening: the granted proposal.
        former: record of the run if it began earlier; otherwise None.

    Raises:
        PolicyError: the owner does not allow the schedule of the whole run, or of its miniature.
        SplitError: the data does not fit.
    """
    rows, row_key = _ordered_rows(opening, former)
    training = opening.run.training
    # The planner shortens the run by `maximum_steps`.
    unlimited = training.model_copy(update={"maximum_steps": None})
    whole = _read_as(rows, TrainingSchedule(unlimited, len(rows.first), row_key, rows.held_out_rows))
    opening.grant.check_training(whole)
    miniature = _read_as(rows, MiniatureSchedule(training, len(rows.first), row_key, rows.held_out_rows))
    opening.grant.check_training(miniature)
    return _setup(opening, former, rows=rows, row_key=row_key, whole=whole, schedule=miniature)


def complete_models(setup: BatchSetup, specs: Mapping[str, tuple[HiddenSpec, ...]]) -> None:
    """Adds the label party's fuse model, for every head, and draws the initial weights of its models.

    Args:
        setup: the label party's setup of the session.
        specs: specs of the hiddens by party, this one included.

    Raises:
        HandshakeError: the hiddens do not fit together, or do not fit the fuse model.
    """
    configuration = setup.opening.context.configuration
    section = configuration.fuse_model
    if section is None:
        raise RuntimeError("a label party without a fuse model passed validation")
    summed, scales = setup.opening.run.training.secure_aggregation, label_scales(setup)
    absent = parties_to_do_without(setup.opening)
    for models in setup.heads:
        models.add_fuse(section, configuration.data.labels, specs, summed=summed, absent=absent, scales=scales)
    _draw_weights(setup)


def _ordered_rows(opening: Opening, former: RunRecord | None) -> tuple[SessionRows, bytes]:
    """The rows and the key of their order; a resumed run keeps its key, even if rows were aligned anew."""
    rows = training_rows(opening)
    if former is not None:
        return rows, bytes.fromhex(former.row_key)
    return rows, rows.first.alignment.row_secret.run_key(opening.run_id, opening.run.training.seed)


def _read_as(rows: SessionRows, schedule: TrainingSchedule) -> TrainingSchedule:
    return schedule.by_entity() if rows.by_entity else schedule


def _setup(
    opening: Opening,
    former: RunRecord | None,
    *,
    rows: SessionRows,
    row_key: bytes,
    whole: TrainingSchedule,
    schedule: TrainingSchedule,
) -> TrainingSetup:
    configuration = opening.context.configuration
    columns = rows.columns()
    _check_known_labels(opening, rows)
    continued = continued_run(opening, former)
    packed, encoders_json = _encoded(opening, rows, columns, whole=whole, continued=continued)
    models = _base_models(opening, packed)
    teacher = None
    if private_labels(configuration.data.labels):
        teacher = PartyModels(models.base_layout, folder=configuration.folder, head=TEACHER)
    record = run_record(opening, former, rows, row_key, continued=continued)
    labels = prepare_labels(opening, rows)
    record = bound_to_draws(record, former, labels.draws, configuration.party)
    batches = BatchSetup(
        opening=opening,
        rows=rows,
        schedule=schedule,
        training=whole,
        row_key=row_key,
        models=models,
        packed=packed,
        groups=_groups(opening, rows, columns, whole),
        metric_groups=metric_groups(opening, columns),
        teacher=teacher,
        read_labels=None if labels.read is None else cache(labels.read),  # for their scales, and to train
        record=record,
        continued=continued,
        protection=labels.protection or column_protection(configuration, rows.table),
    )
    if not configuration.holds_labels:
        _draw_weights(batches)
    return TrainingSetup(batches, schedule, whole, encoders_json)


def _check_known_labels(opening: Opening, rows: SessionRows) -> None:
    """Refuses to validate by too few rows: of a dataset in which some have no label, those that have one count."""
    configuration = opening.context.configuration
    if configuration.holds_labels and rows.held_out is not None:
        count = int(rows_with_labels(configuration.data.labels, rows.held_out.columns()).sum())
        opening.grant.check_metric_rows(count, f"rows of dataset {rows.held_out.dataset} with a label")


def _warn_of_split_negatives(opening: Opening, rows: SessionRows) -> None:
    """Warns of ranked figures over held-out rows that were chosen one by one."""
    labels = opening.context.configuration.data.labels
    if rows.negatives.dataset and opening.run.training.validation_fraction and group_columns(labels):
        logger.warning(
            "training.validation_fraction holds out single rows, positives without their sampled negatives: for figures"
            " of groups, hold out another dataset by training.validation_dataset"
        )


def _encoded(
    opening: Opening,
    rows: SessionRows,
    columns: TextColumns,
    *,
    whole: TrainingSchedule,
    continued: ContinuedRun | None,
) -> tuple[PackedFeatures | None, str]:
    """All rows, encoded by encoders that were fitted on the training rows alone, and these encoders.

    A run that continues another has its encoders: its weights belong to them.
    """
    configuration = opening.context.configuration
    if not configuration.data.features:
        return None, ""
    if continued is not None:
        return pack(continued.encoders(opening).encode(columns, rows.source)), continued.encoders_json()
    training = columns.take(rows.own_numbers(whole.training_rows))
    encoders = fit_encoders(
        configuration.party, configuration.data.features, training, rows.source, warn=_warn_of_training_rows
    )
    return pack(encoders.encode(columns, rows.source)), encoders.to_json()


def _warn_of_training_rows(remark: str) -> None:
    logger.warning("training rows: %s", one_line(remark))


def _groups(
    opening: Opening, rows: SessionRows, columns: TextColumns, whole: TrainingSchedule
) -> npt.NDArray[np.int32] | None:
    """The groups of all own rows, or entities, that hiddens must not go with; None without a penalty."""
    section = opening.context.configuration.privacy.decorrelate
    if section is None:
        return None
    training = rows.own_numbers(whole.training_rows)
    return row_groups(columns, section.columns, training, f"{opening.context.party}: {rows.source}")


def _base_models(opening: Opening, packed: PackedFeatures | None) -> PartyModels:
    configuration = opening.context.configuration
    section, folder = configuration.base_model, configuration.folder
    if section is None or packed is None:
        return PartyModels(None, folder=folder)
    optimizer = (configuration.optimizer or opening.run.training.optimizer).name
    if packed.size > LARGE_TABLE_ROWS and moves_every_row(optimizer):
        logger.warning(
            "the embedding table has %d rows: %s moves all of them in every step, lazy_adam only those of the batch",
            packed.size,
            optimizer,
        )
    summed = opening.run.training.secure_aggregation
    models = PartyModels(base_layout(section, packed, folder, summed=summed), folder=folder)
    if summed:
        require_sums(configuration.party, models.specs)
    return models


def _draw_weights(setup: BatchSetup) -> None:
    """Draws weights and states of dropout; a run that continues another has that one's weights."""
    for models in setup.heads:
        models.draw(bytes.fromhex(setup.record.secret), setup.opening.run.training.seed)
        if setup.continued is not None:
            setup.continued.load(models)
