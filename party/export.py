"""Trained models as TensorFlow SavedModels, for serving outside of this software."""

from __future__ import annotations

from pathlib import Path

from party.configuration.party import load_party_configuration
from party.configuration.yaml_file import usable_path
from party.errors import StorageError
from party.exported import ExportedModel, ExportedModels
from party.ledger.file import RUNS_FOLDER
from party.models.assembly import PartyModels
from party.models.storage import export_model
from party.runtime.records import RunRecords


def export_models(configuration_path: Path, run_id: str | None, output: Path) -> ExportedModels:
    """Writes a SavedModel for each model of a finished run, readable by its owner only.

    Args:
        configuration_path: the party's YAML file.
        run_id: hexadecimal, or the beginning of it; None means the latest finished run.
        output: folder to create the SavedModels in.

    Returns:
        The models that were written.

    Raises:
        SessionError: there is no such finished run.
        ConfigurationError: the configuration or the output's path cannot be used.
        StorageError: a folder is in the way, or the output cannot be written.
    """
    usable_path(output)
    configuration = load_party_configuration(configuration_path)
    records = RunRecords(configuration.path(configuration.state) / RUNS_FOLDER, configuration.party)
    record = records.find_trained(run_id)
    models = PartyModels(record.base, record.fuse, configuration.folder)
    models.load(records.folder(bytes.fromhex(record.run_id)))
    written = []
    for name, model in models.models.items():
        target = output / f"{configuration.party}-{name}"
        if target.exists():
            raise StorageError("is in the way", where=target, fix="choose another --output")
        try:
            export_model(target, model)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StorageError(f"cannot be written: {reason}", where=target, fix="choose another --output") from error
        written.append(ExportedModel(name, target))
    return ExportedModels(record.run_id, tuple(written))
