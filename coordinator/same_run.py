"""Whether a configuration file still describes a run that was made with it."""

from __future__ import annotations

from coordinator.configuration import CoordinatorConfiguration, differing_keys
from party.configuration.run import RunConfiguration
from party.errors import ConfigurationError

SHOWN_RUN_CHARACTERS = 8


def require_same_run(run: RunConfiguration, configuration: CoordinatorConfiguration, run_id: str) -> None:
    """Refuses to resume a run with another configuration.

    Args:
        run: configuration of the run.
        configuration: the configuration file.
        run_id: of the run, in hexadecimal.

    Raises:
        ConfigurationError: they differ; the error names the keys.
    """
    require_same_parties(run, configuration, run_id)
    present = configuration.run_like(run)
    differing = differing_keys(run.model_dump(mode="json"), present.model_dump(mode="json"))
    if differing:
        raise ConfigurationError(
            f"the configuration differs from that of the run: {', '.join(differing)}",
            where=_where(run_id),
            fix="change it back to resume, or train a new run",
        )


def require_same_parties(run: RunConfiguration, configuration: CoordinatorConfiguration, run_id: str) -> None:
    """Refuses a run that was made with other parties.

    Args:
        run: configuration of the run.
        configuration: the configuration file.
        run_id: of the run, in hexadecimal.

    Raises:
        ConfigurationError: the parties differ.
    """
    present = configuration.run.parties
    if run.parties != present:
        raise ConfigurationError(
            "the run was made with other parties",
            where=_where(run_id),
            expected=", ".join(run.parties),
            received=", ".join(present),
            fix="use the configuration file that it was made with, or name another run",
        )


def _where(run_id: str) -> str:
    return f"run {run_id[:SHOWN_RUN_CHARACTERS]}"
