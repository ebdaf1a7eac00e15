import io
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from party.configuration.models import DeepFMFuse, DeepFMModel
from party.errors import ModelError, StorageError
from party.models.assembly import build_base
from party.models.deepfm import build_fuse
from party.models.embedding import INDICES, VALUES
from party.models.storage import load_weights, named_weights, save_model, save_weights
from tests.support.layouts import LABELS, layout_of

SECTION = DeepFMModel(embedding_dimension=2, units=[4, 3], dropout=0.2, embedding_l2=0.01)
WIDTHS, SIZE = (1, 3), 9


def make_models(seed):
    """A base and a fuse model with drawn weights."""
    base = build_base(layout_of(SECTION, WIDTHS, SIZE))
    fuse = build_fuse(DeepFMFuse(units=[5]), {"deep": 3, "factor_sum": 2, "factor_square": 1, "linear": 1}, LABELS)
    generator = np.random.default_rng(seed)
    for model in (base, fuse):
        for weight in model.trainable_variables:
            weight.assign(generator.normal(size=weight.shape))
    return {"base": base, "fuse": fuse}


def arrays(models):
    return {name: weight.numpy() for model in models.values() for name, weight in named_weights(model).items()}


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def saved(folder):
    save_weights(folder / "weights.npz", make_models(1))
    return folder / "weights.npz"


def test_weights_come_back_bit_by_bit(saved):
    models = make_models(2)
    load_weights(saved, models)
    expected = arrays(make_models(1))
    assert {name: array.tobytes() for name, array in arrays(models).items()} == {
        name: array.tobytes() for name, array in expected.items()
    }


def test_names_say_what_a_weight_is(saved):
    with np.load(saved, allow_pickle=False) as archive:
        assert set(archive.files) >= {
            "base/factors",
            "base/linear",
            "base/dense_0/kernel",
            "base/dense_1/bias",
            "fuse/dense_0/kernel",
            "fuse/logit/kernel",
            "fuse/logit/bias",
        }
        assert archive["base/factors"].shape == (SIZE, 2)


def test_file_is_private(saved):
    assert saved.stat().st_mode & 0o777 == 0o600


def flipped(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[:-1], id="one byte short"),
        pytest.param(lambda content: content[: len(content) // 2], id="half"),
        pytest.param(lambda content: b"weights", id="no archive"),
        pytest.param(flipped, id="one byte altered"),
        pytest.param(lambda content: b"\x93NUMPY" + content, id="an array"),
    ],
)
def test_damaged_file_is_refused(saved, damage):
    saved.write_bytes(damage(saved.read_bytes()))
    models = make_models(2)
    with pytest.raises(StorageError, match="weights are damaged; train again"):
        load_weights(saved, models)
    assert arrays(models)["base/factors"].tobytes() == arrays(make_models(2))["base/factors"].tobytes()


class Unpickled:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def test_nothing_is_ever_unpickled(saved, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    content = io.BytesIO()
    np.savez(content, **{"base/factors": np.array([Unpickled()], dtype=object)})
    saved.write_bytes(content.getvalue())
    with pytest.raises(StorageError, match="weights are damaged"):
        load_weights(saved, make_models(2))
    assert not (tmp_path / "unpickled").exists()


def test_missing_and_open_files_are_refused(saved):
    with pytest.raises(StorageError, match="cannot be read"):
        load_weights(saved.with_name("absent.npz"), make_models(2))
    saved.chmod(0o644)
    with pytest.raises(StorageError, match="is open to others"):
        load_weights(saved, make_models(2))


@pytest.mark.parametrize("what", ["missing", "of another shape"])
def test_weight_that_does_not_fit_is_named(saved, what):
    with np.load(saved, allow_pickle=False) as archive:
        content = {name: archive[name] for name in archive.files}
    if what == "missing":
        del content["base/linear"]
    else:
        content["base/linear"] = np.zeros((SIZE + 1, 1), np.float32)
    np.savez(saved, **content)
    received = "nothing" if what == "missing" else r"\(10, 1\)"
    with pytest.raises(ModelError, match=rf"weight base/linear does not fit; expected \(9, 1\); received {received}"):
        load_weights(saved, make_models(2))


PREDICT = """
import sys
import keras, numpy as np
with np.load(sys.argv[2]) as archive:
    inputs = {name: archive[name] for name in archive.files}
outputs = keras.models.load_model(sys.argv[1])(inputs, training=False)
assert not [name for name in sys.modules if name.partition(".")[0] in ("party", "coordinator")]
np.savez(sys.argv[3], **{name: output.numpy() for name, output in outputs.items()})
"""


def test_saved_model_predicts_alike_with_keras_alone(folder):
    """The owner of a model needs nothing of this software to use it."""
    base = make_models(1)["base"]
    save_model(folder / "base.keras", base)
    assert (folder / "base.keras").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["base.keras"]
    generator = np.random.default_rng(3)
    inputs = {
        INDICES: generator.integers(0, SIZE, (6, 4)).astype(np.int32),
        VALUES: generator.normal(size=(6, 4)).astype(np.float32),
    }
    np.savez(folder / "inputs.npz", **inputs)
    subprocess.run(
        [sys.executable, "-c", PREDICT, "base.keras", "inputs.npz", "outputs.npz"],
        cwd=folder,
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    expected = base(inputs, training=False)
    with np.load(folder / "outputs.npz") as outputs:
        assert set(outputs.files) == set(expected)
        for name, output in expected.items():
            np.testing.assert_array_equal(outputs[name], output.numpy())


def test_saved_model_holds_no_code(folder):
    save_model(folder / "base.keras", make_models(1)["base"])
    with zipfile.ZipFile(folder / "base.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        assert b"Lambda" not in archive.read("config.json")
    keras.models.load_model(folder / "base.keras", safe_mode=True)
