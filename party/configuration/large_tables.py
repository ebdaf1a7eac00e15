"""Says in words when an embedding table is so large that the optimizer should move only rows of the batch."""

from __future__ import annotations

from collections.abc import Mapping

from party.configuration.party import PartyConfiguration

LARGE_TABLE_ROWS = 100_000  # above, a dense optimizer spends most of a step on rows that the batch does not use
MOVE_ROWS_OF_THE_BATCH = frozenset({"lazyadam", "rowadagrad", "sgd"})


def moves_every_row(optimizer: str) -> bool:
    """Whether an optimizer moves every row of an embedding table in every step.

    Args:
        optimizer: its name, however it is written.
    """
    return optimizer.replace("_", "").lower() not in MOVE_ROWS_OF_THE_BATCH


def large_table_lines(configuration: PartyConfiguration, sizes: Mapping[str, int]) -> list[str]:
    """What to do about features with many embedding rows.

    Args:
        configuration: the party's configuration.
        sizes: number of embedding rows by feature.

    Returns:
        Lines for the party's owner; empty if no feature has many, or the party's own optimizer suits them.
    """
    large = {name: size for name, size in sizes.items() if size > LARGE_TABLE_ROWS}
    if not large or configuration.base_model is None:
        return []
    named = ", ".join(f"{name} has {size:,}" for name, size in large.items())
    lines = [f"many embedding rows: {named}"]
    own = configuration.optimizer
    if own is None:
        lines.append(
            "  with adam, the default, every step moves all of them: ask the coordinator to set"
            " training.optimizer.name to lazy_adam in the run's file, or set optimizer.name here"
        )
    elif moves_every_row(own.name):
        lines.append(f"  with {own.name} every step moves all of them: set optimizer.name to lazy_adam")
    penalty = getattr(configuration.base_model, "embedding_l2", 0.0)
    if penalty:
        lines.append("  model.embedding_l2 moves all of them in every step, with any optimizer: leave it out")
    return lines if len(lines) > 1 else []
