"""`party check`: reads configuration, certificate and data without serving."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from party.checked import (
    CheckedCells,
    CheckedCertificate,
    CheckedDataset,
    CheckedFeature,
    CheckedNegatives,
    CheckedNumbers,
    CheckedParty,
    CheckedPrivateColumn,
    without_warnings,
)
from party.configuration.labels import group_columns
from party.configuration.large_tables import large_table_lines
from party.configuration.party import PartyConfiguration
from party.data.drawn_rows import negative_lines
from party.data.groups import group_counts
from party.data.join_words import join_lines, key_counts
from party.data.label_facts import LabelFacts, facts_of_labels
from party.data.label_remarks import label_remarks
from party.data.labels import read_labels
from party.data.statistics.checked import CheckedQuality
from party.data.statistics.profiles import FeatureProfile
from party.data.summary import ColumnSummary, summarise
from party.data.table import Table
from party.errors import SplitError, one_line
from party.monitoring.libraries import require_libraries
from party.output.results import print_result
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


def print_check(path: Path, *, as_json: bool = False) -> tuple[PartyConfiguration, Tables]:
    """Reads everything that `party serve` would read, and prints what was found.

    Args:
        path: the party's YAML file.
        as_json: whether as one JSON document.

    Returns:
        The configuration and the tables.

    Raises:
        SplitError: what `party serve` would stop with, or the problems of any dataset, all in one error.
    """
    configuration = load_with_columns(path)
    require_libraries({"prometheus": configuration.prometheus, "tensorboard": configuration.tensorboard})
    certificate = _certificate(configuration)
    tables = passing_tables(configuration)
    problems = {dataset: tables.problems(dataset) for dataset in tables.names}
    print_result("party check", _checked(configuration, certificate, tables, problems), as_json=as_json)
    found = [problem for several in problems.values() for problem in several]
    if found:
        raise _together(found)
    return configuration, tables


def _checked(
    configuration: PartyConfiguration,
    certificate: CheckedCertificate,
    tables: Tables,
    problems: Mapping[str, Sequence[SplitError]],
) -> CheckedParty:
    usable = [name for name, found in problems.items() if not found]
    quality = checked_quality(configuration, tables, usable)
    datasets = tuple(_dataset(configuration, tables.table(name), quality) for name in usable)
    sizes: dict[str, int] = {}
    for feature in (feature for dataset in datasets for feature in dataset.features):
        sizes[feature.name] = max(feature.vocabulary_size, sizes.get(feature.name, 0))
    data = configuration.data
    protections, weak = without_warnings((*label_privacy_lines(data.labels), *privacy_lines(configuration)))
    return CheckedParty(
        party=configuration.party,
        role="label party" if configuration.holds_labels else "feature party",
        certificate=certificate,
        peers=tuple(peer.name for peer in configuration.peers),
        coordinators=tuple(one.name for one in configuration.coordinators),
        protections=protections,
        private_columns=tuple(_private_columns(configuration)),
        columns=tuple(data.feature_columns),
        joins=(*range_lines(data), *join_lines(data)),
        datasets=datasets,
        large_tables=tuple(large_table_lines(configuration, sizes)),
        warnings=(*configuration.warnings, *weak),
        problems=tuple(str(problem) for several in problems.values() for problem in several),
    )


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


def _together(problems: Sequence[SplitError]) -> SplitError:
    """The error of a check: the problem itself if it is the only one, otherwise all of them, numbered, in one line."""
    if len(problems) == 1:
        return problems[0]
    numbered = " ".join(f"({number}) {problem}" for number, problem in enumerate(problems, start=1))
    return type(problems[0])(f"{len(problems)} problems: {numbered}")


def _certificate(configuration: PartyConfiguration) -> CheckedCertificate:
    """Reads the certificate of the party and those of its partners.

    Raises:
        IdentityError: one of them cannot be used.
    """
    tls = configuration.tls
    certificate, key = configuration.path(tls.certificate), configuration.path(tls.key)
    identity = own_identity(configuration.party, certificate, key, usage=Usage.PARTY, now=utc_now())
    for known, usage in ((configuration.peers, Usage.PARTY), (configuration.coordinators, Usage.COORDINATOR)):
        trusted = load_trusted(known, configuration.folder)
        for one in known:
            check_in_force(trusted[one.name].authorities, usage, utc_now(), configuration.path(one.ca))
    return CheckedCertificate(name=identity.name, expires=identity.chain[0].not_valid_after_utc)


def _private_columns(configuration: PartyConfiguration) -> Iterator[CheckedPrivateColumn]:
    section = configuration.privacy.columns
    if section is None:
        return
    # A guesser to whom all symbols are equally likely is right as often as a cell stays true.
    for one in column_words(section):
        yield CheckedPrivateColumn(
            column=one.name,
            cells=one.kind,
            symbols=one.symbols,
            epsilon=section.share,
            blind_guess=one.blind,
            best_guess=one.stays,
        )


def _dataset(configuration: PartyConfiguration, table: Table, quality: CheckedQuality) -> CheckedDataset:
    data, dataset = configuration.data, table.dataset
    summary = summarise(configuration.party, data, table)
    profile, lines = quality.tell(table)
    keys = tuple(key_counts(table))
    has_labels = bool(data.labels) and dataset not in data.unlabelled
    labels, unlabelled = _labels(configuration, table) if has_labels else ((), 0)
    notes = (*(f"{dataset}: {note}" for note in table.notes), *negative_lines(table), *_unlabelled(table, unlabelled))
    missing_keys = (f"{dataset}: {key.warning}" for key in keys if key.warning)
    remarks = label_remarks(data.labels, table.columns) if has_labels else ()
    _, told = without_warnings(lines)
    return CheckedDataset(
        name=dataset,
        is_table=bool(data.tables),
        file=table.path.name,
        rows=table.rows,
        left_out_rows=table.left_out,
        unlabelled_rows=unlabelled,
        features=tuple(map(_feature, summary.columns)),
        cells=() if profile is None else tuple(map(_cells, profile.features)),
        labels=labels,
        groups=tuple(group_counts(table.columns, group_columns(data.labels))) if has_labels else (),
        keys=keys,
        negatives=_negatives(table),
        notes=tuple(map(one_line, notes)),
        warnings=(*map(one_line, (*summary.remarks, *missing_keys, *remarks)), *told),
    )


def _labels(configuration: PartyConfiguration, table: Table) -> tuple[tuple[LabelFacts, ...], int]:
    """The labels of a dataset, and the number of rows that lack them."""
    data, is_weighted = configuration.data, configuration.trains_on(table.dataset)
    read = read_labels(configuration.party, data, table.columns, table.path.name, weighted=is_weighted)
    return tuple(facts_of_labels(data.labels, read.values)), int((~read.known).sum())


def _feature(found: ColumnSummary) -> CheckedFeature:
    return CheckedFeature(
        name=found.name,
        type=found.kind,
        vocabulary_size=found.size,
        values_per_row=found.width,
        missing=found.missing,
        merged=found.merged,
    )


def _cells(feature: FeatureProfile) -> CheckedCells:
    numbers = feature.numbers
    return CheckedCells(
        feature=feature.name,
        rows=feature.rows,
        missing=feature.missing,
        unknown=feature.unknown,
        distinct=feature.distinct,
        numbers=None
        if numbers is None
        else CheckedNumbers(
            rows=numbers.rows,
            least=float(numbers.least),
            greatest=float(numbers.greatest),
            mean=float(numbers.mean),
            deviation=float(numbers.deviation),
            outliers=numbers.outliers,
        ),
    )


def _negatives(table: Table) -> CheckedNegatives | None:
    drawn = table.negatives
    if drawn is None:
        return None
    return CheckedNegatives(
        file_rows=drawn.file_rows,
        positive_rows=drawn.positives,
        drawn_rows=drawn.drawn,
        per_positive=drawn.per_positive,
        left_out=drawn.left_out,
    )


def _unlabelled(table: Table, unlabelled: int) -> list[str]:
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
