"""`party check`: reads configuration, certificate and data without serving."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as TextTable

from party.configuration.labels import group_columns
from party.configuration.large_tables import large_table_lines
from party.configuration.party import PartyConfiguration
from party.data.drawn_rows import negative_lines
from party.data.groups import group_lines
from party.data.join_words import join_lines, key_lines
from party.data.label_remarks import label_remarks
from party.data.labels import label_share, read_labels
from party.data.statistics.checked import CheckedQuality
from party.data.statistics.feature_warnings import percent
from party.data.statistics.profiles import DatasetProfile
from party.data.summary import ColumnSummary, summarise
from party.data.table import Table
from party.errors import SplitError, one_line
from party.monitoring.libraries import require_libraries
from party.privacy.column_words import column_words, privacy_lines
from party.privacy.label_words import label_privacy_lines
from party.runtime.column_keys import PassingColumnKeys
from party.runtime.column_ranges import load_with_columns, range_lines
from party.runtime.tables import Tables
from party.security.authority import check_in_force
from party.security.certificates import Usage, own_identity
from party.security.clock import utc_now
from party.security.randomness import SECRET_BYTES
from party.security.trust import load_trusted

MERGED = "distinct texts are written differently but are the same value; exact: true keeps them apart"


def print_check(path: Path) -> tuple[PartyConfiguration, Tables]:
    """Reads everything that `party serve` would read, and prints a summary.

    Args:
        path: the party's YAML file.

    Returns:
        The configuration and the tables.

    Raises:
        SplitError: what `party serve` would stop with, or the problems of any dataset, all in one error.
    """
    configuration = load_with_columns(path)
    require_libraries({"prometheus": configuration.prometheus, "tensorboard": configuration.tensorboard})
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    _print_identity(configuration, console)
    tables = passing_tables(configuration)
    for line in label_privacy_lines(configuration.data.labels):
        console.print(line)
    _print_privacy(configuration, console)
    columns = configuration.data.feature_columns
    if columns:
        numbered = ", ".join(f"{number} {column}" for number, column in enumerate(columns, 1))
        console.print(one_line(f"columns by number: {numbered}"))
    for line in range_lines(configuration.data):
        console.print(one_line(line))
    for line in join_lines(configuration.data):
        console.print(one_line(line))
    _print_datasets(configuration, tables, console)
    return configuration, tables


def passing_tables(configuration: PartyConfiguration) -> Tables:
    """The party's datasets or tables, drawn with secrets of their own: nothing of a check is stored or sent.

    Args:
        configuration: the party's configuration, with every column found.
    """
    return Tables(
        configuration,
        lambda: PassingColumnKeys(os.urandom),
        negatives_secret=lambda: os.urandom(SECRET_BYTES),
    )


def checked_quality(configuration: PartyConfiguration, tables: Tables, usable: Collection[str]) -> CheckedQuality:
    """Compares the datasets of a party with the one that it trains on, where that one can be used.

    Args:
        configuration: the party's configuration.
        tables: its datasets or tables.
        usable: names of those that can be used.
    """
    compared = configuration.compared_dataset
    return CheckedQuality(
        configuration, tables.table(compared) if compared is not None and compared in usable else None
    )


def _print_datasets(configuration: PartyConfiguration, tables: Tables, console: Console) -> None:
    """Prints every dataset that can be used; the error has all problems of the others."""
    problems = {dataset: tables.problems(dataset) for dataset in tables.names}
    sizes: dict[str, int] = {}
    quality = checked_quality(configuration, tables, [name for name, found in problems.items() if not found])
    for dataset in tables.names:
        if problems[dataset]:
            continue
        for summary in _print_dataset(configuration, tables, dataset, console):
            sizes[summary.name] = max(summary.size, sizes.get(summary.name, 0))
        _print_quality(quality, tables.table(dataset), console)
    for line in large_table_lines(configuration, sizes):
        console.print(one_line(line))
    found = [problem for several in problems.values() for problem in several]
    if found:
        raise _together(found)


def _print_quality(quality: CheckedQuality, table: Table, console: Console) -> None:
    """Prints statistics and warnings of a dataset that can be used."""
    profile, lines = quality.tell(table)
    for one in (*(() if profile is None else _statistics_tables(profile)), *lines):
        console.print(one)


def _statistics_tables(profile: DatasetProfile) -> list[TextTable]:
    """The cells of all features, and then the numbers of those that have any, as the feature bounds them."""
    cells = _titled(f"cells of {profile.dataset}", ("missing", "unknown", "distinct"))
    for feature in profile.features:
        shares = [percent(count, feature.rows) for count in (feature.missing, feature.unknown)]
        cells.add_row(one_line(feature.name), *shares, f"{feature.distinct:,}")
    numbers = _titled(f"numbers of {profile.dataset}", ("least", "greatest", "mean", "deviation", "outliers"))
    for feature in profile.features:
        found = feature.numbers
        if found is not None:
            figures = (found.least, found.greatest, found.mean, found.deviation)
            texts = [f"{figure:.4g}" for figure in figures]
            numbers.add_row(one_line(feature.name), *texts, percent(found.outliers, found.rows))
    return [cells, numbers] if numbers.row_count else [cells]


def _titled(title: str, columns: Iterable[str]) -> TextTable:
    text = TextTable(title=one_line(title), title_justify="left")
    text.add_column("feature")
    for column in columns:
        text.add_column(column, justify="right")
    return text


def _together(problems: Sequence[SplitError]) -> SplitError:
    """The error of a check: the problem itself if it is the only one, otherwise all of them, numbered, in one line."""
    if len(problems) == 1:
        return problems[0]
    numbered = " ".join(f"({number}) {problem}" for number, problem in enumerate(problems, start=1))
    return type(problems[0])(f"{len(problems)} problems: {numbered}")


def _print_identity(configuration: PartyConfiguration, console: Console) -> None:
    tls = configuration.tls
    certificate, key = configuration.path(tls.certificate), configuration.path(tls.key)
    identity = own_identity(configuration.party, certificate, key, usage=Usage.PARTY, now=utc_now())
    for known, usage in ((configuration.peers, Usage.PARTY), (configuration.coordinators, Usage.COORDINATOR)):
        trusted = load_trusted(known, configuration.folder)
        for one in known:
            check_in_force(trusted[one.name].authorities, usage, utc_now(), configuration.path(one.ca))
    role = "label party" if configuration.holds_labels else "feature party"
    expiry = identity.chain[0].not_valid_after_utc
    console.print(f"party {configuration.party} ({role})")
    console.print(f"certificate name {identity.name}, expires {expiry:%Y-%m-%d %H:%M} UTC")
    console.print(f"peers: {', '.join(peer.name for peer in configuration.peers)}")
    console.print(f"coordinators: {', '.join(one.name for one in configuration.coordinators)}")
    for warning in configuration.warnings:
        console.print(f"warning: {warning}")


def _print_privacy(configuration: PartyConfiguration, console: Console) -> None:
    for line in privacy_lines(configuration):
        console.print(one_line(line))
    section = configuration.privacy.columns
    if section is None:
        return
    # A guesser to whom all symbols are equally likely is right as often as a cell stays true.
    text = TextTable(title="private columns", title_justify="left")
    for column in ("column", "cells"):
        text.add_column(column)
    for column in ("symbols", "epsilon", "blind guess", "best guess"):
        text.add_column(column, justify="right")
    for one in column_words(section):
        shares = (f"{100 * share:.0f} %" for share in (one.blind, one.stays))
        text.add_row(one_line(one.name), one.kind, f"{one.symbols:,}", f"{section.share:.3g}", *shares)
    console.print(text)


def _print_dataset(
    configuration: PartyConfiguration, tables: Tables, dataset: str, console: Console
) -> tuple[ColumnSummary, ...]:
    table = tables.table(dataset)
    data = configuration.data
    title = one_line(f"{'table ' if data.tables else ''}{dataset}: {table.path.name}, {table.rows:,} rows")
    text = TextTable(title=title, title_justify="left")
    for column in ("feature", "type"):
        text.add_column(column)
    for column in ("vocabulary size", "values per row", "missing"):
        text.add_column(column, justify="right")
    summary = summarise(configuration.party, data, table)
    merged = []
    for one in summary.columns:
        counts = (f"{count:,}" for count in (one.size, one.width, one.missing))
        text.add_row(one_line(one.name), one.kind, *counts)
        if one.merged:
            merged.append(f"feature {one.name}: {one.merged:,} {MERGED}")
    console.print(text)
    for note in table.notes:
        console.print(one_line(f"{dataset}: {note}"))
    for line in merged:
        console.print(one_line(line))
    for remark in summary.remarks:
        console.print(one_line(f"warning: {remark}"))
    for line in (*negative_lines(table), *key_lines(table)):
        console.print(one_line(line))
    if data.labels and dataset not in data.unlabelled:
        trained_on = configuration.trains_on(dataset)
        labels = read_labels(configuration.party, data, table.columns, table.path.name, weighted=trained_on)
        for place, (name, label) in enumerate(data.labels.items()):
            console.print(one_line(f"label {name}, {label_share(label, labels.values[:, place])}"))
        remarks = (f"warning: {one}" for one in label_remarks(data.labels, table.columns))
        for line in (*remarks, *group_lines(table.columns, group_columns(data.labels))):
            console.print(one_line(line))
        for line in unlabelled_words(table, int((~labels.known).sum())):
            console.print(one_line(line))
    return summary.columns


def unlabelled_words(table: Table, unlabelled: int) -> list[str]:
    """What becomes of the rows of a dataset that have no label yet.

    Args:
        table: the dataset, without the rows that are left out.
        unlabelled: number of rows in it that lack a label.
    """
    said = []
    if table.left_out:
        said.append(
            f"{table.left_out:,} of {table.rows + table.left_out:,} rows have no label yet and are left out, as"
            f" {table.dataset} is trained on (data.unlabelled_rows: drop); to predict them, name the file as another"
            " dataset too"
        )
    if unlabelled:
        said.append(
            f"{unlabelled:,} of {table.rows:,} rows have no label yet: they are predicted, and left out of metrics"
            " (data.unlabelled_rows: drop)"
        )
    return said
