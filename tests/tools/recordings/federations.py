"""Runs the cases of all federations and collects their results."""

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from tests.tools.recordings.cases import FEDERATIONS
from tests.tools.recordings.processes import RunningFederation
from tests.tools.recordings.results import read_results

FEDERATIONS_AT_A_TIME = 2  # most of the time, one of its processes waits for another


def record_federations(code, only=()):
    """Runs cases, and stops all federations if one of them fails.

    Args:
        code: path of the checkout whose code runs.
        only: names of cases; all of them where empty.

    Returns:
        Arrays by name, by case.

    Raises:
        RecordingError: a command failed, or a run ended before it was interrupted.
    """
    stopping = threading.Event()

    def record_or_stop(name):
        try:
            return record_federation(name, code, only=only, stopping=stopping)
        except BaseException:
            stopping.set()
            raise

    with ThreadPoolExecutor(FEDERATIONS_AT_A_TIME) as executor:
        try:
            recorded = list(executor.map(record_or_stop, FEDERATIONS))
        finally:
            stopping.set()
    return {case: results for one in recorded for case, results in one.items()}


def record_federation(name, code, *, only, stopping):
    """Runs the cases of a federation.

    Args:
        name: a key of FEDERATIONS.
        code: path of the checkout whose code runs.
        only: names of cases; all of them where empty.
        stopping: an event; once it is set, no further case starts.

    Returns:
        Arrays by name, by case.
    """
    federation, recorded = FEDERATIONS[name], {}
    chosen = {f"{name}: {case}": one for case, one in federation.cases.items()}
    chosen = {case: one for case, one in chosen.items() if not only or case in only}
    if not chosen or stopping.is_set():
        return recorded
    with tempfile.TemporaryDirectory() as folder, RunningFederation(federation, code, Path(folder)) as running:
        for number, (case, one) in enumerate(chosen.items()):
            if stopping.is_set():
                break
            start = time.monotonic()
            recorded[case] = read_results(running, running.run(number, one), one.interruption is not None)
            click.echo(f"{case}: {len(recorded[case])} arrays, {time.monotonic() - start:.1f} s", err=True)
    return recorded
