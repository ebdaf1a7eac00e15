"""A coordinator provokes errors, and collects what it is told of folders, files, columns and rows.

It needs nothing but calls that it is allowed to make: what is broken is the party's own, as it is on a bad day, and
each session that fails tells why.
"""

import re
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pandas as pd

from coordinator import connect
from party.errors import SplitError
from tests.attacks.outcome import Outcome
from tests.support.organisations import Organisations

ROWS = 80
KEY = "subscriber_key"
SALARY, POSTCODE, FILM, STARS = "salary_eur", "postcode_home", "film_seen", "stars_given"
COLUMNS = (KEY, SALARY, POSTCODE, FILM, STARS)
FILE = re.compile(r"\w\.(csv|json|npz|pem|py)\b")
CELL = re.compile(r"zq\w+|\b7351\.\d+")  # every cell but a rating is like one of these
OWN_MODEL = f"""
import keras
def build(features):
    salary = keras.Input((1,), name="{SALARY}")
    return keras.Model({{"{SALARY}": salary}}, {{"deep": keras.layers.Dense(4)(salary)}}), {{"deep": "concat"}}
"""


@dataclass(frozen=True)
class Breakage:
    """Something of a party that does not work, and the call that meets it.

    Attributes:
        file: in the folder of the federation; `RUN` stands for the folder of the trained run.
        change: of the file.
        call: of the coordinator.
    """

    file: str
    change: Callable[[Path], object]
    call: str


def in_text(old, new, count=1):
    return lambda path: path.write_text(path.read_text().replace(old, new, count))


def first_line_lost(path):
    path.write_text(path.read_text().partition("\n")[2])


def half_a_row(path):
    path.write_text(path.read_text().replace(f"{SALARY},{POSTCODE}", "7351.5,postcode_zq1", 1))


def with_bytes(content):
    return lambda path: path.write_bytes(path.read_bytes() + content)


def as_folder(path):
    path.unlink()
    path.mkdir()


def open_to_others(path):
    path.chmod(0o755 if path.is_dir() else 0o644)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-40])


ALICE, BOB = "alice/train.csv", "bob/train.csv"
BREAKAGES = {
    # Those of the state come first: others leave alignments of other files behind.
    "alignment damaged": Breakage("alice/state/alignments/train.npz", cut_short, "fit"),
    "alignment open to others": Breakage("alice/state/alignments/train.npz", open_to_others, "fit"),
    "certificate gone": Breakage("alice/certificates/alice.pem", Path.unlink, "fit"),
    "key open to others": Breakage("bob/certificates/bob-key.pem", open_to_others, "fit"),
    "own model gone": Breakage("alice/own.py", Path.unlink, "fit"),
    "own model of another feature": Breakage("alice/own.py", in_text(f'name="{SALARY}"', f'name="{POSTCODE}s"'), "fit"),
    "run record damaged": Breakage("alice/state/runs/RUN/record.json", cut_short, "evaluate"),
    "weights open to others": Breakage("bob/state/runs/RUN/weights.npz", open_to_others, "evaluate"),
    "weights gone": Breakage("alice/state/runs/RUN/weights.npz", Path.unlink, "evaluate"),
    "encoders damaged": Breakage("bob/state/runs/RUN/encoders.json", cut_short, "evaluate"),
    "column renamed": Breakage(ALICE, in_text(SALARY, "salary"), "align"),
    "column at the label party renamed": Breakage(BOB, in_text(STARS, "stars"), "align"),
    "no header line": Breakage(ALICE, first_line_lost, "align"),
    "a header line that is half a row": Breakage(
        ALICE, in_text(f"{SALARY},{POSTCODE}", "7351.5,postcode_zq1"), "align"
    ),
    "column named twice": Breakage(ALICE, in_text("\n", f",{SALARY}\n"), "align"),
    "no file": Breakage(ALICE, Path.unlink, "align"),
    "a folder in its place": Breakage(ALICE, as_folder, "align"),
    "an id twice": Breakage(ALICE, lambda path: with_bytes(path.read_bytes().splitlines(True)[-1])(path), "align"),
    "an id empty": Breakage(ALICE, with_bytes(b",7351.5,zqP1\n"), "align"),
    "a row too long": Breakage(ALICE, with_bytes(b"zq-1,7351.5,zqP1,zq\n"), "align"),
    "not UTF-8": Breakage(ALICE, with_bytes(b"zq-1,7351.5,zq\xff\n"), "align"),
    "a quote open": Breakage(ALICE, with_bytes(b'zq-1,7351.5,"zqP1\n'), "align"),
    "a cell malformed": Breakage(ALICE, in_text("7351.", "zq7351.", 3), "align and fit"),
    "a label malformed": Breakage(BOB, in_text(",5\n", ",zq5\n", 3), "align and fit"),
}
CALLS = {
    "align": lambda parties: parties.align(force=True),
    "align and fit": lambda parties: (parties.align(), parties.fit()),
    "fit": lambda parties: parties.fit(),
    "evaluate": lambda parties: parties.evaluate("train"),
}


