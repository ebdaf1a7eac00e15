"""How a party or a coordinator can be watched: ports of its own on this machine, and the form of its log."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from party.configuration.addresses import Address, is_loopback
from party.configuration.strict import StrictModel

LogFormat = Literal["text", "json"]


class MonitoringPort(StrictModel):
    """A port for probes or metrics: it has neither TLS nor a login, so it is one of this machine alone by default.

    Attributes:
        listen: address and port; port 0 takes a free one.
        beyond_loopback: whether the address may be one that other machines reach.
    """

    listen: Address = Field(examples=["127.0.0.1:9464"])
    beyond_loopback: bool = False

    @model_validator(mode="after")
    def _stays_on_this_machine(self) -> Self:
        if not (self.beyond_loopback or is_loopback(self.host)):
            raise ValueError(
                "listen must be a loopback address, such as 127.0.0.1:9464, as whoever reaches the port reads what it"
                " shows, without TLS or a login: set beyond_loopback: true if only machines that may do so reach it"
            )
        return self

    @property
    def host(self) -> str:
        """The host of `listen`, an IPv6 address without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of `listen`."""
        return int(self.listen.rpartition(":")[2])


def port_warnings(health: MonitoringPort | None, prometheus: MonitoringPort | None) -> tuple[str, ...]:
    """A sentence for every port of a party that other machines may reach.

    Args:
        health: of the health service; None without it.
        prometheus: of the metrics; None without them.
    """
    warnings = []
    if health is not None and health.beyond_loopback:
        warnings.append("health.beyond_loopback: whoever reaches the port can ask whether this party serves")
    if prometheus is not None and prometheus.beyond_loopback:
        warnings.append(
            "prometheus.beyond_loopback: whoever reaches the port reads how much this party computes, sends and"
            " receives, and when"
        )
    return tuple(warnings)


class MlflowSection(StrictModel):
    """The MLflow server or database that a coordinator writes its training runs to.

    Attributes:
        tracking_uri: its address, such as https://mlflow.example.com or sqlite:///mlflow.db.
        experiment: name of the experiment; it is created if there is none.
    """

    tracking_uri: str = Field(min_length=1, repr=False)
    experiment: str = Field(default="splitrain", min_length=1)
