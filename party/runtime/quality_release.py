"""What one session releases of the quality of the datasets that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from party.ledger.entry import Kind
from party.policy.quality_rules import ReleasedQuality
from party.policy.requests import Release
from party.runtime.charges import charges_of
from party.runtime.proposal import Opening
from party.runtime.quality_file import keep_counted


class QualityRelease:
    """Releases counts at the end of a session, as far as the owner's policy allows.

    Args:
        opening: the granted proposal.
        datasets: number of datasets, or tables, that the session may release counts of.
    """

    def __init__(self, opening: Opening, datasets: int) -> None:
        self._opening = opening
        self._rules = opening.grant.quality
        self._datasets = datasets if self._rules.releases and opening.context.configuration.data.features else 0
        self._released = 0

    @property
    def most(self) -> Mapping[Kind, int]:
        """The most datasets that are released, by kind; empty where none is."""
        return {"data_quality": self._datasets} if self._datasets else {}

    @property
    def released(self) -> Mapping[Kind, int]:
        """Number of datasets that were released, by kind; empty where none may be."""
        return {"data_quality": self._released} if self._datasets else {}

    def added_to(self, release: Release) -> Release:
        """The most that a session releases, with these counts and what they charge.

        Args:
            release: of a session that charges nothing else.
        """
        charges = charges_of(self._opening, self.most, None)
        return replace(release, most={**release.most, **self.most}, charges=(*release.charges, *charges))

    def of(self, names: Iterable[str]) -> tuple[ReleasedQuality, ...]:
        """What is released of some datasets or tables; their exact counts stay in the party's state folder.

        Args:
            names: their names.
        """
        if not self._datasets:
            return ()
        context = self._opening.context
        configuration = context.configuration
        found = (context.qualities.of(configuration, context.tables, name) for name in names)
        counted = [(one, self._rules.released(one)) for one in found if one is not None]
        state = configuration.path(configuration.state)
        keep_counted(state, counted, self._opening.proposal.coordinator, context.now())
        released = tuple(one for _, one in counted if one is not None)
        self._released = len(released)
        return released
