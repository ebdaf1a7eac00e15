"""The subcommand `certificate` of `party` and `coordinator`: an organisation's authority and its one certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from party.output.results import json_option, print_result

if TYPE_CHECKING:
    from party.security.certificates import Usage

PARTY = "party"
RunCommand = Callable[[Callable[[], None], bool], None]


def certificate_command(role: str, run_command: RunCommand) -> click.Command:
    """Makes the subcommand for one role.

    Args:
        role: name of a `Usage` in lower case, party or coordinator.
        run_command: runs a function and turns its errors into a line and an exit code; its second argument chooses
            tracebacks instead.

    Returns:
        The subcommand.
    """

    @click.command("certificate", short_help="Makes an organisation's authority and certificate.")
    @click.argument("name")
    @click.option(
        "--folder", type=click.Path(path_type=Path, file_okay=False), help="For the files.  [default: certs/NAME]"
    )
    @click.option("--days", type=click.IntRange(min=1), default=None, help="Validity.  [default: a year]")
    @click.option("--renew", is_flag=True, help="Keep the authority; replace certificate and key.")
    @json_option
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    def certificate(
        name: str, *, folder: Path | None, days: int | None, renew: bool, as_json: bool, debug: bool
    ) -> None:
        def run() -> None:
            from party.security.certificates import Usage  # noqa: PLC0415

            made = made_certificate(name, Usage[role.upper()], folder or Path("certs") / name, days, renew=renew)
            print_result(f"{role} certificate", made, as_json=as_json)

        run_command(run, debug)

    certificate.help = f"Makes the authority and the certificate of the {role} NAME, and prints what to hand to whom."
    return certificate


@dataclass(frozen=True, kw_only=True)
class MadeCertificate:
    """An organisation's authority and certificate; no secret.

    Attributes:
        name: certificate name.
        role: party or coordinator.
        certificate: file of the certificate.
        key: file of its key.
        authority: file of the authority's certificate, for partners.
        authority_key: file of the authority's key.
        spki_sha256: digest of the certificate's public key, hexadecimal.
        is_renewed: whether the authority was kept.
    """

    name: str
    role: str
    certificate: Path
    key: Path
    authority: Path
    authority_key: Path
    spki_sha256: str
    is_renewed: bool

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields what to keep, and what to hand to whom."""
        yield f"Keep {self.certificate} and {self.key} beside this {self.role}'s configuration."
        keys = f"{self.key.name} or {self.authority_key.name}"
        yield f"Never hand over {keys}; keep the latter off this machine if you can."
        if self.is_renewed:
            yield "The authority is unchanged: only partners that pin spki_sha256 need the new value below."
        else:
            yield f"Hand {self.authority.name} to each partner, over a channel that you trust."
        is_party = self.role == PARTY
        others = "The other parties add" if is_party else "The parties add"
        yield f"{others} to their configuration (spki_sha256 is optional, and changes with every --renew):"
        yield from self._section("peers" if is_party else "coordinators", [])
        if is_party:
            yield ""
            yield "The coordinator adds to the run's configuration, with your host and the port of listen:"
            yield from self._section("parties", ["    address: HOST:PORT"])

    def _section(self, key: str, address: list[str]) -> list[str]:
        """A section of YAML, which stays one where a narrow terminal breaks its lines."""
        name, authority = f"  - name: {self.name}", f"    ca: certs/{self.authority.name}"
        return ["", f"{key}:", name, *address, authority, f"    spki_sha256: {self.spki_sha256}"]


def made_certificate(name: str, usage: Usage, folder: Path, days: int | None, *, renew: bool) -> MadeCertificate:
    """Writes an organisation's files.

    Args:
        name: certificate name.
        usage: party or coordinator.
        folder: for the four files; made with mode 0700.
        days: how long the certificate is valid; None means a year.
        renew: keep the authority, and replace certificate and key.

    Returns:
        The files.

    Raises:
        IdentityError: the name is unfit, files would be overwritten, or there is no authority to keep.
        StorageError: a file cannot be written, or the folder is open to others.
    """
    from party.security.certificates import load_chain, spki_sha256  # noqa: PLC0415
    from party.security.clock import utc_now  # noqa: PLC0415
    from party.security.issuing import LEAF_DAYS, write_organisation  # noqa: PLC0415

    files = write_organisation(name, usage, folder, now=utc_now(), days=days or LEAF_DAYS, renew=renew)
    return MadeCertificate(
        name=files.name,
        role=usage.name.lower(),
        certificate=files.certificate,
        key=files.key,
        authority=files.authority,
        authority_key=files.authority_key,
        spki_sha256=spki_sha256(load_chain(files.certificate)[0]),
        is_renewed=renew,
    )
