"""What watches a party while it serves, as its owner configured it: the health service, the port for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from party.configuration.party import PartyConfiguration
from party.ledger.entry import LedgerEntry
from party.monitoring.libraries import require_libraries
from party.runtime.activity import ActivityView
from party.transport.health_service import HealthService

logger = logging.getLogger(__name__)


class WatchedParty:
    """Holds the ports that a party is watched through; both are closed when the context ends.

    Args:
        configuration: the party's configuration.

    Raises:
        InstallationError: a library that an option needs is not installed.
        ConfigurationError: the address of the health service cannot be listened on.
    """

    def __init__(self, configuration: PartyConfiguration) -> None:
        self._configuration = configuration
        require_libraries({"prometheus": configuration.prometheus, "tensorboard": configuration.tensorboard})
        self._close_metrics: Callable[[], None] = lambda: None
        self._health = None if configuration.health is None else HealthService(configuration.health)
        if self._health is not None:
            logger.info("health is answered on port %d", self._health.port)

    def __enter__(self) -> Self:
        """Returns what watches the party, which is not ready yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the ports."""
        self._close_metrics()
        if self._health is not None:
            self._health.close()

    def show_metrics(self, activity: Callable[[], ActivityView], ledger: Callable[[], Sequence[LedgerEntry]]) -> None:
        """Opens the port for Prometheus, if it is configured.

        Args:
            activity: returns what the party has done.
            ledger: returns the lines of the ledger.

        Raises:
            ConfigurationError: the address cannot be listened on.
        """
        section, configuration = self._configuration.prometheus, self._configuration
        if section is None:
            return
        from party.monitoring.metrics_port import MetricsPort  # noqa: PLC0415  # the library is an option
        from party.runtime.party_metrics import PartyMetrics  # noqa: PLC0415

        role = "label" if configuration.holds_labels else "feature"
        port = MetricsPort(section, [PartyMetrics(configuration.party, role, activity, ledger)])
        self._close_metrics = port.close
        logger.info("metrics are on port %d", port.port)

    def ready(self) -> None:
        """Tells probes that the party answers coordinators."""
        if self._health is not None:
            self._health.ready()

    def stopping(self) -> None:
        """Tells probes that the party is about to stop."""
        if self._health is not None:
            self._health.stopping()
