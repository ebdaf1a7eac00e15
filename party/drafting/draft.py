"""The first configuration of a party: drafted from its files, and read once more before it is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from party.configuration.data_files import is_address
from party.configuration.drafts import parsed_draft
from party.configuration.party import PartyConfiguration
from party.data.files.place import DataPlace
from party.drafting.csv_form import guess_form
from party.drafting.features import guess_features
from party.drafting.guess import Guess
from party.drafting.ids import check_id, id_candidates
from party.drafting.labels import DraftedLabel, draft_label, label_candidates, lacks_labels
from party.drafting.party_text import DraftedData, PartyPlace, party_text
from party.drafting.samples import Sample, read_sample
from party.errors import ConfigurationError, DataError
from party.output.quantities import counted
from party.runtime.column_keys import PassingColumnKeys
from party.runtime.tables import Tables

TRAIN = "train"


class Questions(Protocol):
    """What only the owner knows; how it is found out is the command's affair."""

    def id_column(self, candidates: Sequence[str]) -> str:
        """The column by which rows are joined.

        Args:
            candidates: columns that could be it, the likeliest first.
        """

    def labels(self, candidates: Sequence[str]) -> tuple[str, ...]:
        """Columns or rules of the labels; none at a feature party.

        Args:
            candidates: columns that look like labels.
        """


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """What a party's owner said of its data.

    Attributes:
        files: paths and addresses of the files by dataset, the one to train on first.
        id: column by which rows are joined; None asks.
        labels: columns or rules; None asks.
        left_out: columns that must not be features.
    """

    files: Mapping[str, tuple[str, ...]]
    id: str | None
    labels: tuple[str, ...] | None
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class PartyDraft:
    """A configuration that can be read.

    Attributes:
        text: of the file.
        configuration: what it says; partners are missing.
        lines: what was found, for the owner.
    """

    text: str
    configuration: PartyConfiguration
    lines: tuple[str, ...]


def draft_party(place: PartyPlace, request: DataRequest, target: Path, questions: Questions) -> PartyDraft:
    """Drafts a party's configuration.

    Args:
        place: where the party is.
        request: what its owner said of its data.
        target: the path that the file will have.
        questions: asks for what was not said.

    Returns:
        The draft; `party check` accepts it once partners are added.

    Raises:
        ConfigurationError: an option cannot be used.
        DataError: a file cannot be read, or there is nothing to learn from.
    """
    data = _drafted(place.name, request, target, questions)
    text = party_text(place, data)
    configuration = parsed_draft(text, target)
    tables = Tables(configuration, lambda: PassingColumnKeys(os.urandom))
    for dataset in tables.names:
        for problem in tables.problems(dataset):
            raise problem
    return PartyDraft(text, configuration, tuple(_lines(place, data)))


def _drafted(party: str, request: DataRequest, target: Path, questions: Questions) -> DraftedData:
    entries = {dataset: tuple(map(_entry, files)) for dataset, files in request.files.items()}
    known = () if request.id is None else (request.id,)
    form = guess_form(entries[TRAIN], DataPlace(party, TRAIN), known)
    samples = [read_sample(files, DataPlace(party, dataset), form.section) for dataset, files in entries.items()]
    first = samples[0]
    row_id = request.id
    if row_id is None:
        row_id = questions.id_column(id_candidates(samples))
    check_id(row_id, samples)
    candidates = label_candidates(first, (row_id, *request.left_out))
    given = questions.labels(candidates) if request.labels is None else request.labels
    labels = _labels(given, first)
    for column in request.left_out:
        if column not in first.names:
            raise first.lacks(column, "--leave-out")
    taken = dict.fromkeys(request.left_out, "you left it out")
    taken |= {label.column: "the label" for label in labels} | {row_id: "the id"}
    columns = guess_features(samples, taken)
    if not labels and not any(isinstance(one, Guess) for one in columns.values()):
        raise DataError("has no column that a model could learn from", where=DataPlace(party, TRAIN).where(TRAIN))
    with_labels = [one for one in samples if all(label.column in one.columns for label in labels)]
    return DraftedData(
        id=row_id,
        files={dataset: _relative(files, target.parent) for dataset, files in request.files.items()},
        form=form.section,
        form_remarks=form.remarks,
        labels=labels,
        unlabelled=[one.dataset for one in samples if one not in with_labels],
        drops_unlabelled=any(lacks_labels(label, one) for label in labels for one in with_labels),
        columns=columns,
        label_candidates=candidates,
    )


def _labels(given: Sequence[str], sample: Sample) -> list[DraftedLabel]:
    labels = [draft_label(one, sample) for one in given]
    if len({label.name for label in labels}) < len(labels):
        raise ConfigurationError("two labels have one name", where="--label", fix="give one, and add the other by hand")
    return labels


def _entry(text: str) -> Path | str:
    return text if is_address(text) else Path(text).absolute()


def _relative(files: Sequence[str], folder: Path) -> str | tuple[str, ...]:
    """The files as the configuration names them: relative to itself."""
    found = tuple(one if is_address(one) else os.path.relpath(Path(one).absolute(), folder.absolute()) for one in files)
    return found[0] if len(found) == 1 else found


def _lines(place: PartyPlace, data: DraftedData) -> list[str]:
    features = sum(isinstance(one, Guess) for one in data.columns.values())
    role = "label party" if data.labels else "feature party"
    said = [
        f"{role} {place.name}: id {data.id}, {counted(features, 'feature')},"
        f" {counted(len(data.columns) - features, 'column')} left out"
    ]
    said += [f"label {label.name}: {label.why}" for label in data.labels]
    return [*said, *data.form_remarks]
