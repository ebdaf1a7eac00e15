"""The hiddens that a party's trained base model computes for its own rows: what it has of a run besides messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from party.configuration.party import PartyConfiguration
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.data.encoders import encoders_from_json
from party.data.table import Table
from party.engine.base_model import BaseModel
from party.errors import SessionError
from party.models.assembly import BASE, PartyModels
from party.models.packing import pack
from party.runtime.records import ENCODERS_FILE, RunRecords
from party.security.files import read_private

BATCH_ROWS = 1024


def trained_hiddens(
    configuration: PartyConfiguration, records: RunRecords, run_id: str, table: Table, *, rows: Sequence[int]
) -> FloatArray:
    """Computes the hiddens of rows with the weights of a finished run.

    Args:
        configuration: the party's configuration, as in the run.
        records: the party's runs.
        run_id: id of the run, hexadecimal, possibly shortened.
        table: the party's file, with the columns of its features.
        rows: row numbers of the file, in the order to compute them in.

    Returns:
        float32 (rows, columns).

    Raises:
        SessionError: no finished run has this run_id, or the party has no base model in it.
        SplitError: the data or the model does not fit.
    """
    record = records.find_trained(run_id)
    if record.base is None:
        raise SessionError("has no base model in this run", where=f"{configuration.party}: run {record.run_id[:8]}")
    folder = records.folder(bytes.fromhex(record.run_id))
    encoders = encoders_from_json(read_private(folder / ENCODERS_FILE).decode(), configuration.data.features)
    packed = pack(encoders.encode(table.aligned(np.asarray(rows, np.int64)), table.path.name))
    models = PartyModels(record.base, record.fuse, configuration.folder)
    models.load(folder)
    model = BaseModel(models.models[BASE], models.row_source(packed), CutLayout(models.specs))
    hiddens = np.empty((len(rows), model.layout.columns), np.float32)
    for start in range(0, len(rows), BATCH_ROWS):
        batch = np.arange(start, min(start + BATCH_ROWS, len(rows)), dtype=np.int32)
        hiddens[batch] = model.infer(batch)
    return hiddens
