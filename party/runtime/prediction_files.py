"""Names of the files of predictions in a run's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

MAXIMUM_FILE_NAME = 200  # characters; file systems take 255, and a file has a longer name while it is written
SHOWN_DIGEST_CHARACTERS = 16


def predictions_file(dataset: str, without: Sequence[str]) -> str:
    """Name of the file of predictions; those without some parties never replace those with all.

    Args:
        dataset: name of the dataset.
        without: feature parties that the session left out.
    """
    if not without:
        return f"predictions-{dataset}.csv"
    # Names of datasets and parties have no point, so that two names of files are never the same.
    names = ".".join(sorted(without))
    name = f"predictions-{dataset}.without.{names}.csv"
    if len(name) <= MAXIMUM_FILE_NAME:
        return name
    digest = hashlib.sha256(names.encode()).hexdigest()[:SHOWN_DIGEST_CHARACTERS]
    return f"predictions-{dataset}.without.{len(without)}-parties-{digest}.csv"
