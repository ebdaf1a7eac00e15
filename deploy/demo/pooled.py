"""What the demonstration compares with: the same model trained in one process on pooled data, and on bob's alone.

Nobody could run this in earnest: it reads the files and the secrets of every party.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from coordinator.configuration import load_coordinator_configuration
from deploy.demo.configurations import PARTIES, party_file, run_file
from party.configuration.party import PartyConfiguration, ThreadsSection, load_party_configuration
from party.configuration.run import TrainingSection
from party.data.encoders import fit_encoders
from party.data.labels import read_labels
from party.data.order import epoch_order, hold_out
from party.data.table import read_table
from party.errors import ConfigurationError
from party.models import deepfm
from party.models.assembly import BASE, FUSE, aggregated_units
from party.models.initial_weights import draw_initial_weights
from party.models.numerics import build_optimizer, configure_tensorflow
from party.models.packing import PackedFeatures, pack
from party.protocol.hidden import Aggregation, HiddenSpec
from party.protocol.metrics import classification_metrics
from party.security.randomness import secret_stream

FloatArray = npt.NDArray[np.float32]
Inputs = dict[str, npt.NDArray[np.generic]]
INFERENCE_BATCH = 4096


@dataclass(frozen=True)
class PooledData:
    """All parties' rows of one dataset, in the common order.

    Attributes:
        inputs: arrays of every base model, by input of the joined model.
        labels: float32 (rows,).
        packed: per party.
    """

    inputs: Inputs
    labels: FloatArray
    packed: dict[str, PackedFeatures]

    def rows(self, rows: npt.NDArray[np.int64]) -> tuple[Inputs, FloatArray]:
        """Inputs and labels of some rows, in their order."""
        return {name: array[rows] for name, array in self.inputs.items()}, self.labels[rows]


@dataclass(frozen=True)
class PooledResult:
    """What training in one process came to: test metrics, and the cost."""

    auc: float
    loss: float
    seconds: float
    samples: int


def read_pooled(
    parties: Sequence[PartyConfiguration], training: TrainingSection, dataset: str, other: Sequence[PartyConfiguration]
) -> PooledData:
    """Joins the files of parties on their ids, and encodes them as the parties would.

    Args:
        parties: whose features are used.
        training: of the run: dataset and held-out rows that encoders are fitted without.
        dataset: to read.
        other: parties whose ids must be there too, so that the rows are those of the run.

    Returns:
        The rows that all of them have, ascending by the bytes of the id.
    """
    fitted = _join([*parties, *other], training.dataset)
    training_rows, _ = hold_out(training.seed, len(fitted[parties[0].party]), training.validation_fraction)
    frames = _join([*parties, *other], dataset)
    packed = {}
    for party in parties:
        name = party.party
        encoders = fit_encoders(name, party.data.features, fitted[name].iloc[training_rows], training.dataset)
        packed[name] = pack(encoders.encode(frames[name], dataset))
    inputs: Inputs = {}
    for name, one in packed.items():
        inputs |= {f"{name}_{deepfm.INDICES}": one.indices, f"{name}_{deepfm.VALUES}": one.values}
    label_party = next(party for party in [*parties, *other] if party.data.label is not None)
    section = label_party.data.label
    if section is None:
        raise ConfigurationError("no party has labels", where="pooled training")
    column = frames[label_party.party][section.parts[0]]
    return PooledData(inputs, read_labels(label_party.party, section, column, dataset), packed)


def build_joined(parties: Sequence[PartyConfiguration], packed: dict[str, PackedFeatures], seed: int) -> keras.Model:
    """The joined model as one Keras model, with the initial weights that the parties would draw.

    Args:
        parties: whose base models are joined, ascending; the last with a fuse section owns the fuse model.
        packed: features by party.
        seed: of the run.

    Returns:
        A model from all inputs to logits, float32 (batch, 1).
    """
    inputs: dict[str, keras.KerasTensor] = {}
    hiddens: dict[str, dict[str, keras.KerasTensor]] = {}
    specs: dict[str, tuple[HiddenSpec, ...]] = {}
    for party in parties:
        section = party.base_model
        if section is None:
            continue
        name, one = party.party, packed[party.party]
        base = deepfm.build_base(section, one.widths, one.size, name=f"{name}_base")
        draw_initial_weights(base, secret_stream(_secret(party), seed, BASE))
        slots = (sum(one.widths),)
        indices = keras.Input(slots, dtype="int32", name=f"{name}_{deepfm.INDICES}")
        values = keras.Input(slots, dtype="float32", name=f"{name}_{deepfm.VALUES}")
        inputs |= {indices.name: indices, values.name: values}
        hiddens[name] = base({deepfm.INDICES: indices, deepfm.VALUES: values})
        specs[name] = deepfm.base_specs(section)
    label_party = next(party for party in parties if party.holds_labels)
    fuse_section = label_party.fuse_model
    if fuse_section is None:
        raise ConfigurationError("no party has a fuse model", where="pooled training")
    fuse = deepfm.build_fuse(fuse_section, aggregated_units(specs))
    draw_initial_weights(fuse, secret_stream(_secret(label_party), seed, FUSE))
    return keras.Model(inputs, fuse(_aggregate(hiddens, specs)), name="joined")


def train_pooled(
    parties: Sequence[PartyConfiguration],
    training: TrainingSection,
    test_dataset: str,
    other: Sequence[PartyConfiguration],
) -> PooledResult:
    """Trains the joined model with `keras fit`, on the rows and in the order of the split run.

    Args:
        parties: whose features are used.
        training: of the run.
        test_dataset: to evaluate on.
        other: parties whose ids must be there too.

    Returns:
        Test metrics and cost.
    """
    data = read_pooled(parties, training, training.dataset, other)
    training_rows, _ = hold_out(training.seed, len(data.labels), training.validation_fraction)
    model = build_joined(parties, data.packed, training.seed)
    compile_joined(model, training)
    started_seconds = time.perf_counter()
    for epoch in range(training.epochs):
        inputs, labels = data.rows(epoch_order(training.seed, epoch, training_rows))
        model.fit(inputs, labels, batch_size=training.batch_size, shuffle=False, verbose=0)
    seconds = time.perf_counter() - started_seconds
    test = read_pooled(parties, training, test_dataset, other)
    logits = model.predict(test.inputs, batch_size=INFERENCE_BATCH, verbose=0)[:, 0].astype(np.float64)
    losses = np.logaddexp(0.0, logits) - logits * test.labels
    metrics = classification_metrics(logits.astype(np.float32), test.labels, float(losses.mean()))
    return PooledResult(metrics.auc, metrics.loss, seconds, training.epochs * len(training_rows))


def compile_joined(model: keras.Model, training: TrainingSection) -> None:
    """Compiles the joined model as the parties train their halves."""
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=build_optimizer(training.optimizer), loss=loss)


def _aggregate(
    hiddens: dict[str, dict[str, keras.KerasTensor]], specs: dict[str, tuple[HiddenSpec, ...]]
) -> dict[str, keras.KerasTensor]:
    aggregated = {}
    for spec in next(iter(specs.values())):
        tensors = [hiddens[name][spec.name] for name in sorted(hiddens)]
        if len(tensors) == 1:
            aggregated[spec.name] = tensors[0]
        elif spec.aggregation is Aggregation.CONCAT:
            aggregated[spec.name] = keras.ops.concatenate(tensors, axis=1)
        else:
            aggregated[spec.name] = keras.layers.add(tensors)
    return aggregated


def _join(parties: Sequence[PartyConfiguration], dataset: str) -> dict[str, pd.DataFrame]:
    tables = {}
    for party in parties:
        path = party.path(party.data.datasets[dataset])
        tables[party.party] = read_table(party.party, dataset, path, party.data.id, party.data.columns(dataset))
    common = set.intersection(*(set(table.ids) for table in tables.values()))
    ordered = sorted(common, key=lambda one: one.encode())
    return {name: table.aligned(table.ids.get_indexer(pd.Index(ordered))) for name, table in tables.items()}


def _secret(party: PartyConfiguration) -> bytes:
    if party.pinned_secret is None:
        raise ConfigurationError("pooled training needs pinned secrets", where=party.party)
    return bytes.fromhex(party.pinned_secret)


def main() -> None:
    """Reads a demonstration's folder; prints the results of pooled training and of bob alone as JSON."""
    folder = Path(sys.argv[1])
    configure_tensorflow(ThreadsSection(intra_operation=0, inter_operation=0))
    run = load_coordinator_configuration(run_file(folder))
    alice, bob = (load_party_configuration(party_file(folder, name)) for name in PARTIES)
    results = {
        "pooled": train_pooled([alice, bob], run.training, run.evaluate_dataset, []),
        "bob alone": train_pooled([bob], run.training, run.evaluate_dataset, [alice]),
    }
    print(json.dumps({name: vars(result) for name, result in results.items()}))


if __name__ == "__main__":
    main()
