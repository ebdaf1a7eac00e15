"""The baseline of the demonstration: the same model in one process, on pooled data and on the label party's alone.

Real organisations could not run this: it reads the files and the secrets of every party.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from deploy.demo.federation import read_configurations
from party.configuration.labels import group_columns
from party.configuration.party import PartyConfiguration
from party.configuration.run import TrainingSection
from party.configuration.threads import ThreadsSection
from party.cut.hidden import Aggregation, HiddenSpec
from party.data.encoders import fit_encoders
from party.data.groups import equal_cells
from party.data.labels import LabelArrays, read_labels
from party.data.order import epoch_order, hold_out
from party.data.table import Table, read_table
from party.data.text_columns import TextColumns
from party.engine.numerics import configure_tensorflow
from party.errors import ConfigurationError
from party.metrics.groups import Groups
from party.models.assembly import BASE, FUSE, PartyModels, base_layout
from party.models.embedding import INDICES, VALUES
from party.models.keras_objects import build_loss, build_optimizer
from party.models.losses import TaskLosses
from party.models.packing import PackedFeatures, pack
from party.models.scores import Scores
from party.runtime.tables import file_rules
from party.security.row_secret import pinned_row_secret

FloatArray = npt.NDArray[np.float32]
Inputs = dict[str, npt.NDArray[np.generic]]
INFERENCE_BATCH = 4096


@dataclass(frozen=True)
class PooledData:
    """The rows of all parties in one dataset, in a common order.

    Attributes:
        inputs: arrays of every base model, by input name of the joined model.
        labels: of the label party.
        packed: features by party.
        groups: number of each row's group by the columns that make groups for metrics.
    """

    inputs: Inputs
    labels: LabelArrays
    packed: dict[str, PackedFeatures]
    groups: Groups

    def rows(self, rows: npt.NDArray[np.integer[Any]]) -> tuple[Inputs, FloatArray]:
        """Returns inputs and labels of the given rows, in their order."""
        return {name: array[rows] for name, array in self.inputs.items()}, self.labels.values[rows]


@dataclass(frozen=True)
class PooledResult:
    """The result of training in one process.

    Attributes:
        metrics: test metrics by name.
        seconds: duration of training.
        samples: number of rows trained on, counted in every epoch.
    """

    metrics: dict[str, float]
    seconds: float
    samples: int


def read_pooled(
    parties: Sequence[PartyConfiguration], training: TrainingSection, dataset: str, other: Sequence[PartyConfiguration]
) -> PooledData:
    """Joins the files of parties on their ids, and encodes them as the parties would.

    Args:
        parties: whose features are used.
        training: of the run; the encoders are fitted on its dataset without the held-out rows.
        dataset: to read.
        other: further parties that must have the ids too, so that the rows are those of the run.

    Returns:
        The rows that all of them have, ascending by the bytes of the id.
    """
    fitted = _join([*parties, *other], training.dataset)
    training_rows, _ = hold_out(
        _row_key(parties, training), fitted[parties[0].party].count, training.validation_fraction
    )
    frames = _join([*parties, *other], dataset)
    packed = {}
    for party in parties:
        if not party.data.features:
            continue
        name = party.party
        encoders = fit_encoders(name, party.data.features, fitted[name].take(training_rows), training.dataset)
        packed[name] = pack(encoders.encode(frames[name], dataset))
    inputs: Inputs = {}
    for name, one in packed.items():
        inputs |= dict(zip((f"{name}_{INDICES}", f"{name}_{VALUES}"), one.whole(), strict=True))
    holder = label_party(parties)
    return PooledData(
        inputs,
        read_labels(holder.party, holder.data, frames[holder.party], dataset, weighted=holder.trains_on(dataset)),
        packed,
        equal_cells(frames[holder.party], group_columns(holder.data.labels)),
    )


def label_party(parties: Sequence[PartyConfiguration]) -> PartyConfiguration:
    """Returns the party with labels.

    Raises:
        ConfigurationError: no party has labels.
    """
    for party in parties:
        if party.holds_labels:
            return party
    raise ConfigurationError("no party has labels", where="pooled training")


def build_joined(parties: Sequence[PartyConfiguration], packed: dict[str, PackedFeatures], seed: int) -> keras.Model:
    """Builds the joined model as one Keras model, with the initial weights that the parties would draw.

    Args:
        parties: whose base models are joined, ascending by name, including the label party.
        packed: features by party.
        seed: of the run.

    Returns:
        A model of all inputs; its outputs are {label: logits, float32 (batch, units of the label)}.
    """
    inputs: dict[str, keras.KerasTensor] = {}
    hiddens: dict[str, dict[str, keras.KerasTensor]] = {}
    specs: dict[str, tuple[HiddenSpec, ...]] = {}
    for party in parties:
        section = party.base_model
        if section is None:
            continue
        name, one = party.party, packed[party.party]
        models = PartyModels(base_layout(section, one, party.folder), folder=party.folder)
        models.draw(_secret(party), seed)
        base = models.models[BASE]
        base.name = f"{name}_base"
        slots = (one.slots,)
        indices = keras.Input(slots, dtype="int32", name=f"{name}_{INDICES}")
        values = keras.Input(slots, dtype="float32", name=f"{name}_{VALUES}")
        inputs |= {indices.name: indices, values.name: values}
        hiddens[name] = base({INDICES: indices, VALUES: values})
        specs[name] = models.specs
    holder = label_party(parties)
    fuse_section = holder.fuse_model
    if fuse_section is None:
        raise ConfigurationError("no party has a fuse model", where="pooled training")
    models = PartyModels(None, folder=holder.folder)
    models.add_fuse(fuse_section, holder.data.labels, specs)
    models.draw(_secret(holder), seed)
    outputs = models.models[FUSE](_aggregate(hiddens, specs))
    return keras.Model(inputs, {name: outputs[name] for name in holder.data.labels}, name="joined")


def train_pooled(
    parties: Sequence[PartyConfiguration],
    training: TrainingSection,
    test_dataset: str,
    other: Sequence[PartyConfiguration],
) -> PooledResult:
    """Trains the joined model with Keras `fit`, on the rows of the split run and in their order.

    Args:
        parties: whose features are used.
        training: of the run.
        test_dataset: to evaluate on.
        other: further parties that must have the ids too.

    Returns:
        Test metrics, duration and number of samples.
    """
    holder = label_party(parties)
    data = read_pooled(parties, training, training.dataset, other)
    row_key = _row_key(parties, training)
    training_rows, _ = hold_out(row_key, len(data.labels.values), training.validation_fraction)
    model = build_joined(parties, data.packed, training.seed)
    compile_joined(model, holder, training)
    started_seconds = time.perf_counter()
    for epoch in range(training.epochs):
        inputs, labels = data.rows(epoch_order(row_key, epoch, training_rows))
        model.fit(inputs, _by_label(holder, labels), batch_size=training.batch_size, shuffle=False, verbose=0)
    seconds = time.perf_counter() - started_seconds
    test = read_pooled(parties, training, test_dataset, other)
    predicted = model.predict(test.inputs, batch_size=INFERENCE_BATCH, verbose=0)
    outputs = np.concatenate([predicted[name] for name in holder.data.labels], axis=1)
    losses = TaskLosses(holder.data.labels, uncertainty=False, party=holder.party)
    means = losses.means(tf.constant(test.labels.values), predicted, None)
    loss = float(np.array([float(one) for one in means]) @ losses.fixed_weights)
    scores = Scores(holder.data.labels, holder.party)
    metrics = {"loss": loss, **scores(outputs, test.labels.values, groups=test.groups)}
    return PooledResult(metrics, seconds, training.epochs * len(training_rows))


def compile_joined(model: keras.Model, holder: PartyConfiguration, training: TrainingSection) -> None:
    """Compiles the joined model with the losses of the label party and the optimizer of the run.

    Args:
        model: from `build_joined`.
        holder: the label party.
        training: of the run.
    """
    labels = holder.data.labels
    losses = {name: build_loss(label, name) for name, label in labels.items()}
    for loss in losses.values():
        loss.reduction = "sum_over_batch_size"
    weights = {name: label.weight for name, label in labels.items()}
    optimizer = build_optimizer(training.optimizer, "training.optimizer")
    model.compile(optimizer=optimizer, loss=losses, loss_weights=weights)


def _by_label(holder: PartyConfiguration, labels: FloatArray) -> dict[str, FloatArray]:
    return {name: labels[:, place : place + 1] for place, name in enumerate(holder.data.labels)}


def _aggregate(
    hiddens: dict[str, dict[str, keras.KerasTensor]], specs: dict[str, tuple[HiddenSpec, ...]]
) -> dict[str, keras.KerasTensor]:
    aggregated = {}
    for spec in {spec.name: spec for name in sorted(specs) for spec in specs[name]}.values():
        tensors = [hiddens[name][spec.name] for name in sorted(hiddens) if spec.name in hiddens[name]]
        if len(tensors) == 1:
            aggregated[spec.name] = tensors[0]
        elif spec.aggregation is Aggregation.CONCAT:
            aggregated[spec.name] = keras.ops.concatenate(tensors, axis=1)
        else:
            aggregated[spec.name] = keras.layers.add(tensors)
    return aggregated


def _join(parties: Sequence[PartyConfiguration], dataset: str) -> dict[str, TextColumns]:
    tables = {}
    for party in parties:
        files = party.files(dataset)
        tables[party.party] = read_table(
            party.party, dataset, files, columns=party.columns(dataset), rules=file_rules(party)
        )
    common = set.intersection(*(set(table.known_ids) for table in tables.values()))
    ordered = sorted(common, key=lambda one: one.encode())
    return {name: table.aligned(_rows_of(table, ordered)) for name, table in tables.items()}


def _rows_of(table: Table, ids: Sequence[str]) -> npt.NDArray[np.int64]:
    return pd.Index(table.known_ids.tolist()).get_indexer(pd.Index(ids))


def _secret(party: PartyConfiguration) -> bytes:
    if party.pinned_secret is None:
        raise ConfigurationError("pooled training needs pinned secrets", where=party.party)
    return bytes.fromhex(party.pinned_secret)


def _row_key(parties: Sequence[PartyConfiguration], training: TrainingSection) -> bytes:
    """Returns the key of the split run's order of rows; with pinned secrets, it is the same in every run."""
    row_secret = pinned_row_secret(_secret(label_party(parties)), training.dataset)
    return row_secret.run_key(b"", training.seed)


def main() -> None:
    """Reads a demonstration's folder; prints the results of pooled training and of the label party alone, as JSON."""
    folder = Path(sys.argv[1])
    configure_tensorflow(ThreadsSection(intra_operation=0, inter_operation=0))
    run, parties = read_configurations(folder)
    holder = label_party(parties)
    others = [party for party in parties if party is not holder]
    results = {"pooled": train_pooled(parties, run.training, run.evaluate_dataset, [])}
    if holder.base_model is not None:
        results[f"{holder.party} alone"] = train_pooled([holder], run.training, run.evaluate_dataset, others)
    print(json.dumps({name: vars(result) for name, result in results.items()}))


if __name__ == "__main__":
    main()
