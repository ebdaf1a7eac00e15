"""Examines the libraries that are installed."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from party import __version__
from party.diagnosis.finding import Finding, fine, problem
from party.monitoring.libraries import require_libraries


def examine_libraries(names: Sequence[str], installation: str, options: Mapping[str, object]) -> Iterator[Finding]:
    """Looks whether libraries are installed, and says which versions.

    Args:
        names: of their distributions.
        installation: how to install all of them, as an imperative.
        options: values of the options that need a library of their own, by key.

    Yields:
        A problem for each that is missing, and then the versions of all others.

    Raises:
        InstallationError: an option needs a library that is not installed.
    """
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            yield problem(f"the library {name} is not installed", fix=installation)
    listed = ", ".join(f"{name} {number}" for name, number in found.items())
    yield fine(f"splitrain {__version__} with Python {platform.python_version()}, {listed}")
    require_libraries(options)
