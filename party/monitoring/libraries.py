"""Libraries that only an option needs: an option without its library is refused before anything starts."""

from __future__ import annotations

from importlib.util import find_spec

from party.errors import InstallationError


def require_library(library: str, *, key: str, extra: str) -> None:
    """Refuses an option whose library is not installed.

    Args:
        library: name of the library as it is imported.
        key: key of the configuration that needs it.
        extra: extra of this package that brings it.

    Raises:
        InstallationError: the library is not installed; the error names the extra.
    """
    if find_spec(library) is None:
        raise InstallationError(
            f"the library {library} is not installed",
            where=key,
            fix=f"install splitrain[{extra}] beside what you have, or leave out {key}",
        )
