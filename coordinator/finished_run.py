"""A finished run in the journal, for sessions that use its models and runs that continue it."""

from __future__ import annotations

from coordinator.configuration import CoordinatorConfiguration
from coordinator.journal import Journal, RunEntry
from coordinator.same_run import require_same_parties
from party.configuration.run import RunConfiguration, run_configuration_from_bytes


def finished_run(
    journal: Journal, configuration: CoordinatorConfiguration, run_id: str | None, option: str = "--run"
) -> tuple[RunEntry, RunConfiguration]:
    """Finds a finished run.

    Args:
        journal: of the coordinator.
        configuration: the configuration file, whose parties must be those of the run.
        run_id: beginning of its run_id, in hexadecimal; None for the latest one.
        option: what names the run, for errors.

    Returns:
        Its entry, and its configuration.

    Raises:
        ConfigurationError: no run, or more than one, begins like this, or it was made with other parties.
    """
    entry = journal.trained(run_id, option)
    run = run_configuration_from_bytes(entry.configuration)
    require_same_parties(run, configuration, entry.run_id)
    return entry, run
