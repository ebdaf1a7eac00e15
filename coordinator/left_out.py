"""Which feature parties of a run an evaluation or a prediction may leave out."""

from __future__ import annotations

from collections.abc import Collection

from party.configuration.run import RunConfiguration
from party.errors import ConfigurationError

WHERE = "without"


def checked_left_out(run: RunConfiguration, names: Collection[str]) -> tuple[str, ...]:
    """Checks the parties to leave out.

    Args:
        run: configuration of the run.
        names: names of the parties, in any order.

    Returns:
        The names, ascending, each once.

    Raises:
        ConfigurationError: one is no feature party of the run, or the run adds up masked hiddens.
    """
    left_out = tuple(sorted(set(names)))
    if run.label_party in left_out:
        raise ConfigurationError(
            f"{run.label_party} is the label party: no session can do without it",
            where=WHERE,
            expected=f"among {', '.join(run.feature_parties)}",
        )
    if not set(left_out) <= set(run.feature_parties):
        raise ConfigurationError(
            "not a feature party of the run",
            where=WHERE,
            expected=f"among {', '.join(run.feature_parties)}",
            received=", ".join(name for name in left_out if name not in run.feature_parties),
        )
    if left_out:
        refuse_masked_sums(run)
    return left_out


def refuse_masked_sums(run: RunConfiguration) -> None:
    """Refuses to leave out parties whose hiddens are only known as a masked sum.

    Args:
        run: configuration of the run.

    Raises:
        ConfigurationError: the run adds up masked hiddens.
    """
    if run.masked_parties:
        raise ConfigurationError(
            "with training.secure_aggregation no party can be left out: the difference between the sum of all and the"
            " sum of the others would be that party's own hiddens",
            where=WHERE,
            fix="evaluate and predict with all parties",
        )
