"""What a run configuration demands of its feature parties."""

from __future__ import annotations

from collections.abc import Collection, Mapping

FEWEST_SUMMANDS = 2  # feature parties of a masked sum


def check_feature_parties(parties: Collection[str], *, summed: bool, dropout: Mapping[str, float]) -> None:
    """Refuses a masked sum of a single party, which would be that party's own hiddens, and unknown names.

    Args:
        parties: names of the feature parties.
        summed: whether the label party gets a masked sum of their hiddens.
        dropout: `training.party_dropout`.

    Raises:
        ValueError: there is only one to add up, or a name is not that of a feature party.
    """
    if summed and len(parties) < FEWEST_SUMMANDS:
        raise ValueError(
            "training.secure_aggregation needs at least two feature parties: the sum of one is its own hiddens"
        )
    unknown = sorted(set(dropout) - set(parties))
    if unknown:
        raise ValueError(f"training.party_dropout names {', '.join(unknown)}: it takes names of feature parties")
