"""Examines what parties say of themselves: names, versions, roles, clocks, datasets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from coordinator.doctor.reached import Reached
from coordinator.doctor.subject import CoordinatorSubject
from party import __version__
from party.diagnosis.finding import Finding, fine, problem, warning
from party.output.quantities import counted, seconds_text
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Role
from party.security.printable import printable
from party.security.protocol import PROTOCOL

SHOWN_VERSION_CHARACTERS = 32
RESOLUTION_SECONDS = 1.0  # of the time that a party states
TOLERATED_SECONDS = 30.0
LARGEST_SECONDS = 300.0  # then certificates that are new, or close to their end, begin to fail
ALIGN = (
    "ids are compared by `coordinator align` alone, within what each owner allows; `party doctor` counts common rows"
)


def examine_versions(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Compares the versions of all parties with the own one.

    Args:
        subject: the coordinator.

    Yields:
        One finding for each party that answers.
    """
    own = f"version {__version__}, protocol {PROTOCOL}"
    for one, described in subject.described:
        theirs = f"version {printable(described.code_version, SHOWN_VERSION_CHARACTERS)}, protocol {described.protocol}"
        if theirs == own:
            yield fine(own, one.where)
        else:
            yield problem(f"runs {theirs}, and this is {own}", one.where, fix="install the same version everywhere")


def examine_roles(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether each party is who the run's file says.

    Args:
        subject: the coordinator.

    Yields:
        One finding for each party that answers.
    """
    for one, described in subject.described:
        is_label = one.party.name == subject.configuration.label_party
        expected = Role.ROLE_LABEL if is_label else Role.ROLE_FEATURE
        role = "label party" if is_label else "feature party"
        if described.party != one.party.name:
            yield problem("another party answers there", one.where, fix="correct the address in parties")
        elif described.role != expected:
            fix = "set the same label_party in the run's file and in the files of all parties"
            yield problem(f"is no {role} by its own file", one.where, fix=fix)
        else:
            yield fine(f"{role}, {printable(described.state)}", one.where)


def examine_clocks(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Compares the clocks of all parties with the own one.

    Args:
        subject: the coordinator.

    Yields:
        One finding for each party that answers.
    """
    for one, described in subject.described:
        ahead = _seconds_ahead(one, described)
        told = f"its clock is {seconds_text(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} this one"
        fix = "let NTP correct the clocks of both machines: one of them is wrong"
        if abs(ahead) > LARGEST_SECONDS:
            yield problem(told, one.where, fix=fix)
        elif abs(ahead) > TOLERATED_SECONDS:
            yield warning(told, one.where, fix=fix)
        else:
            yield fine("its clock and this one agree", one.where)


def examine_datasets(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether the parties have the datasets that the run names.

    Args:
        subject: the coordinator.

    Yields:
        A finding for each party that answers, and one on what is not compared.
    """
    configuration = subject.configuration
    training = configuration.training
    named = {*configuration.alignment.datasets, training.dataset} | {training.validation_dataset} - {None}
    for one, described in subject.described:
        rows = {printable(entry.dataset): entry.rows for entry in described.datasets}
        missing = sorted(name for name in named if name is not None and name not in rows)
        told = ", ".join(f"{name} {counted(count, 'row')}" for name, count in rows.items())
        is_label = one.party.name == configuration.label_party
        if not missing:
            yield fine(told, one.where)
        elif not is_label and rows and not named & rows.keys():
            # The owner of tables has none of the label party's datasets.
            yield fine(f"shares no dataset of the run, and may bring tables: {told}", one.where)
        else:
            fix = "ask its owner to add or mend it (`party doctor` says why), or to list it for this coordinator"
            yield problem(f"has no dataset {', '.join(missing)} that can be used", one.where, fix=fix)
    unaligned = sorted(
        {training.dataset, training.validation_dataset} - {None, *configuration.alignment.datasets}, key=str
    )
    if unaligned:
        fix = "add it to alignment.datasets"
        yield problem(f"{', '.join(map(str, unaligned))} is trained on or held out, and not aligned", fix=fix)
    yield fine(f"rows in common are not counted: {ALIGN}")


def _seconds_ahead(one: Reached, described: pb.DescribeReply) -> float:
    """How far a party's clock is ahead, at least; 0 if it may be right."""
    if one.asked is None or one.answered is None:
        return 0.0
    earliest = (one.asked - timedelta(seconds=RESOLUTION_SECONDS)).timestamp()
    latest = one.answered.timestamp()
    return max(0.0, described.unix_seconds - latest) + min(0.0, described.unix_seconds - earliest)
