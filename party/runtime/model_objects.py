"""Builds the optimizer, losses and metrics of a party from its configuration."""

from __future__ import annotations

from collections.abc import Mapping

from party.configuration.layout import OutputScale
from party.configuration.models import OwnFuse, OwnModel
from party.configuration.party import PartyConfiguration
from party.configuration.run import OptimizerSection, TrainingSection
from party.data.encoders import fit_encoders
from party.data.labels import LabelNoise
from party.models.assembly import PartyModels, base_layout
from party.models.keras_objects import Optimizer, build_optimizer
from party.models.losses import TaskLosses
from party.models.own import source_digest
from party.models.packing import pack
from party.models.scores import Scores
from party.runtime.stopping_metric import stopping_mode
from party.runtime.tables import Tables


def party_optimizer(configuration: PartyConfiguration, run: OptimizerSection) -> Optimizer:
    """Makes a new optimizer: the party's own if its configuration names one, otherwise the run's.

    Args:
        configuration: the party's configuration.
        run: the optimizer of the run configuration.

    Raises:
        ConfigurationError: Keras has no optimizer of this name, or it does not take an argument.
    """
    if configuration.optimizer is not None:
        return build_optimizer(configuration.optimizer, f"{configuration.party}: optimizer")
    return build_optimizer(run, f"{configuration.party}: training.optimizer")


def party_scores(configuration: PartyConfiguration) -> Scores:
    """Makes the metrics of the party's labels.

    Raises:
        ConfigurationError: a metric is not known, or does not take an argument.
    """
    return Scores(configuration.data.labels, configuration.party)


def party_losses(
    configuration: PartyConfiguration,
    noise: Mapping[str, LabelNoise] | None = None,
    scales: Mapping[str, OutputScale] | None = None,
) -> TaskLosses:
    """Makes the losses of the party's labels.

    Args:
        configuration: the party's configuration.
        noise: how labels were drawn, by label; omitted for true ones.
        scales: scales of numbers by label, as the fuse model has them.

    Raises:
        ConfigurationError: a loss is not known, or does not take an argument.
    """
    fuse = configuration.fuse_model
    uncertainty = fuse is not None and fuse.task_weighting == "uncertainty"
    return TaskLosses(configuration.data.labels, uncertainty, configuration.party, noise, scales=scales)


def check_objects(configuration: PartyConfiguration) -> None:
    """Builds every Keras object of the party's configuration once, so that a mistake is found when the party starts.

    Raises:
        ConfigurationError: Keras does not know a name or an argument.
    """
    if configuration.optimizer is not None:
        party_optimizer(configuration, configuration.optimizer)
    if configuration.holds_labels:
        party_scores(configuration)
        party_losses(configuration)


def check_training(configuration: PartyConfiguration, training: TrainingSection) -> None:
    """Refuses a run whose optimizer or early stopping this party does not support.

    Args:
        configuration: the party's configuration.
        training: the training section of the run configuration.

    Raises:
        ConfigurationError: Keras does not know the optimizer, no metric has the name that early stopping uses, or its
            mode is missing or wrong.
    """
    party_optimizer(configuration, training.optimizer)
    if training.early_stopping is not None and configuration.holds_labels:
        stopping_mode(configuration.party, training.early_stopping, party_scores(configuration))


def check_own_model(configuration: PartyConfiguration, tables: Tables) -> None:
    """Builds an owner's base model once, over all rows of every dataset, so that a mistake is found at start.

    Args:
        configuration: the party's configuration.
        tables: its datasets.

    Raises:
        ModelError: the file or the model breaks the contract.
        DataError: a cell is malformed.
    """
    section = configuration.base_model
    if isinstance(section, OwnModel):
        for dataset in tables.usable_names:
            table = tables.table(dataset)
            source = table.path.name
            encoders = fit_encoders(configuration.party, configuration.data.features, table.columns, source)
            packed = pack(encoders.encode(table.columns, source))
            PartyModels(base_layout(section, packed, configuration.folder), folder=configuration.folder)
    if isinstance(configuration.fuse, OwnFuse):
        source_digest(configuration.folder, configuration.fuse.file)