def make_federation(folder, seed):
    """Two parties whose names of columns and cells are like nothing else, trained for two steps."""
    generator = np.random.default_rng(seed)
    keys = [f"zq-{number}" for number in generator.permutation(10_000)[:ROWS]]
    frames = {
        "alice": pd.DataFrame(
            {
                KEY: keys,
                SALARY: [f"7351.{number:03d}" for number in range(ROWS)],
                POSTCODE: [f"zqP{number % 7}" for number in range(ROWS)],
            }
        ),
        "bob": pd.DataFrame(
            {
                KEY: keys,
                FILM: [f"zqF{number}" for number in generator.integers(0, 9, ROWS)],
                STARS: [str(number) for number in generator.choice([2, 5], ROWS)],
            }
        ),
    }
    features = {
        "alice": [{"column": SALARY, "kind": "numeric"}, {"column": POSTCODE, "kind": "vocabulary"}],
        "bob": [{"column": FILM, "kind": "vocabulary"}],
    }
    overrides = {
        "alice": {"id": KEY, "policy": {}, "model": {"file": "own.py", "base": "build"}},
        "bob": {
            "id": KEY,
            "policy": {},
            "labels": {"liked": {"rule": f"{STARS} > 3"}},
            "model": {"kind": "dnn"},
            "fuse": {"kind": "dnn", "units": [4]},
        },
    }
    organisations = Organisations(
        folder,
        features=features,
        frames={name: {"train": frame} for name, frame in frames.items()},
        training={"maximum_steps": 2},
        overrides=overrides,
    )
    (organisations.party_path("alice").parent / "own.py").write_text(OWN_MODEL)
    return organisations


@contextmanager
def broken(path, change):
    """A file, or folder, in which something is wrong for a while."""
    kept = path.with_name(f"{path.name}.kept")
    shutil.copy2(path, kept)
    change(path)
    try:
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        kept.replace(path)


def provoked(organisations, run_id, breakage):
    """The error that a coordinator gets where something is broken, and all that gRPC has to say of it."""
    path = organisations.folder / breakage.file.replace("RUN", run_id)
    with broken(path, breakage.change):
        try:
            with connect(organisations.run_path) as parties:
                CALLS[breakage.call](parties)
        except SplitError as error:
            cause = error.__cause__
            details = cause.details() if isinstance(cause, grpc.RpcError) else ""
            return error, f"{error}\n{details}"
    raise AssertionError(f"nothing failed: {breakage}")


def collect(organisations):
    """What a coordinator is told of every breakage: by its name, the error and all its texts."""
    organisations.write_run(reconnect_seconds=0.1)
    with connect(organisations.run_path) as parties:
        parties.align()
        run_id = parties.fit().run_id
    return {name: provoked(organisations, run_id, breakage) for name, breakage in BREAKAGES.items()}


def findings(organisations, told):
    """Names of the breakages whose errors told a path, a file's name, a column, or a cell."""
    return {
        "an absolute path": [name for name, (_, text) in told.items() if str(organisations.folder) in text],
        "names of files": [name for name, (_, text) in told.items() if FILE.search(text)],
        "columns": [name for name, (_, text) in told.items() if any(column in text for column in COLUMNS)],
        "cells": [name for name, (_, text) in told.items() if CELL.search(text)],
    }


def attack(folder, seed):
    """Breaks what a party has in many ways, and reads every error that a coordinator gets."""
    with make_federation(folder, seed) as organisations:
        organisations.start_servers()
        told = collect(organisations)
        found = findings(organisations, told)
    texts = ", ".join(f"{what} in {len(names)}" for what, names in found.items())
    return Outcome(
        asset=f"what the texts of {len(told)} errors tell of a party",
        before="an absolute path in 7, names of files in 23, columns in 10, cells in 1",
        now=texts,
        held=not any(found.values()),
    )
