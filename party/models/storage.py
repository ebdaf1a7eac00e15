"""Saves and loads weights and models."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from party.errors import ModelError, StorageError
from party.security.files import close_to_others, make_folder, private_folder, read_private, write_atomically

Weights = Mapping[str, npt.NDArray[np.float32]]
EMBEDDINGS = "embeddings"


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """The weights of a model by names that contain their layers.

    Args:
        model: a built model.

    Returns:
        Variables by `model/layer/weight`, or by `model/layer/inner layer/weight`; an embedding table by `model/layer`.
    """
    named: dict[str, keras.Variable] = {}
    for layer in model.layers:
        for weight in layer.weights:
            path = weight.path.split("/")
            inner = path[path.index(layer.name) + 1 : -1] if layer.name in path else []
            leaf = [] if weight.name == EMBEDDINGS else [weight.name]
            name = "/".join([model.name, layer.name, *inner, *leaf])
            alike = sum(known == name or known.startswith(f"{name}#") for known in named)
            named[f"{name}#{alike}" if alike else name] = weight
    return named


def save_weights(path: Path, models: Mapping[str, keras.Model]) -> None:
    """Writes the weights of models into one file.

    Args:
        path: path of the .npz file.
        models: models by their role.
    """
    arrays = {name: weight.numpy() for model in models.values() for name, weight in named_weights(model).items()}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_atomically(path, content.getvalue())


def load_weights(path: Path, models: Mapping[str, keras.Model]) -> None:
    """Reads the weights of models from a file that `save_weights` wrote.

    Args:
        path: path of the .npz file.
        models: models built like those that were saved, by their role.

    Raises:
        StorageError: the file is missing or damaged.
        ModelError: a weight is missing or has another shape.
    """
    content = read_private(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError):
        raise StorageError(
            "weights are damaged", where=path, fix="train again", public_message="the weights of the run are damaged"
        ) from None
    for model in models.values():
        for name, weight in named_weights(model).items():
            if name not in arrays or arrays[name].shape != tuple(weight.shape):
                received = str(arrays[name].shape) if name in arrays else "nothing"
                raise ModelError(
                    f"weight {name} does not fit", where=path, expected=str(tuple(weight.shape)), received=received
                )
            weight.assign(arrays[name])


def save_model(path: Path, model: keras.Model) -> None:
    """Writes a model in Keras's own format, for use outside of this software.

    Args:
        path: path of the .keras file.
        model: a model of standard layers.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        model.save(draft)
        write_atomically(path, draft.read_bytes())


def export_model(target: Path, model: keras.Model) -> None:
    """Writes a model as a TensorFlow SavedModel that nobody but its owner can read.

    The modes of TensorFlow's files depend on the umask, so they are written into a folder that others cannot enter.

    Args:
        target: a folder that does not exist yet; missing parent folders are created.
        model: a model of standard layers.

    Raises:
        OSError: the model cannot be written.
        StorageError: others could replace the folder that it is written to.
    """
    make_folder(target.parent)
    draft = target.with_name(f".{target.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)  # left by a killed process
    private_folder(draft)
    model.export(draft / target.name, verbose=False)
    close_to_others(draft)
    (draft / target.name).rename(target)
    draft.rmdir()
