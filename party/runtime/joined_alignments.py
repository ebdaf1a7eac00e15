"""The stored alignments of a party whose rows, or whose tables, are joined."""

from __future__ import annotations

import json

from party.alignment.joined_store import JoinedAlignment
from party.configuration.joins import JoinSection
from party.configuration.party import PartyConfiguration
from party.data.table import Table
from party.errors import ConfigurationError
from party.runtime.context import PartyContext
from party.security.row_secret import pinned_order_secret


def joins_of_run(configuration: PartyConfiguration, parties: tuple[str, ...]) -> tuple[JoinSection, ...]:
    """The label party's joins with the feature parties of a run, ascending by peer.

    Args:
        configuration: the label party's configuration.
        parties: parties of the run.

    Raises:
        ConfigurationError: a feature party of the run has none.
    """
    by_peer = {join.peer: join for join in configuration.data.joins}
    peers = sorted(name for name in parties if name != configuration.party)
    lacking = [peer for peer in peers if peer not in by_peer]
    if lacking:
        what = f"data.joins has no join for {lacking[0]}, which the run names"
        raise ConfigurationError(what, where=configuration.party, fix="add it, or leave the party out of the run")
    return tuple(by_peer[peer] for peer in peers)


def label_terms(configuration: PartyConfiguration, parties: tuple[str, ...]) -> str:
    """What an alignment at the label party depends on besides its files and parties.

    Args:
        configuration: the label party's configuration.
        parties: parties of the run.
    """
    joins = [join.model_dump(mode="json") for join in joins_of_run(configuration, parties)]
    return json.dumps({"id": configuration.data.id, "joins": joins}, sort_keys=True)


def table_terms(configuration: PartyConfiguration) -> str:
    """What an alignment at a feature party depends on besides its table and the parties.

    Args:
        configuration: the feature party's configuration.
    """
    data = configuration.data
    return json.dumps({"id": data.id, "transforms": data.transforms, "transformed": data.transformed}, sort_keys=True)


def valid_join(context: PartyContext, dataset: str, parties: tuple[str, ...]) -> tuple[Table, JoinedAlignment] | None:
    """The alignment of a dataset by joins, if it is still valid, and the file that it has rows of.

    Args:
        context: the party's context.
        dataset: name of the label party's dataset.
        parties: names of all parties of the run, ascending.

    Returns:
        The dataset at the label party, or the feature party's table, and the alignment; None if none is valid.

    Raises:
        DataError: the file cannot be used.
        StorageError: the stored alignment is damaged.
    """
    configuration = context.configuration
    stored = context.alignments.joined.load(dataset, parties)
    if stored is None:
        return None
    if configuration.holds_labels:
        file, terms = dataset, label_terms(configuration, parties)
    else:
        file, terms = stored.table, table_terms(configuration)
    if stored.terms != terms or stored.table != file or file not in configuration.data.files:
        return None
    table = context.tables.table(file)
    return (table, stored) if stored.data_sha256 == bytes.fromhex(table.sha256) else None


def order_secret(context: PartyContext) -> bytes:
    """The secret of the order that the label party puts rows in before a peer sees a map of them, 32 bytes.

    Args:
        context: the label party's context.

    Raises:
        StorageError: the state folder's file of it is damaged, or cannot be written.
    """
    pinned = context.configuration.pinned_secret
    if pinned is not None:
        return pinned_order_secret(bytes.fromhex(pinned))
    return context.alignments.joined.order_secret(context.random_bytes)
