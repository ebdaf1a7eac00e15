"""The keys of the draws of private columns: those of the state folder, or some that nobody uses again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from party.configuration.budgets import SecretName
from party.configuration.party import PartyConfiguration
from party.data.table import Table
from party.privacy.symbol_draws import SECRET_BYTES
from party.privacy.value_digests import ValueDigests
from party.runtime.charges import Protection
from party.runtime.generations import PRIVACY_FOLDER, Generations

COLUMNS: SecretName = "columns"


class StoredColumnKeys:
    """The secret and the generations in the state folder, the same at every start.

    Args:
        configuration: the party's configuration.
        random_bytes: source of fresh randomness.
        charged: the highest generation that any session was charged for; 0 if none was.

    Raises:
        StorageError: the folder cannot be used, or the secret is damaged.
    """

    def __init__(
        self,
        configuration: PartyConfiguration,
        random_bytes: Callable[[int], bytes],
        charged: Callable[[SecretName], int],
    ) -> None:
        folder = configuration.path(configuration.state) / PRIVACY_FOLDER / COLUMNS
        pinned = configuration.pinned_secret
        secret = None if pinned is None else bytes.fromhex(pinned)
        self._generations = Generations(folder, COLUMNS, random_bytes, secret)
        self._charged = charged

    def find(self, form: bytes, ids: Iterable[str], values: Iterable[bytes]) -> tuple[bytes, int]:
        """See `DrawKeys`."""
        secret = self._generations.secret
        table = ValueDigests.of_table(secret, ids, values)
        return secret, self._generations.find(form, table, self._charged(COLUMNS))


class PassingColumnKeys:
    """A secret that is stored nowhere, for a process that sends nothing.

    Args:
        random_bytes: source of fresh randomness.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._secret = random_bytes(SECRET_BYTES)

    def find(self, form: bytes, ids: Iterable[str], values: Iterable[bytes]) -> tuple[bytes, int]:
        """See `DrawKeys`."""
        return self._secret, 1


def column_protection(configuration: PartyConfiguration, table: Table) -> Protection | None:
    """The mechanism that a party's columns pass before anything is released of them.

    Args:
        configuration: the party's configuration.
        table: the table that a session reads.

    Returns:
        None where the columns are released as they are.
    """
    section = configuration.privacy.columns
    if section is None or table.generation is None:
        return None
    return Protection(secret=COLUMNS, generation=table.generation, epsilon=section.epsilon)
