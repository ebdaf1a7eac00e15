"""Prepares the labels of a session: reads them and, where they are private, finds what they are drawn with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from party.configuration.budgets import SecretName
from party.data.drawn_labels import DrawSource, draw_labels
from party.data.labels import (
    LabelArrays,
    SessionLabels,
    check_classes,
    read_labels,
    read_sample_weights,
    weighted_labels,
)
from party.data.rows import one_after_the_other
from party.errors import DataError
from party.pb.handshake_pb2 import Purpose
from party.privacy.label_mechanism import LabelMechanism
from party.privacy.value_digests import ValueDigests
from party.runtime.charges import Protection
from party.runtime.common_rows import CommonRows
from party.runtime.generations import PRIVACY_FOLDER, Generations
from party.runtime.proposal import Opening
from party.runtime.session_rows import SessionRows

LABELS: SecretName = "labels"


@dataclass(frozen=True)
class PreparedLabels:
    """The labels of a session, before the parties agree.

    Attributes:
        read: reads the labels of all rows once the parties have agreed; None at a feature party.
        protection: the mechanism that draws them; None where they are used as they are, and where nothing is released
            that depends on them.
        draws: identifies the draws, hexadecimal; empty where nothing is drawn.
    """

    read: Callable[[], SessionLabels] | None = None
    protection: Protection | None = None
    draws: str = ""


def prepare_labels(opening: Opening, rows: SessionRows) -> PreparedLabels:
    """Prepares the labels of a session.

    Private labels are read at once: the session cannot be granted before it is known which generation of draws it
    would release.

    Args:
        opening: the granted proposal.
        rows: the rows that the session reads.

    Raises:
        DataError: a private label is missing or malformed.
        StorageError: the files of former draws cannot be used.
    """
    configuration = opening.context.configuration
    if not configuration.holds_labels:
        return PreparedLabels()
    if configuration.data.label_epsilon is None:
        return PreparedLabels(partial(_as_they_are, opening, rows))
    if opening.proposal.purpose == Purpose.PURPOSE_PREDICT:
        return PreparedLabels(partial(_unknown, opening, rows))
    return _drawn(opening, rows)


def _as_they_are(opening: Opening, rows: SessionRows) -> SessionLabels:
    """The labels, or none on a dataset without any; the text of the columns is let go at once."""
    configuration, data = opening.context.configuration, opening.context.configuration.data
    if rows.dataset in data.unlabelled:
        return _unknown(opening, rows)
    parts = [read_labels(configuration.party, data, part.columns(), part.source, weighted=False) for part in rows.parts]
    if opening.trains:
        check_classes(configuration.party, data.labels, parts[0].values, rows.first.source)
    values = one_after_the_other([part.values for part in parts])
    return SessionLabels(weighted_labels(data.labels, values, _sample_weights(opening, rows)))


def _sample_weights(opening: Opening, rows: SessionRows) -> NDArray[np.float32] | None:
    """The owner's weights of the rows to train on, and 1 for those that are held out; None where there are none."""
    configuration, data = opening.context.configuration, opening.context.configuration.data
    if not opening.trains or data.sample_weight is None:
        return None
    weights = read_sample_weights(configuration.party, data, rows.first.columns(), rows.first.source)
    return None if weights is None else one_after_the_other([weights, np.ones((rows.held_out_rows, 1), np.float32)])


def _unknown(opening: Opening, rows: SessionRows) -> SessionLabels:
    """Zeros for a prediction: it needs no labels, and private ones are not read, so that they cannot be refused."""
    labels = opening.context.configuration.data.labels
    return SessionLabels(LabelArrays(np.zeros((len(rows), len(labels)), np.float32)))


def _drawn(opening: Opening, rows: SessionRows) -> PreparedLabels:
    data = opening.context.configuration.data
    # Of the whole file: peers choose which rows are in common, and would find a changed row by leaving others out.
    whole = [_read_whole(opening, part) for part in rows.parts]
    weights = _sample_weights(opening, rows)
    values = [labels.values[part.alignment.rows] for labels, part in zip(whole, rows.parts, strict=True)]
    true = weighted_labels(data.labels, one_after_the_other(values), weights)
    mechanism, generations = LabelMechanism(data.labels), label_generations(opening)
    ids = rows.ids()
    generation = _generation(opening, rows, whole, generations=generations)
    source = DrawSource(generations.secret, generation)

    def read() -> SessionLabels:
        return SessionLabels(true, draw_labels(data.labels, true.values, weights, ids, source=source))

    protection = Protection(secret=LABELS, generation=generation, epsilon=mechanism.epsilon)
    return PreparedLabels(read, protection, generations.fingerprint(generation))


def _generation(opening: Opening, rows: SessionRows, whole: Sequence[LabelArrays], *, generations: Generations) -> int:
    """The generation of the draws of all labels of the session's files."""
    form = LabelMechanism(opening.context.configuration.data.labels).form
    charged = opening.grant.latest_generation(LABELS)

    def find(part: CommonRows, labels: LabelArrays) -> int:
        # A label that is still to come is no value: once it is known, it is a new one and changes no draw.
        known = labels.known
        ids = part.table.known_ids.take(np.flatnonzero(known))
        table = ValueDigests.of_table(generations.secret, ids, _contents(labels.values[known]))
        return generations.find(form, table, charged)

    found = [find(part, labels) for part, labels in zip(rows.parts, whole, strict=True)]
    if find(rows.first, whole[0]) != found[-1]:
        raise DataError(
            "rows with the same id have other private labels in one dataset than in the other",
            where=f"{opening.context.party}: {rows.source}",
            fix="give different rows different ids",
            public_message="a private label cannot be used",
        )
    return found[-1]


def _read_whole(opening: Opening, rows: CommonRows) -> LabelArrays:
    """All labels of the file; an error for the coordinator does not say how many cannot be used."""
    configuration = opening.context.configuration
    try:
        return read_labels(configuration.party, configuration.data, rows.table.columns, rows.source, weighted=False)
    except DataError as error:
        fields = error.fields
        raise DataError(
            fields.what,
            where=fields.where,
            expected=fields.expected,
            received=fields.received,
            fix=fields.fix,
            public_message="a private label cannot be used",
        ) from error


def label_generations(opening: Opening) -> Generations:
    """The generations of the labels of this party.

    Args:
        opening: the granted proposal.

    Raises:
        StorageError: the folder cannot be used.
    """
    context, configuration = opening.context, opening.context.configuration
    pinned = configuration.pinned_secret
    return Generations(
        configuration.path(configuration.state) / PRIVACY_FOLDER / LABELS,
        LABELS,
        context.random_bytes,
        None if pinned is None else bytes.fromhex(pinned),
    )


def _contents(values: NDArray[np.float32]) -> Iterator[bytes]:
    """The labels of each row as bytes that are the same whenever the labels are."""
    return (row.tobytes() for row in (values + np.float32(0)).astype("<f4"))  # -0 becomes 0
