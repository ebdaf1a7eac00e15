"""Invitations that a configuration took in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from party.invitation.changed_settings import ChangedSetting
from party.invitation.received import ReceivedInvitation


class Change(StrEnum):
    """What an invitation changed in the configuration."""

    ADDED = "added"
    REPLACED = "replaced"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class AcceptedPartner:
    """An organisation that a configuration names.

    Attributes:
        name: certificate name.
        role: as its invitation says.
        change: what that changed.
        section: key of the configuration that lists it.
        file: its invitation.
        fingerprint: of that file.
        address: host and port of a party; None for a coordinator.
        datasets: that a party offers.
        tables: that a party offers.
        authority_until: end of the authority's validity.
        settings: what else the configuration says since then.
    """

    name: str
    role: str
    change: Change
    section: str
    file: Path
    fingerprint: str
    address: str | None
    datasets: tuple[str, ...]
    tables: tuple[str, ...]
    authority_until: datetime
    settings: tuple[ChangedSetting, ...]

    @property
    def words(self) -> str:
        """What was done, in a sentence."""
        who = f"{self.role.replace('_', ' ')} {self.name}"
        if self.change is Change.ADDED:
            return f"added {who} to {self.section}"
        return f"{'replaced what was known of' if self.change is Change.REPLACED else 'already knew'} {who}"


@dataclass(frozen=True)
class AcceptedPartners:
    """All invitations that one command took in.

    Attributes:
        configuration: the file that was written.
        partners: one for each invitation.
    """

    configuration: Path
    partners: tuple[AcceptedPartner, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields what was done, in sentences."""
        for one in self.partners:
            yield one.words
            yield from (setting.words for setting in one.settings)
        yield f"wrote {self.configuration}"


def accepted_partner(
    received: ReceivedInvitation, change: Change, *, section: str, settings: tuple[ChangedSetting, ...]
) -> AcceptedPartner:
    """What is told of an accepted invitation.

    Args:
        received: the invitation.
        change: what it changed.
        section: key of the configuration.
        settings: what else the configuration says since then.
    """
    said = received.invitation
    return AcceptedPartner(
        name=said.name,
        role=said.role,
        change=change,
        section=section,
        file=received.path,
        fingerprint=received.fingerprint,
        address=said.address,
        datasets=said.datasets,
        tables=tuple(table.name for table in said.tables),
        authority_until=received.authority.not_valid_after_utc,
        settings=settings,
    )
