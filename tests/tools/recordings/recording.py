"""Recordings: files with arrays by case and name, and their comparison."""

import zipfile
from importlib.metadata import version

import numpy as np

from tests.tools.recordings.processes import RecordingError

SEPARATOR = "|"
LIBRARIES = ("numpy", "keras", "tensorflow")
SHOWN = 3  # elements of an array that differ


def save(path, cases):
    """Writes a recording.

    Args:
        path: of the file.
        cases: arrays by name, by case.
    """
    check_not_empty(path, cases)
    arrays = {f"{case}{SEPARATOR}{name}": array for case, results in cases.items() for name, array in results.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, libraries=np.array([f"{one} {version(one)}" for one in LIBRARIES]), **arrays)


def load(path):
    """Reads a recording.

    Args:
        path: of the file.

    Returns:
        The versions of the libraries of the recording as texts; arrays by name, by case.

    Raises:
        RecordingError: the file is not a recording, or is empty.
    """
    if not zipfile.is_zipfile(path):
        raise RecordingError(f"{path} is no recording")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    libraries = list(arrays.pop("libraries", []))
    cases = {}
    for name, array in arrays.items():
        case, _, inner = name.partition(SEPARATOR)
        cases.setdefault(case, {})[inner] = array
    check_not_empty(path, cases)
    return libraries, cases


def check_not_empty(path, cases):
    """Raises an error for a recording with nothing to compare."""
    if not cases:
        raise RecordingError(f"{path}: there is no case in it")
    for case, results in cases.items():
        for needed in ("/weights.npz/", "/steps.csv/loss", "/predictions-"):
            if not any(needed in name and array.size for name, array in results.items()):
                raise RecordingError(f"{path}: case {case} has nothing of {needed.strip('/')}")


def compare(first, second):
    """Compares two recordings bit by bit.

    Args:
        first: arrays by name, by case.
        second: the same of another recording.

    Returns:
        By case: the numbers of equal arrays and of equal elements, and texts of all differences.
    """
    return {case: _compare_case(first.get(case), second.get(case)) for case in dict.fromkeys([*first, *second])}


def _compare_case(first, second):
    if first is None or second is None:
        return 0, 0, [f"the case is missing in the {'first' if first is None else 'second'} recording"]
    arrays, elements, differences = 0, 0, []
    for name in dict.fromkeys([*first, *second]):
        difference = _difference(first.get(name), second.get(name))
        if difference is None:
            arrays, elements = arrays + 1, elements + first[name].size
        else:
            differences.append(f"{name}: {difference}")
    return arrays, elements, differences


def _difference(first, second):
    """Describes the difference between two arrays; returns None if they are equal."""
    if first is None or second is None:
        return f"missing in the {'first' if first is None else 'second'} recording"
    is_text = first.dtype.kind == second.dtype.kind == "U"
    if first.shape != second.shape or (first.dtype != second.dtype and not is_text):
        return f"{first.dtype} {first.shape} in the first recording, {second.dtype} {second.shape} in the second"
    if is_text:
        places = np.flatnonzero(first.reshape(-1) != second.reshape(-1))
    else:
        places = np.flatnonzero((_bytes(first) != _bytes(second)).any(axis=1))
    if not len(places):
        return None
    pairs = [f"{first.flat[place]} and {second.flat[place]} at {place}" for place in places[:SHOWN]]
    return f"{len(places)} of {first.size} differ: {', '.join(pairs)}{', ...' if len(places) > SHOWN else ''}"


def _bytes(array):
    """Returns the bytes of each element, as 0 equals -0 and NaN does not equal itself when compared as numbers."""
    return np.frombuffer(array.tobytes(), dtype=np.uint8).reshape(array.size, array.dtype.itemsize)
