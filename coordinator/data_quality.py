"""What parties release of the quality of their data, each as far as its owner allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from party.pb import party_pb2 as pb
from party.security.printable import printable

_NAME_WIDTH = 20
_WORDS: Mapping[int, tuple[str, str]] = {
    pb.DATA_WARNING_DEAD: ("has missing cells only", "have missing cells only"),
    pb.DATA_WARNING_CONSTANT: ("is constant", "are constant"),
    pb.DATA_WARNING_IDENTIFIER: ("looks like an id", "look like ids"),
    pb.DATA_WARNING_UNKNOWN: ("has many unknown cells", "have many unknown cells"),
    pb.DATA_WARNING_MISSING_DIFFERS: ("is missing more or less often", "are missing more or less often"),
    pb.DATA_WARNING_NUMBERS_DIFFER: ("has other numbers", "have other numbers"),
    pb.DATA_WARNING_VALUES_DIFFER: ("has other values", "have other values"),
}
_DIFFERING = (pb.DATA_WARNING_MISSING_DIFFERS, pb.DATA_WARNING_NUMBERS_DIFFER, pb.DATA_WARNING_VALUES_DIFFER)
_THAN = " than in the dataset that is trained on"
_ASK = "its owner sees more with `party check`"


@dataclass(frozen=True, kw_only=True)
class DataQuality:
    """What one party released of the quality of a dataset or table, over all of its rows.

    Attributes:
        dataset: name of the dataset, or of the party's table.
        warnings: number of features by what a model cannot learn from in them: a value of `DataWarning`.
        missing_percent: missing cells among those of all features; None if that is not released.
        unknown_percent: cells whose value the training rows do not have; None if that is not released.
    """

    dataset: str
    warnings: Mapping[int, int]
    missing_percent: int | None
    unknown_percent: int | None


def received_quality(reply: pb.FinishReply) -> list[DataQuality]:
    """What a party released at the end of a session; warnings that there are not would only fill a terminal.

    Args:
        reply: its reply to Finish.
    """
    return [
        DataQuality(
            dataset=one.dataset,
            warnings={warned.warning: warned.features for warned in one.warnings if warned.warning in _WORDS},
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


def quality_lines(quality: Mapping[str, DataQuality], parties: Iterable[str]) -> Iterator[str]:
    """Says what each party released of its data.

    Args:
        quality: by party; those that released nothing are not in it.
        parties: names of all parties of the session.

    Yields:
        A line for each party and, below it, one for each kind of warning.
    """
    for party in sorted(parties):
        found = quality.get(party)
        name = f"data of {printable(party)}"
        if found is None:
            yield f"{name:<{_NAME_WIDTH}} nothing released"
            continue
        shares = ((found.missing_percent, "missing"), (found.unknown_percent, "unknown"))
        said = [f"{share} % of cells {what}" for share, what in shares if share is not None]
        said += [] if found.warnings else ["nothing amiss"]
        yield f"{name:<{_NAME_WIDTH}} {', '.join(said)}".rstrip()
        for warning, features in sorted(found.warnings.items()):
            yield f"  warning: {_warning(warning, features)}; {_ASK}"


def _warning(warning: int, features: int) -> str:
    one, several = _WORDS[warning]
    than = _THAN if warning in _DIFFERING else ""
    return f"{features:,} feature{'' if features == 1 else 's'} {one if features == 1 else several}{than}"
