"""What parties release of the quality of their data, each as far as its owner allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from party.output.quantities import counted
from party.pb import party_pb2 as pb
from party.security.printable import printable

_NAME_WIDTH = 20
_PREFIX = "DATA_WARNING_"
_OTHER = "other"  # a kind that this version does not know
_WORDS: Mapping[str, tuple[str, str]] = {
    "dead": ("has missing cells only", "have missing cells only"),
    "constant": ("is constant", "are constant"),
    "identifier": ("looks like an id", "look like ids"),
    "unknown": ("has many unknown cells", "have many unknown cells"),
    "missing_differs": ("is missing more or less often", "are missing more or less often"),
    "numbers_differ": ("has other numbers", "have other numbers"),
    "values_differ": ("has other values", "have other values"),
    _OTHER: ("has something else", "have something else"),
}
_DIFFERING = ("missing_differs", "numbers_differ", "values_differ")
_THAN = " than in the dataset that is trained on"
_ASK = "its owner sees more with `party check`"


@dataclass(frozen=True, kw_only=True)
class DataQuality:
    """What one party released of the quality of a dataset or table, over all of its rows.

    Attributes:
        dataset: name of the dataset, or of the party's table.
        warnings: number of features by what a model cannot learn from in them: the name of a `DataWarning` in small
            letters, such as `dead`.
        missing_percent: missing cells among those of all features; None if that is not released.
        unknown_percent: cells whose value the training rows do not have; None if that is not released.
    """

    dataset: str
    warnings: Mapping[str, int]
    missing_percent: int | None
    unknown_percent: int | None


def received_quality(reply: pb.FinishReply) -> list[DataQuality]:
    """What a party released at the end of a session; all kinds of warnings that there are not are one kind.

    Args:
        reply: its reply to Finish.
    """
    return [
        DataQuality(
            dataset=one.dataset,
            warnings=_by_kind(one.warnings),
            missing_percent=one.missing_percent if one.HasField("missing_percent") else None,
            unknown_percent=one.unknown_percent if one.HasField("unknown_percent") else None,
        )
        for one in reply.quality
    ]


def released_quality(
    replies: Mapping[str, pb.FinishReply], dataset: str, tables: Mapping[str, str]
) -> dict[str, DataQuality]:
    """What each party released of one dataset, or of the table that it brings in its place.

    Args:
        replies: replies to Finish, by party.
        dataset: name of the dataset.
        tables: names of tables by the party that brings one.

    Returns:
        By party, of those that released anything.
    """
    found: dict[str, DataQuality] = {}
    for party, reply in sorted(replies.items()):
        wanted = tables.get(party, dataset)
        found.update((party, one) for one in received_quality(reply) if one.dataset == wanted)
    return found


def quality_lines(quality: Mapping[str, DataQuality | None], parties: Iterable[str]) -> Iterator[str]:
    """Says what each party released of its data.

    Args:
        quality: by party; those that released nothing are not in it, or None.
        parties: names of all parties of the session.

    Yields:
        A line for each party and, below it, one for each kind of warning.
    """
    names = {party: f"data of {printable(party)}" for party in sorted(parties)}
    width = max((_NAME_WIDTH, *map(len, names.values())))
    for party, name in names.items():
        found = quality.get(party)
        if found is None:
            yield f"{name:<{width}} nothing released"
            continue
        shares = ((found.missing_percent, "missing"), (found.unknown_percent, "unknown"))
        said = [f"{share} % of cells {what}" for share, what in shares if share is not None]
        said += [] if found.warnings else ["nothing amiss"]
        yield f"{name:<{width}} {', '.join(said)}".rstrip()
        for sentence in _sentences(found):
            yield f"  warning: {sentence}; {_ASK}"


def quality_warnings(quality: Mapping[str, DataQuality | None]) -> list[str]:
    """The warnings of all parties, a sentence each.

    Args:
        quality: by party.
    """
    return [
        f"{printable(found.dataset)} of {printable(party)}: {sentence}"
        for party, found in sorted(quality.items())
        if found is not None
        for sentence in _sentences(found)
    ]


def _sentences(found: DataQuality) -> Iterator[str]:
    for kind, features in found.warnings.items():
        one, several = _WORDS[kind]
        than = _THAN if kind in _DIFFERING else ""
        yield f"{counted(features, 'feature')} {one if features == 1 else several}{than}"


def _by_kind(warnings: Iterable[pb.WarnedFeatures]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in sorted(warnings, key=lambda each: each.warning):
        kind = _kind(one.warning)
        found[kind] = found.get(kind, 0) + one.features
    return found


def _kind(warning: int) -> str:
    try:
        name = pb.DataWarning.Name(warning)
    except ValueError:
        return _OTHER
    kind = name.removeprefix(_PREFIX).lower()
    return kind if kind in _WORDS else _OTHER
