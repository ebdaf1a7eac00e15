"""The text of a party's first configuration, with a comment for every guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from party.configuration.csv_format import CsvSection
from party.configuration.yaml_text import flow_text
from party.drafting.guess import Guess, LeftOut
from party.drafting.labels import DraftedLabel
from party.errors import one_line

MOST_LISTED = 12  # columns of a comment

_HEAD = """\
# Configuration of party {name}, as `party init` guessed it from the files below. Look at every line of `data`.
# `party check` reads it with all data; docs/configuration.md has every key.
party: {name}
listen: {listen}  # where `party serve` waits for the coordinator; partners reach it at {address}
"""
_PARTNERS = """
# `party accept` adds partners here, once you have confirmed the fingerprints of their invitations.
peers: []
coordinators: []

tls: {tls}
state: state  # folder for alignments, models and the ledger of what left; nobody else may read it
"""
_LABEL_PARTY = "label_party: {name}  # this party holds the labels\n"
_NO_LABELS = "label_party:  # `party accept` adds the name of the party that holds the labels\n"


@dataclass(frozen=True, kw_only=True)
class DraftedData:
    """What a party's configuration says of its data.

    Attributes:
        id: column by which rows are joined.
        files: the files of each dataset, relative to the configuration.
        form: how CSV files are written.
        form_remarks: why.
        labels: labels, at the label party.
        unlabelled: datasets without labels.
        drops_unlabelled: whether some rows have no label.
        columns: what each column is.
        label_candidates: columns that might be labels, where there are none.
    """

    id: str
    files: Mapping[str, str | tuple[str, ...]]
    form: CsvSection
    form_remarks: Sequence[str]
    labels: Sequence[DraftedLabel]
    unlabelled: Sequence[str]
    drops_unlabelled: bool
    columns: Mapping[str, Guess | LeftOut]
    label_candidates: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PartyPlace:
    """Where a party is.

    Attributes:
        name: of the party.
        listen: address and port that it opens.
        address: host and port at which others reach it.
        tls: paths of certificate and key.
        model: kind of the base model; None leaves the default.
    """

    name: str
    listen: str
    address: str
    tls: Mapping[str, str]
    model: str | None


def party_text(place: PartyPlace, data: DraftedData) -> str:
    """Writes the configuration.

    Args:
        place: where the party is.
        data: what was guessed of its data.

    Returns:
        The text of the file.
    """
    head = _HEAD.format(name=place.name, listen=flow_text(place.listen), address=place.address)
    role = _LABEL_PARTY.format(name=place.name) if data.labels else _NO_LABELS
    lines = [*_data_lines(data), *_model_lines(place, data)]
    return head + role + _PARTNERS.format(tls=flow_text(place.tls)) + "\n" + "\n".join(lines) + "\n"


def _data_lines(data: DraftedData) -> Iterator[str]:
    yield "data:"
    yield f"  id: {flow_text(data.id)}  # joins the rows of the parties: the same text for the same row at all of them"
    yield "  datasets:"
    yield from (f"    {name}: {flow_text(files)}" for name, files in data.files.items())
    form = data.form.model_dump(exclude_defaults=True)
    if form.get("separator") == "\t":
        form["separator"] = "tab"
    yield from (_comment(remark, indent=2) for remark in data.form_remarks)
    if form:
        yield f"  csv: {flow_text(form)}"
    yield from _label_lines(data)
    yield from _feature_lines(data.columns)


def _label_lines(data: DraftedData) -> Iterator[str]:
    if not data.labels:
        if data.label_candidates:
            yield _comment(f"might be labels, if this party holds them: {_listed(data.label_candidates)}", indent=2)
        return
    yield "  labels:"
    for label in data.labels:
        yield f"    {label.name}: {flow_text(label.keys)}  # {one_line(label.why)}"
    if data.unlabelled:
        yield f"  unlabelled: {flow_text(data.unlabelled)}  # can only be predicted"
    if data.drops_unlabelled:
        yield "  unlabelled_rows: drop  # some rows have no label yet"


def _feature_lines(columns: Mapping[str, Guess | LeftOut]) -> Iterator[str]:
    features = {name: one for name, one in columns.items() if isinstance(one, Guess)}
    if features:
        yield "  features:"
    for name, guess in features.items():
        yield f"    - {flow_text(guess.section(name))}  # {one_line(guess.why)}"
    left_out = {name: one.why for name, one in columns.items() if isinstance(one, LeftOut)}
    if left_out:
        yield _comment("columns that are no features:", indent=2)
    yield from (_comment(f"  {name}: {why}", indent=2) for name, why in left_out.items())


def _model_lines(place: PartyPlace, data: DraftedData) -> Iterator[str]:
    if not any(isinstance(one, Guess) for one in data.columns.values()):
        return
    if place.model is not None:
        yield f"model: {{kind: {place.model}}}"
    else:
        yield "# model: {kind: deepfm}  # the default; docs/configuration.md has the others"


def _comment(text: str, *, indent: int) -> str:
    return f"{' ' * indent}# {one_line(text)}"


def _listed(names: Sequence[str]) -> str:
    further = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + further
