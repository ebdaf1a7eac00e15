"""What the hiddens of a run with secure aggregation must have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from party.cut.hidden import Aggregation, HiddenSpec
from party.errors import ConfigurationError, HandshakeError


def require_sums(party: str, specs: Sequence[HiddenSpec]) -> None:
    """Refuses hiddens that are not added up, which a masked sum would have to show one by one.

    Args:
        party: name of the party whose hiddens they are, for the error.
        specs: specs of its hiddens.

    Raises:
        ConfigurationError: a hidden is concatenated.
    """
    apart = [spec.name for spec in specs if spec.aggregation is not Aggregation.SUM]
    if apart:
        raise ConfigurationError(
            "training.secure_aggregation needs hiddens that are added up, and its own model concatenates some",
            where=f"{party}: model",
            expected="sum for every hidden",
            received=f"concat for {', '.join(apart)}",
            fix="declare sum for each hidden of the own model, or train without secure aggregation",
        )


def require_equal_layouts(party: str, specs: Mapping[str, Sequence[HiddenSpec]]) -> None:
    """Refuses feature parties whose matrices have other columns than those of the first one, as they are added up.

    Args:
        party: name of the party that checks, for the error.
        specs: specs of the hiddens of every feature party, by party.

    Raises:
        ConfigurationError: a party states hiddens that are not added up.
        HandshakeError: the columns differ.
    """
    (first, columns), *others = sorted(specs.items())
    require_sums(first, columns)
    for other, sent in others:
        if tuple(sent) != tuple(columns):
            raise HandshakeError(
                f"training.secure_aggregation adds up the matrices of {first} and {other}, and their columns differ",
                where=party,
                expected=f"as {first}: {_described(columns)}",
                received=f"{other}: {_described(sent)}",
                fix="set the same model.kind, cut_units and embedding_dimension at every feature party",
            )


def _described(specs: Sequence[HiddenSpec]) -> str:
    return ", ".join(f"{spec.name} ({spec.units}, {spec.aggregation.value})" for spec in specs)
