"""What a label party that lies would receive of this one: its base model, trained anew by gradients of a head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from party.audit.attribute_head import AttributeHead
from party.audit.own_columns import Ints
from party.audit.received_batch import ReceivedBatch
from party.audit.received_batches import ReceivedBatches
from party.audit.received_header import ReceivedHeader, received_columns
from party.configuration.party import PartyConfiguration
from party.configuration.run import OptimizerSection
from party.cut.hidden import Rows
from party.cut.layout import CutLayout
from party.data.encoders import encoders_from_json
from party.data.table import Table
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.assembly import BASE, PartyModels
from party.models.packing import PackedFeatures, pack
from party.runtime.model_objects import party_optimizer
from party.runtime.records import ENCODERS_FILE, RunRecord
from party.security.files import read_private
from party.security.randomness import SECRET_BYTES

MOST_ROWS = 200_000  # that a simulation trains on: it holds their hiddens in memory


class SimulatedHijack:
    """Simulates one epoch of a run in which the label party trains for a secret instead of its label.

    Args:
        configuration: the party's configuration.
        record: record of the run, which has a base model.
        folder: the run's folder.
        table: the party's file, with the columns of its features.
        rows: row numbers of the file in the common order.
    """

    def __init__(
        self, configuration: PartyConfiguration, record: RunRecord, folder: Path, *, table: Table, rows: Ints
    ) -> None:
        self._configuration = configuration
        self._record = record
        self._rows = len(rows)
        encoders = encoders_from_json(read_private(folder / ENCODERS_FILE).decode(), configuration.data.features)
        self._packed: PackedFeatures = pack(encoders.encode(table.aligned(rows), table.path.name))

    def hiddens(self, secret: Ints, known: NDArray[np.bool_], *, batch_size: int, seed: int) -> ReceivedBatches:
        """The hiddens that would leave in an evaluation after an epoch of such training.

        Args:
            secret: 0 or 1 by row of the common order, int64 (rows,).
            known: whether the liar knows the secret of a row, bool (rows,).
            batch_size: rows of a batch.
            seed: of the initial weights, the order of rows and the head.
        """
        models = PartyModels(self._record.base, None, self._configuration.folder)
        generator = np.random.default_rng(seed)
        models.draw(generator.bytes(SECRET_BYTES), seed)
        layout = CutLayout(models.specs)
        base = TrainableBaseModel(
            models.models[BASE],
            models.row_source(self._packed),
            layout,
            party_optimizer(self._configuration, OptimizerSection()),
        )
        head = AttributeHead(secret, known, layout.columns, seed)
        order = generator.permutation(self._rows)[:MOST_ROWS].astype(np.int32)
        batches = _batches(order, batch_size)
        for rows in batches:
            base.backward(head.gradients(base.forward(rows), rows))
        evaluated = [
            ReceivedBatch(position=position, epoch=0, trains=False, rows=rows, values=base.infer(rows))
            for position, rows in enumerate(batches)
        ]
        return ReceivedBatches(self._header(layout), evaluated)

    def _header(self, layout: CutLayout) -> ReceivedHeader:
        return ReceivedHeader(
            kind="hidden",
            sender=self._configuration.party,
            receiver=self._configuration.label_party,
            dataset="simulated",
            purpose="inference",
            hiddens=received_columns(layout),
        )


def _batches(order: Rows, size: int) -> Sequence[Rows]:
    """Whole batches alone: each further size would be compiled by itself."""
    return [order[start : start + size] for start in range(0, max(1, len(order) - size + 1), size)]
