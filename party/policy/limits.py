"""The limits that are counted in the ledger, over all runs, restarts and coordinators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from party.configuration.policy import PolicySection
from party.ledger.tally import Tally, per_row, to_peers
from party.policy.refusals import refusal
from party.policy.requests import Release, SessionRequest

FIX = "its owner sees with `party ledger --limits` what used it up, and may raise it"
COUNTED = {  # by purpose, the rule that bounds its sessions over a dataset, and what they are called
    "train": ("maximum_runs", "training runs"),
    "measure": ("maximum_measurements", "measuring sessions"),
    "evaluate": ("maximum_evaluations", "evaluations"),
    "predict": ("maximum_predictions", "predictions"),
}


ALL_DATASETS = None  # in place of a dataset's name, where sessions count whatever they read


def counted_apart(datasets: Iterable[str], *, owns_tables: bool) -> Sequence[str | None]:
    """The datasets whose sessions are counted apart from each other.

    The owner of tables has the same entities in all datasets of the label party, which alone chooses their names: one
    that counted them apart would have no limit at all.

    Args:
        datasets: names of datasets.
        owns_tables: whether the party owns tables to which the rows of datasets refer.
    """
    return (ALL_DATASETS,) if owns_tables else tuple(datasets)


def named(dataset: str | None) -> str:
    """What is counted, in words.

    Args:
        dataset: name of a dataset, or ALL_DATASETS.
    """
    return "all datasets together" if dataset is ALL_DATASETS else f"dataset {dataset}"


class CountedLimits:
    """Checks a request against what was granted before.

    Args:
        party: name of this party, for errors.
        section: the owner's policy.
        owns_tables: whether the party owns tables to which the rows of datasets refer.
    """

    def __init__(self, party: str, section: PolicySection, *, owns_tables: bool = False) -> None:
        self._party = party
        self._section = section
        self._owns_tables = owns_tables

    def check(self, request: SessionRequest, peers: tuple[str, ...], tally: Tally, now: datetime) -> None:
        """Refuses a session that exceeds a limit.

        Args:
            request: the coordinator's request.
            peers: names of the other parties.
            tally: sums over the ledger.
            now: the current time, with a time zone.

        Raises:
            PolicyError: a limit refuses it; the error names the rule.
        """
        self._hold(
            "maximum_sessions_per_day",
            "sessions of this coordinator within 24 hours",
            tally.opened_since(now, request.coordinator),
        )
        purpose = request.purpose_name
        if purpose == "align":
            for peer in peers:
                count = tally.alignments_since(now, peer)
                self._hold("maximum_alignments_per_day", f"alignments with {peer} within 24 hours", count)
        elif purpose == "train" and request.resume:
            self._hold("maximum_restores", "going back to a checkpoint", tally.restores(request.run_id.hex()))
        elif purpose in COUNTED:
            self._count(purpose, request.datasets, tally)
            if request.held_out_datasets:
                self._count("evaluate", request.held_out_datasets, tally)

    def check_release(self, request: SessionRequest, release: Release, tally: Tally) -> None:
        """Refuses to release the rows of a dataset more often than the owner allows.

        Args:
            request: the coordinator's request.
            release: the most that the session would release.
            tally: sums over the ledger.

        Raises:
            PolicyError: a limit refuses it; the error names the rule.
        """
        planned = to_peers(release.most)
        if not planned:
            return
        allowed = self._section.maximum_releases_per_row
        for dataset in counted_apart(request.datasets, owns_tables=self._owns_tables):
            times = tally.releases_per_row(dataset) + per_row(planned, release.rows)
            if times > allowed:
                raise refusal(
                    self._party,
                    "maximum_releases_per_row",
                    f"releases of each row of {named(dataset)}",
                    expected=f"at most {allowed}",
                    received=f"{float(times):.0f} with this session",
                    fix=FIX,
                )

    def _count(self, purpose: str, datasets: Iterable[str], tally: Tally) -> None:
        rule, what = COUNTED[purpose]
        for dataset in counted_apart(datasets, owns_tables=self._owns_tables):
            self._hold(rule, f"{what} of {named(dataset)}", tally.sessions(purpose, dataset))

    def _hold(self, rule: str, what: str, count: int) -> None:
        allowed = getattr(self._section, rule)
        if count >= allowed:
            raise refusal(
                self._party,
                rule,
                what,
                expected=f"at most {allowed}",
                received=f"{count} before this one",
                fix=FIX,
            )
