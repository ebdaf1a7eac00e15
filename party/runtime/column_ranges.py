"""Finds the columns that features name by patterns, from the headers of a party's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from party.configuration.column_range import ColumnRange, matching_columns
from party.configuration.features import AnyFeature, DataSection
from party.configuration.party import PartyConfiguration, load_party_configuration
from party.configuration.strict import StrictModel, validate
from party.data.table import read_names
from party.errors import ConfigurationError
from party.runtime.tables import file_rules

FEATURES = "data.features"


def load_with_columns(path: Path) -> PartyConfiguration:
    """Reads a party's configuration file, and puts a feature for each column in the place of those with `columns`.

    Args:
        path: the YAML file.

    Returns:
        The configuration, in which every feature has one column.

    Raises:
        ConfigurationError: the file or a key of it cannot be used; a pattern matches nothing, or not the same in all
            files.
        DataError: a file cannot be read, although a pattern needs its header.
    """
    configuration = load_party_configuration(path)
    if not configuration.data.has_open_ranges:
        return configuration
    data = configuration.data
    headers = _headers(configuration)
    where = f"{configuration.party}: {FEATURES}"
    features: list[AnyFeature] = []
    ranges = []
    for feature in data.features:
        if feature.column is not None:
            features.append(feature)
            continue
        columns = _same_columns(feature.columns, headers, data, where)
        ranges.append(ColumnRange(patterns=feature.columns, columns=columns))
        features += [feature.model_copy(update={"column": column, "columns": ()}) for column in columns]
    resolved = _given(data) | {"features": tuple(features), "ranges": tuple(ranges)}
    return validate(PartyConfiguration, _given(configuration) | {"data": resolved}, path)


def range_lines(data: DataSection) -> list[str]:
    """What patterns stand for, in words for the owner.

    Args:
        data: the party's data section, with every column found.
    """
    return [
        f"columns {', '.join(one.patterns)} of {FEATURES} are {len(one.columns)} columns: {', '.join(one.columns)};"
        " ids, labels, weights, keys and columns of other features are never among them"
        for one in data.ranges
    ]


def _given(section: StrictModel) -> dict[str, object]:
    """The keys of a section that its owner gave."""
    return {name: getattr(section, name) for name in section.model_fields_set}


def _headers(configuration: PartyConfiguration) -> Mapping[str, Sequence[str]]:
    """The names of the columns of every file, by dataset or table."""
    data = configuration.data
    return {
        name: read_names(configuration.party, name, configuration.files(name), rules=file_rules(configuration))
        for name in data.files
    }


def _same_columns(
    patterns: Sequence[str], headers: Mapping[str, Sequence[str]], data: DataSection, where: str
) -> tuple[str, ...]:
    found = {name: matching_columns(patterns, header, data.other_columns) for name, header in headers.items()}
    first, columns = next(iter(found.items()))
    fix = "correct columns, or the files"
    for name, others in found.items():
        if set(others) != set(columns):
            raise ConfigurationError(
                f"columns {', '.join(patterns)} stand for other columns in {name} than in {first}",
                where=where,
                expected=f"the {len(columns)} columns of {first}",
                received=f"{len(set(others) & set(columns))} of them, and {len(set(others) - set(columns))} others",
                fix=fix,
                public_message="data.features stands for other columns in one dataset than in another",
            )
    for pattern in patterns:
        if not matching_columns([pattern], headers[first], data.other_columns):
            raise ConfigurationError(
                f"no column matches {pattern}",
                where=where,
                expected="a column that is no id, label, weight or key, and that no other feature names",
                fix=fix,
                public_message="data.features names columns that do not exist",
            )
    return columns
