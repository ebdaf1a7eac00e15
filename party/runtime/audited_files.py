"""The files of a run that is audited, if they are still those that it was trained with."""

from __future__ import annotations

from collections.abc import Collection

from party.configuration.party import PartyConfiguration
from party.data.table import Table, read_table
from party.errors import DataError
from party.runtime.fingerprint import DATA_FILE, HELD_OUT_FILE
from party.runtime.records import RunRecord
from party.runtime.tables import file_rules


def audited_rows(
    configuration: PartyConfiguration, record: RunRecord, datasets: tuple[str, str], columns: Collection[str]
) -> Table:
    """Reads the rows of a run with their true cells, also of private columns.

    Args:
        configuration: the party's configuration.
        record: record of the run.
        datasets: the dataset to train on, and the one that the run held out besides; empty without one.
        columns: columns to read.

    Returns:
        The rows to train on, then those held out.

    Raises:
        DataError: a file is not that of the run, or cannot be used.
    """
    dataset, held_out = datasets
    first = _file(configuration, record, columns, (dataset, DATA_FILE))
    if not held_out or configuration.data.tables:
        return first
    return first.followed_by(_file(configuration, record, columns, (held_out, HELD_OUT_FILE)))


def differs(configuration: PartyConfiguration, record: RunRecord, name: str) -> DataError:
    """Makes the error for something that is not as it was in the run.

    Args:
        configuration: the party's configuration.
        record: record of the run.
        name: what differs, as the fingerprint names it.
    """
    return DataError(
        f"{name} differs from that of the run",
        where=f"{configuration.party}: run {record.run_id[:8]}",
        fix="audit a run with the files and settings that it was trained with",
    )


def _file(
    configuration: PartyConfiguration, record: RunRecord, columns: Collection[str], file: tuple[str, str]
) -> Table:
    """A dataset's file, or that of any table, that has the digest under a key of the fingerprint."""
    (dataset, key), data = file, configuration.data
    if not data.tables and dataset not in data.datasets:
        raise DataError(f"dataset {dataset} of the run is not configured any more", where=configuration.party)
    for name in sorted(data.tables) or [dataset]:
        path = configuration.path(data.files[name])
        table = read_table(configuration.party, name, path, columns=columns, rules=file_rules(configuration))
        if table.sha256 == record.fingerprint.get(key):
            return table
    raise differs(configuration, record, key)
