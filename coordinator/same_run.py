"""Whether a configuration file still describes a run that was made with it."""

from __future__ import annotations

from coordinator.configuration import CoordinatorConfiguration, differing_keys
from coordinator.journal import Journal, RunEntry
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.errors import ConfigurationError

SHOWN_RUN_CHARACTERS = 8


def is_same_run(entry: RunEntry, configuration: CoordinatorConfiguration) -> bool:
    """Whether a file describes a run, with the planner's earlier decision where it leaves that to the planner.

    Args:
        entry: the run.
        configuration: the configuration file.
    """
    if not configuration.is_planned:
        return entry.configuration == configuration.run.to_bytes()
    former = run_configuration_from_bytes(entry.configuration)
    return entry.configuration == configuration.run_like(former).to_bytes()


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


def resumed_run(
    journal: Journal, configuration: CoordinatorConfiguration, run_id: str | None, continue_from: str | None
) -> RunEntry:
    """Records that a stopped run is running again.

    Args:
        journal: of the coordinator.
        configuration: of the coordinator.
        run_id: in hexadecimal, possibly shortened; None for the latest one.
        continue_from: must be None: a run that resumes began as it began.

    Returns:
        The run, with the state `running`.

    Raises:
        ConfigurationError: the file describes another run, or the run is to continue another one.
        SessionError: there is no such run, or it cannot be resumed.
    """
    if continue_from is not None:
        raise ConfigurationError("a run is either resumed, or continued by a new one", where="continue_from")
    entry = journal.resumable(run_id)
    require_same_run(run_configuration_from_bytes(entry.configuration), configuration, entry.run_id)
    return journal.resume(bytes.fromhex(entry.run_id))
