"""Everything that a new coordinator needs: certificate, the run's file and the invitation for the parties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coordinator.accepting import run_acceptor
from coordinator.configuration import CoordinatorConfiguration
from party.configuration.described_schema import RUN_TITLE, schema_text
from party.configuration.schema_file import schema_path, with_schema_line
from party.configuration.sections import TlsSection
from party.configuration.strict import validate
from party.configuration.yaml_file import read_yaml
from party.configuration.yaml_text import flow_text
from party.invitation.accepted import AcceptedPartners
from party.invitation.accepting import accept
from party.invitation.confirming import Ask
from party.invitation.identity import OwnCertificate, made_or_kept
from party.invitation.invitation import VERSION, Invitation
from party.invitation.received import ReceivedInvitation
from party.invitation.sending import (
    WrittenInvitation,
    authority_pem,
    invitation_path,
    refuse_existing,
    write_invitation,
)
from party.security.certificates import Usage
from party.security.files import write_atomically
from party.security.issuing import check_certificate_name
from party.security.protocol import PROTOCOL

_TEXT = """\
# A run of coordinator {name}, as `coordinator init` wrote it; docs/configuration.md has every key.
coordinator: {name}
tls: {tls}

# `coordinator accept` adds parties here, once you have confirmed the fingerprints of their invitations.
parties: []
label_party:  # the party that holds the labels, as its invitation says
alignment:
  datasets: []  # those that all parties have

output: runs  # folder for histories of runs
training:
  dataset: train
  validation_fraction: 0.1  # of the rows in common, held out to measure on
  epochs: 20  # at most: early_stopping ends a run that no longer improves
  early_stopping: {{metric: val_loss, patience: 2}}
  batch_size: 256
  seed: 1
"""


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """What is to be written for a new coordinator.

    Attributes:
        name: certificate name.
        target: path of the run's file; the other files are written beside it.
        writes_schema: whether the JSON Schema is written beside the run's file.
        force: whether run file and invitation may be replaced; certificates never are.
    """

    name: str
    target: Path
    writes_schema: bool
    force: bool


@dataclass(frozen=True, kw_only=True)
class CreatedRun:
    """What was written for a new coordinator.

    Attributes:
        certificate: its own.
        accepted: the run's file, and the parties that it names.
        invitation: for the parties.
    """

    certificate: OwnCertificate
    accepted: AcceptedPartners
    invitation: WrittenInvitation

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields what was done, in sentences."""
        yield self.certificate.words
        yield from self.accepted.lines(columns)
        yield from self.invitation.lines(columns)
        yield f"for further parties: coordinator accept --config {self.accepted.configuration} INVITATION..."


def create_run(
    new: NewRun,
    received: Sequence[ReceivedInvitation],
    *,
    fingerprints: Sequence[str],
    ask: Ask | None,
    now: datetime,
) -> CreatedRun:
    """Writes certificate, run file and invitation of a coordinator.

    Args:
        new: what to write.
        received: invitations of parties to accept at once, which were shown.
        fingerprints: as their senders told them.
        ask: how to ask for confirmation; None where nobody can be asked.
        now: the current time, with a time zone.

    Returns:
        What was written.

    Raises:
        ConfigurationError: a file exists, or an invitation does not fit.
        IdentityError: the name is unfit, certificates cannot be used, or a fingerprint is not confirmed.
        StorageError: a file cannot be written.
    """
    name, target, home = new.name, new.target, new.target.parent
    check_certificate_name(name)
    invitation = invitation_path(name, home)
    refuse_existing([target, invitation], force=new.force)
    folder = Path("certs") / name
    tls = {"certificate": f"{folder}/{name}.pem", "key": f"{folder}/{name}-key.pem"}
    certificate = made_or_kept(name, Usage.COORDINATOR, home / folder, now=now)
    text = _TEXT.format(name=name, tls=flow_text(tls))
    if new.writes_schema:
        write_atomically(schema_path(target), schema_text(CoordinatorConfiguration, RUN_TITLE).encode())
        text = with_schema_line(text, target)
    accepted = accept(target, run_acceptor(), received, fingerprints=fingerprints, replace=False, ask=ask, text=text)
    written = write_invitation(_invitation(name, tls, home, now), invitation, force=new.force)
    return CreatedRun(certificate=certificate, accepted=accepted, invitation=written)


def invite_for_coordinator(path: Path, *, target: Path | None, force: bool, now: datetime) -> WrittenInvitation:
    """Writes the invitation of a coordinator.

    Args:
        path: the run's file, whose parties may be unknown yet.
        target: the file to write; None names it after the coordinator.
        force: whether it may replace another one.
        now: the current time, with a time zone.

    Returns:
        The file, with its fingerprint.

    Raises:
        ConfigurationError: the run's file cannot be used, or the file exists.
        IdentityError: certificate, key or authority cannot be used.
        StorageError: the file cannot be written.
    """
    content = read_yaml(path)
    name = str(content.get("coordinator", ""))
    check_certificate_name(name)
    invitation = _invitation(name, content.get("tls") or {}, path.parent, now)
    return write_invitation(invitation, target or invitation_path(name, path.parent), force=force)


def _invitation(name: str, tls: Mapping[str, object], folder: Path, now: datetime) -> Invitation:
    section = validate(TlsSection, tls, "tls")
    content = {
        "invitation": VERSION,
        "name": name,
        "role": "coordinator",
        "protocol": PROTOCOL,
        "authority": authority_pem(name, section, folder, usage=Usage.COORDINATOR, now=now),
    }
    return validate(Invitation, content, f"the invitation of {name}")
