"""Small files with an id and two columns, and how they are read."""

from party.configuration.joins import KeyRule
from party.data.table import FileRules, read_table

COLUMNS = ("a", "b")


def rules(**changes):
    return FileRules(id_rule=KeyRule(("id",)), **changes)


def read(path, stores=None, columns=COLUMNS, **changes):
    return read_table("alice", "train", path, columns=columns, rules=rules(**changes), stores=stores)


def write_csv(path, rows):
    lines = [",".join((f"id{number}", *cells)) for number, cells in enumerate(rows)]
    path.write_text("\n".join(["id,a,b", *lines]) + "\n")
    return path
