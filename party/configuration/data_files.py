"""The files of a dataset or table: paths, folders, patterns of names, and addresses of other machines' storage."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BeforeValidator

from party.configuration.addresses import is_loopback
from party.configuration.paths import expanded

DEFAULT_MAXIMUM_ROWS = 50_000_000
DEFAULT_MAXIMUM_BYTES = 8 << 30
LOCAL_SCHEME = "file"
SCHEMES = (LOCAL_SCHEME, "s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")  # as Arrow's file systems are called
OPTIONS = frozenset(
    (
        "region",
        "scheme",
        "endpoint_override",
        "project_id",
        "retry_limit_seconds",
        "blob_storage_authority",
        "dfs_storage_authority",
        "enable_tls",
        "tenant_id",
    )
)  # none of them is a secret
_WITH_CONTAINER = ("abfs", "abfss")  # CONTAINER@ACCOUNT
_ANONYMOUS = "anonymous"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UNUSABLE = re.compile(r"[\x00-\x20\x7f#]")
_LOCALHOST = "localhost"
_EXPECTED = (
    "must be a path such as train.csv or part-*.csv, an address such as s3://bucket/train.csv, or a list of these"
)


def is_address(entry: str) -> bool:
    """Whether a text of the configuration is an address, and no path.

    Args:
        entry: as configured.
    """
    return _ADDRESS.match(entry) is not None


def is_unencrypted(entry: str) -> bool:
    """Whether the content of an address comes over a network as it is.

    Args:
        entry: as configured.
    """
    if not is_address(entry):
        return False
    options = dict(parse_qsl(urlsplit(entry).query))
    plain = options.get("scheme") == "http" or options.get("enable_tls") == "false"
    return plain and not _is_loopback(options.get("endpoint_override", ""))


def _is_loopback(endpoint: str) -> bool:
    return is_loopback(urlsplit(f"//{endpoint.rpartition('//')[2]}").hostname or "")


def _checked(value: object) -> object:
    if isinstance(value, str):
        return _checked_entry(value)
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError(_EXPECTED)
    if len(set(value)) < len(value):
        raise ValueError("names a file twice")
    return tuple(map(_checked_entry, value))


def _checked_entry(entry: str) -> str:
    """Refuses what is no address; no text of an error repeats any of it, as it may hold a secret."""
    if not entry:
        raise ValueError("a path is empty")
    if is_address(entry):
        _check_address(entry)
        return entry
    return expanded(entry)


def _check_address(entry: str) -> None:
    scheme, _, rest = entry.partition("://")
    authority, query = re.split("[/?]", rest, maxsplit=1)[0], entry.partition("?")[2]
    if scheme not in SCHEMES:
        raise ValueError(f"an address must begin with one of {', '.join(f'{one}://' for one in SCHEMES)}")
    if _holds_user(scheme, rest, authority) or "@" in unquote(query):
        raise ValueError(
            "an address holds a user name or password, which belong into no configuration: credentials come from the"
            " party's environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the machine's role;"
            " in a name of a file write %40 for @"
        )
    if _UNUSABLE.search(entry):
        raise ValueError("an address holds a blank or #: write %20 or %23")
    if not rest.strip("/"):
        raise ValueError("an address names no file")
    if scheme == LOCAL_SCHEME and (authority not in ("", _LOCALHOST) or query):
        raise ValueError("an address of this machine must begin with file:/// and have no options")
    others = sorted(name for name, _ in parse_qsl(query, keep_blank_values=True) if name not in OPTIONS)
    if others:
        raise ValueError(
            f"an address may have the options {', '.join(sorted(OPTIONS))}, and has others; credentials come from the"
            " party's environment"
        )


def _holds_user(scheme: str, rest: str, authority: str) -> bool:
    user, at, _ = authority.rpartition("@")
    if "@" in rest[len(authority) :].partition("?")[0]:
        return True  # a password with a slash ends the authority early
    if not at:
        return scheme not in ("hdfs", "viewfs") and ":" in authority
    return ":" in user or "@" in user or not (scheme in _WITH_CONTAINER or user == _ANONYMOUS)


DataFiles = Annotated[str | tuple[str, ...], BeforeValidator(_checked)]


def entries_of(files: str | tuple[str, ...]) -> tuple[str, ...]:
    """The paths, patterns and addresses of a dataset or table, in order.

    Args:
        files: as configured.
    """
    return (files,) if isinstance(files, str) else files
