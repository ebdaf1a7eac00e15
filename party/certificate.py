"""The subcommand `certificate` of `party` and `coordinator`: an organisation's authority and its one certificate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from party.security.certificates import Usage
    from party.security.issuing import OrganisationFiles

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
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    def certificate(name: str, *, folder: Path | None, days: int | None, renew: bool, debug: bool) -> None:
        def run() -> None:
            from party.security.certificates import Usage  # noqa: PLC0415

            click.echo(made_certificate(name, Usage[role.upper()], folder or Path("certs") / name, days, renew=renew))

        run_command(run, debug)

    certificate.help = f"Makes the authority and the certificate of the {role} NAME, and prints what to hand to whom."
    return certificate


def made_certificate(name: str, usage: Usage, folder: Path, days: int | None, *, renew: bool) -> str:
    """Writes an organisation's files, and explains what to do with each.

    Args:
        name: certificate name.
        usage: party or coordinator.
        folder: for the four files; made with mode 0700.
        days: how long the certificate is valid; None means a year.
        renew: keep the authority, and replace certificate and key.

    Returns:
        Lines for the owner, without any secret.

    Raises:
        IdentityError: the name is unfit, files would be overwritten, or there is no authority to keep.
        StorageError: a file cannot be written, or the folder is open to others.
    """
    from party.security.certificates import load_chain, spki_sha256  # noqa: PLC0415
    from party.security.clock import utc_now  # noqa: PLC0415
    from party.security.issuing import LEAF_DAYS, write_organisation  # noqa: PLC0415

    files = write_organisation(name, usage, folder, now=utc_now(), days=days or LEAF_DAYS, renew=renew)
    return _hand_over_text(files, usage, spki_sha256(load_chain(files.certificate)[0]), renew)


def _hand_over_text(files: OrganisationFiles, usage: Usage, pin: str, renew: bool) -> str:
    is_party = usage.name == "PARTY"
    lines = [
        f"Keep {files.certificate} and {files.key} beside this {usage.name.lower()}'s configuration.",
        f"Never hand over {files.key.name} or {files.authority_key.name}; keep the latter off this machine if you can.",
    ]
    if renew:
        lines.append("The authority is unchanged: only partners that pin spki_sha256 need the new value below.")
    else:
        lines.append(f"Hand {files.authority.name} to each partner, over a channel that you trust.")
    others = "The other parties add" if is_party else "The parties add"
    lines.append(f"{others} to their configuration (spki_sha256 is optional, and changes with every --renew):")
    lines += _section(files, "peers" if is_party else "coordinators", pin, [])
    if is_party:
        lines += ["", "The coordinator adds to the run's configuration, with your host and the port of listen:"]
        lines += _section(files, "parties", pin, ["    address: HOST:PORT"])
    return "\n".join(lines)


def _section(files: OrganisationFiles, key: str, pin: str, address: list[str]) -> list[str]:
    name, authority = f"  - name: {files.name}", f"    ca: certs/{files.authority.name}"
    return ["", f"{key}:", name, *address, authority, f"    spki_sha256: {pin}"]
