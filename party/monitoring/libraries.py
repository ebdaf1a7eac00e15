"""Libraries that only an option needs: an option without its library is refused before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from party.errors import InstallationError

LIBRARIES = {"prometheus": "prometheus_client", "tensorboard": "tensorboardX", "mlflow": "mlflow"}


def require_library(key: str) -> None:
    """Refuses an option whose library is not installed; the extra that brings it has the name of the key.

    Args:
        key: key of the configuration, one of LIBRARIES.

    Raises:
        InstallationError: the library is not installed; the error names the extra.
    """
    library = LIBRARIES[key]
    if find_spec(library) is None:
        raise InstallationError(
            f"the library {library} is not installed",
            where=key,
            fix=f"install splitrain[{key}] beside what you have, or leave out {key}",
        )


def require_libraries(options: Mapping[str, object]) -> None:
    """Refuses options whose libraries are not installed.

    Args:
        options: values by key; None and False need no library.

    Raises:
        InstallationError: a library is not installed; the error names the extra.
    """
    for key, value in options.items():
        if value is not None and value is not False:
            require_library(key)
