"""Trained models as TensorFlow SavedModels, for serving outside of this software."""

from __future__ import annotations

from pathlib import Path

from party.configuration.party import load_party_configuration
from party.errors import StorageError
from party.models.assembly import PartyModels
from party.runtime.records import RunRecords


def export_models(configuration_path: Path, run_id: str | None, output: Path) -> list[Path]:
    """Writes a SavedModel per model of a finished run.

    Args:
        configuration_path: the party's YAML file.
        run_id: hexadecimal, or the beginning of it; the latest finished run where None.
        output: folder to create the SavedModels in.

    Returns:
        The folders that were written.

    Raises:
        SessionError: there is no such finished run.
        StorageError: a folder is in the way.
    """
    configuration = load_party_configuration(configuration_path)
    records = RunRecords(configuration.path(configuration.state) / "runs", configuration.party)
    record = records.find_trained(run_id)
    models = PartyModels(record.base, record.fuse, configuration.folder)
    models.load(records.folder(bytes.fromhex(record.run_id)))
    written = []
    for name, model in models.models.items():
        target = output / f"{configuration.party}-{name}"
        if target.exists():
            raise StorageError("is in the way", where=str(target), fix="choose another --output")
        draft = target.with_name(f".{target.name}.partial")
        model.export(draft, verbose=False)
        draft.rename(target)
        written.append(target)
    return written
