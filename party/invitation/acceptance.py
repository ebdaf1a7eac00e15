"""Accepting invitations: the authorities become files, and the configuration names them."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from party.configuration.edited_yaml import with_entry, with_value
from party.configuration.yaml_file import parse_yaml, usable_path
from party.errors import ConfigurationError, IdentityError, StorageError
from party.invitation.accepted import AcceptedPartner, Change, accepted_partner
from party.invitation.changed_settings import changed_settings
from party.invitation.received import ReceivedInvitation
from party.security.files import FILE_MODE, make_folder, write_atomically
from party.security.trust import load_authorities

CERTIFICATES = "certs"
LABEL_PARTY = "label_party"
REPLACE = "--replace, if that organisation says that it has a new authority"


@dataclass(frozen=True, kw_only=True)
class Acceptor:
    """How a kind of configuration names partners.

    Attributes:
        own_key: the key with the own name.
        list_of: finds the list that an organisation of a role belongs to; raises an error if there is none.
        lists: all lists of partners.
        entry: further keys of the entry of an organisation.
        settled: makes the further changes that follow from an invitation, of the file's text.
    """

    own_key: str
    list_of: Callable[[ReceivedInvitation], str]
    lists: Sequence[str]
    entry: Callable[[ReceivedInvitation], Mapping[str, str]]
    settled: Callable[[str, ReceivedInvitation, Path], str]


class Acceptance:
    """Changes of one configuration file that are written together, or not at all.

    Args:
        path: the configuration file.
        acceptor: how it names partners.
        replace: whether another authority may take the place of a known one.
        text: of the file, where it is yet to be written.

    Attributes:
        partners: who was taken in.

    Raises:
        ConfigurationError: the file cannot be read.
    """

    def __init__(self, path: Path, acceptor: Acceptor, *, replace: bool, text: str | None = None) -> None:
        self._path, self._acceptor, self._replace = usable_path(path), acceptor, replace
        self._is_new = text is not None
        self._read = self._text = self._content() if text is None else text
        self._files: dict[Path, bytes] = {}
        self.partners: list[AcceptedPartner] = []

    def add(self, received: ReceivedInvitation) -> None:
        """Takes an organisation into the configuration.

        Args:
            received: its invitation, which its owner has confirmed.

        Raises:
            ConfigurationError: it does not fit the configuration.
            IdentityError: its name is known with another authority.
        """
        invitation, content = received.invitation, parse_yaml(self._text, self._path)
        key = self._acceptor.list_of(received)
        self._check_name(received, content, key)
        known = {one.get("name"): place for place, one in enumerate(_entries(content, key)) if isinstance(one, dict)}
        if invitation.name in known:
            change = self._renew(received, content[key][known[invitation.name]], (key, known[invitation.name]))
        else:
            change = self._insert(received, key)
        before, self._text = self._text, self._acceptor.settled(self._text, received, self._path)
        settings = changed_settings(parse_yaml(before, self._path), parse_yaml(self._text, self._path))
        self.partners.append(accepted_partner(received, change, section=key, settings=tuple(settings)))

    def write(self) -> None:
        """Writes the authorities, then the configuration.

        Raises:
            ConfigurationError: somebody changed the configuration since it was read.
            StorageError: a file cannot be written.
        """
        if not self._is_new and self._content() != self._read:
            # The question may have stood open for long: a name that was removed meanwhile must not come back.
            raise ConfigurationError("was changed meanwhile", where=self._path, fix="accept once more")
        for path, content in self._files.items():
            try:
                make_folder(path.parent)
            except OSError as error:
                raise StorageError(f"cannot be created ({error.__class__.__name__})", where=path.parent) from error
            write_atomically(path, content)
        mode = stat.S_IMODE(self._path.stat().st_mode) if self._path.exists() else FILE_MODE
        write_atomically(self._path, self._text.encode())
        self._path.chmod(mode)

    def _content(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"cannot be read ({error.__class__.__name__})", where=self._path, fix="check --config"
            ) from error

    def _check_name(self, received: ReceivedInvitation, content: Mapping[str, Any], key: str) -> None:
        name, others = received.invitation.name, set(self._acceptor.lists) - {key}
        taken = {one.get("name") for other in others for one in _entries(content, other) if isinstance(one, dict)}
        if name == content.get(self._acceptor.own_key) or name in taken:
            raise ConfigurationError(
                f"the name {name} is taken in {self._path.name}",
                where=received.path,
                expected="a name of its own for every organisation",
            )

    def _insert(self, received: ReceivedInvitation, key: str) -> Change:
        name = received.invitation.name
        relative = f"{CERTIFICATES}/{name}-ca.pem"
        target = self._path.parent / relative
        if target.exists() and not self._is_same(target, received.authority):
            if not self._replace:
                raise _other_authority(received, target)
            self._require_own_file(name, target)
        self._files[target] = received.pem
        entry = {"name": name, **self._acceptor.entry(received), "ca": relative}
        self._text = with_entry(self._text, key, entry, self._path)
        return Change.ADDED

    def _renew(self, received: ReceivedInvitation, entry: Mapping[str, Any], place: tuple[str, int]) -> Change:
        """Takes the invitation of a name that is known already."""
        name = received.invitation.name
        target = self._path.parent / str(entry.get("ca", ""))
        is_same = self._is_same(target, received.authority)
        if not is_same and not self._replace:
            raise _other_authority(received, target)
        if not is_same and "spki_sha256" in entry:
            raise ConfigurationError(
                f"pins the key of {name}",
                where=self._path,
                fix="remove spki_sha256 of this name, which pins the old one",
            )
        changed = [key for key, value in self._acceptor.entry(received).items() if entry.get(key) != value]
        if changed and not self._replace:
            raise ConfigurationError(
                f"{name} is known with another {' and '.join(changed)}",
                where=received.path,
                fix=f"add {REPLACE.replace('authority', changed[0])}",
            )
        for key in changed:
            value = self._acceptor.entry(received)[key]
            self._text = with_value(self._text, (*place, key), value, self._path)
        if not is_same:
            self._require_own_file(name, target)
            self._files[target] = received.pem
        return Change.REPLACED if changed or not is_same else Change.NONE

    def _require_own_file(self, name: str, target: Path) -> None:
        """Refuses to replace an authority that vouches for another name too: it would change whom that name means."""
        content = parse_yaml(self._text, self._path)
        entries = [one for key in self._acceptor.lists for one in _entries(content, key) if isinstance(one, dict)]
        sharing = [
            str(one.get("name"))
            for one in entries
            if one.get("name") != name and (self._path.parent / str(one.get("ca", ""))).resolve() == target.resolve()
        ]
        if sharing:
            raise ConfigurationError(
                f"{target.name} vouches for {', '.join(sharing)} too",
                where=self._path,
                expected="a file of its own for every name whose authority changes",
                fix=f"copy it, and name the copy in the ca of {name}",
            )

    def _is_same(self, target: Path, authority: x509.Certificate) -> bool:
        written = self._files.get(target)
        if written is not None:
            return x509.load_pem_x509_certificate(written) == authority
        return target.is_file() and load_authorities(target) == (authority,)


def settled_label_party(text: str, received: ReceivedInvitation, path: Path, *, own_name: str = "") -> str:
    """Names the label party in a configuration that does not do so yet.

    Args:
        text: of the configuration file.
        received: an invitation.
        path: the configuration file.
        own_name: name of this party; empty at a coordinator.

    Returns:
        The text, changed or not.

    Raises:
        ConfigurationError: there would be two label parties, or the invitation contradicts the file.
    """
    invitation = received.invitation
    named = parse_yaml(text, path).get(LABEL_PARTY)
    if invitation.role == LABEL_PARTY and named is None:
        return with_value(text, (LABEL_PARTY,), invitation.name, path)
    is_label_party = invitation.role == LABEL_PARTY
    if is_label_party and named != invitation.name:
        other = "this party holds labels too" if named == own_name else f"{path.name} names another label party"
        raise ConfigurationError(
            f"{invitation.name} holds labels, and {other}", where=received.path, expected="one label party in a run"
        )
    if not is_label_party and named == invitation.name:
        raise ConfigurationError(
            f"{path.name} names {named} as the label party, and its invitation says that it is a"
            f" {invitation.role_words}",
            where=received.path,
            fix="ask that organisation, and correct label_party",
        )
    return text


def _entries(content: Mapping[str, Any], key: str) -> Sequence[Any]:
    """The entries of a list as the file has them, none where there is no list."""
    entries = content.get(key)
    return entries if isinstance(entries, list) else ()


def _other_authority(received: ReceivedInvitation, known: Path) -> IdentityError:
    return IdentityError(
        f"{received.invitation.name} is known with another authority ({known.name})",
        where=received.path,
        fix=f"do not accept it before you have asked that organisation; then add {REPLACE}",
    )
